import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Processes that are killed while they back up. `KillTests` looks at every step of one process that goes on; here nobody has
/// an occasion to clear up.
@Suite("A process that is killed in a backup", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct KilledProcessTests {
    private static let testsAll = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"

    private let folder: ScratchFolder
    private let python: PythonProgram
    /// What Python sees of the database when the first backup is made, and at the end.
    private let first: String, last: String

    init() throws {
        folder = try ScratchFolder()
        python = try PythonProgram(.zeo6, "backup_source.py", [])
        let seed = UInt64.random(in: 0..<1 << 16)
        print("seed of the history: \(seed)")
        _ = try python.ask("open \(folder.file("Data.fs")) \(seed) \(folder.file("blobs"))")
        _ = try python.ask("commit 8")
        first = try python.ask("digest \(folder.file("Data.fs"))")
        try Self.backUp(folder, to: "before")
        _ = try python.ask("commit 8")
        _ = try python.ask("close")
        last = try python.ask("digest \(folder.file("Data.fs"))")
    }

    private static func backUp(_ folder: ScratchFolder, to name: String) throws {
        let storage = try FileStorage(folder.file("Data.fs"), options: .init(blobDirectory: folder.file("blobs")))
        defer { storage.close() }
        _ = try storage.backUp(to: folder.file(name))
    }

    private func copy(_ name: String, to target: String) throws {
        let process = try Process.run(
            URL(filePath: "/bin/cp"), arguments: ["-a", folder.file(name), folder.file(target)])
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    /// The repository gives back the state before or after, and the next backup completes it.
    private func judge(_ name: String, _ note: String) throws {
        let left = try Repository(folder.file(name))
        if !(try folder.names(in: name).contains("removing.zeoshell")) {
            #expect(try left.verify().problems == [], "\(note)")
        }
        _ = try left.restore(to: folder.file("\(name)-out"))
        let found = try python.ask("digest \(folder.file("\(name)-out"))")
        #expect(found == first || found == last, "\(note)")
        try Self.backUp(folder, to: name)
        let whole = try Repository(folder.file(name))
        let verified = try whole.verify()
        #expect(verified.problems == [] && verified.notes == [], "\(note)")
        var options = RestoreOptions()
        options.blobDirectory = folder.file("\(name)-final-blobs")
        #expect(try whole.restore(to: folder.file("\(name)-final"), options).missingBlobs == [])
        #expect(try python.ask("digest \(folder.file("\(name)-final"))") == last, "\(note)")
        #expect(try folder.names(in: name).allSatisfy { !$0.contains("zeoshell") }, "\(note)")
    }

    @Test(
        "at any step leaves a repository that is sound, and that the next backup completes",
        arguments: [
            [], ["--compressed"], ["--full", "--keep", "1"],
        ])
    func everyStep(options: [String]) throws {
        var step = Self.testsAll ? 0 : Int.random(in: 0..<5)
        let stride = Self.testsAll ? 1 : 5
        var kills = 0
        while true {
            let name = "step-\(step)"
            try copy("before", to: name)
            let run = try BuiltProgram.zeobench.run(
                ["killed-job", "backup", folder.file("Data.fs"), "--blob-dir", folder.file("blobs")]
                    + ["--repository", folder.file(name), "--step", "\(step)"] + options)
            try judge(name, "\(options) step \(step)")
            guard run.status == 128 + SIGKILL else {
                #expect(run.status == 0, "\(run.errors)")
                break
            }
            kills += 1
            step += stride
        }
        #expect(kills > 3)
        if kills > 0 { try Repozo(peer: .zeo6).run(["-V", "-r", folder.file("step-\(step)")]) }
    }

    @Test("at any moment, in the middle of anything, leaves a sound repository")
    func anyMoment() throws {
        for round in 0..<(Self.testsAll ? 100 : 4) {
            let name = "round-\(round)"
            try copy("before", to: name)
            let delay = UInt32.random(in: 0..<80_000)
            _ = try BuiltProgram.zeoshell.run(
                ["backup", folder.file("Data.fs"), folder.file(name), "--blob-dir", folder.file("blobs")]
                    + (round.isMultiple(of: 2) ? ["--full"] : []),
                environment: ["HOME": folder.url.path]
            ) { process in
                usleep(delay)
                kill(process, SIGKILL)
            }
            try judge(name, "round \(round), after \(delay) µs")
        }
    }
}

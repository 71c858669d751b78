import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Processes that are killed while they pack, and what Python finds afterwards.
@Suite("A pack that is killed", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct KilledPackTests {
    private static let testsAll = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"

    private let directory: TemporaryDirectory
    private let python: PythonProgram
    /// What Python sees of the database before the pack, and after one that nobody kills.
    private let before: String, after: String

    init() throws {
        directory = try TemporaryDirectory()
        python = try PythonProgram(.zeo6, "backup_source.py", [])
        let source = directory.file("source")
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        let seed = UInt64.random(in: 0..<1 << 16)
        print("seed of the history: \(seed)")
        #expect(try python.ask("open \(source)/Data.fs \(seed) \(source)/blobs") == "opened")
        _ = try python.ask("commit 40")
        _ = try python.ask("close")
        before = try Self.look(source, python)
        let packed = try Self.copy(source, to: directory.file("packed"))
        let storage = try FileStorage(
            "\(packed)/Data.fs", options: .init(blobDirectory: "\(packed)/blobs", isWritable: true))
        #expect(try storage.pack(to: storage.lastTransaction(), PackOptions()).outcome == .packed)
        storage.close()
        after = try Self.look(packed, python)
        #expect(before != after)
    }

    /// Every transaction and record, and every current object and blob as the index leads to them.
    private static func look(_ path: String, _ python: PythonProgram) throws -> String {
        try python.ask("digest \(path)/Data.fs") + " / " + python.ask("current \(path)/Data.fs \(path)/blobs")
    }

    @discardableResult
    private static func copy(_ path: String, to target: String) throws -> String {
        let process = try Process.run(URL(filePath: "/bin/cp"), arguments: ["-a", path, target])
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return target
    }

    /// What is left is the old database or the new one, without a look of ours and with; the next pack makes it the new one.
    private func judge(_ path: String, _ note: String) throws -> Bool {
        let found = try Self.look(path, python)
        #expect(found == before || found == after, "\(note): Python sees neither the old nor the new: \(found)")
        let storage = try FileStorage(
            "\(path)/Data.fs", options: .init(blobDirectory: "\(path)/blobs", isWritable: true))
        let left = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(!left.contains { $0.contains(".pack") }, "\(note): \(left)")
        _ = try storage.pack(to: storage.lastTransaction(), PackOptions())
        storage.close()
        #expect(try Self.look(path, python) == after, "\(note): the next pack")
        // What was dropped has left no file of a blob behind, and no list of them.
        #expect(Self.blobs(path) == Self.blobs(directory.file("packed")), "\(note)")
        #expect(!FileManager.default.fileExists(atPath: "\(path)/blobs/.removed"), "\(note)")
        return found == after
    }

    private static func blobs(_ path: String) -> Set<String> {
        let names = FileManager.default.enumerator(atPath: "\(path)/blobs")?.compactMap { $0 as? String } ?? []
        return Set(names.filter { $0.hasSuffix(".blob") })
    }

    @Test("at any step leaves the old database or the new one, as Python sees it, and the next pack goes on")
    func everyStep() throws {
        var (step, new) = (0, 0)
        while true {
            let work = try Self.copy(directory.file("source"), to: directory.file("step-\(step)"))
            let run = try BuiltProgram.zeobench.run([
                "killed-job", "pack", "\(work)/Data.fs", "--blob-dir", "\(work)/blobs", "--step", "\(step)",
            ])
            let isNew = try judge(work, "step \(step)")
            new += isNew ? 1 : 0
            guard run.status == 128 + SIGKILL else {
                #expect(run.status == 0 && isNew, "\(run.errors)")
                break
            }
            step += 1
        }
        #expect(step == PackStep.allCases.count)
        #expect((3..<step - 3).contains(new), "both must have been left")
    }

    @Test("at any moment leaves the old database or the new one")
    func anyMoment() throws {
        for round in 0..<(Self.testsAll ? 150 : 6) {
            let work = try Self.copy(directory.file("source"), to: directory.file("round"))
            let delay = UInt32.random(in: 0..<60_000)
            _ = try BuiltProgram.zeoshell.run(
                ["pack", "\(work)/Data.fs", "--days", "0", "--blob-dir", "\(work)/blobs"],
                environment: ["HOME": directory.path]
            ) { process in
                usleep(delay)
                kill(process, SIGKILL)
            }
            _ = try judge(work, "round \(round), after \(delay) µs")
            try FileManager.default.removeItem(atPath: work)
        }
    }
}

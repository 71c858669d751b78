import Backup
import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Ends a backup before one of the changes that it makes: from then on it can do nothing, clearing up included.
private final class Killer: Sendable {
    private let left: Mutex<Int>
    let reached = Mutex(false)

    init(before step: Int) { left = Mutex(step) }

    func gate(_ what: String) throws(StorageError) {
        let isDead = left.withLock { left in
            left -= 1
            return left < 0
        }
        guard isDead else { return }
        reached.withLock { $0 = true }
        throw .interrupted
    }
}

@Suite("A backup that is killed", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct KillTests {
    private let folder: ScratchFolder
    private let clock = SteppingClock()

    init() throws {
        folder = try ScratchFolder()
        let python = try PythonProgram(.zeo6, "backup_source.py", [])
        for (number, name) in ["one", "two", "three"].enumerated() {
            _ = try python.ask("open \(folder.file("Data.fs")) \(number) \(folder.file("blobs"))")
            _ = try python.ask("commit 6")
            if number == 2 { _ = try python.ask("pack") }
            _ = try python.ask("close")
            try FileManager.default.copyItem(atPath: folder.file("Data.fs"), toPath: folder.file(name))
            try FileManager.default.copyItem(atPath: folder.file("blobs"), toPath: folder.file(name + "-blobs"))
        }
    }

    private func backUp(
        _ source: String, _ repository: String, _ killer: Killer? = nil,
        _ change: (inout BackupOptions) -> Void = { _ in }
    ) throws -> BackupResult {
        var options = BackupOptions()
        options.now = clock.next
        if let killer { options.gate = { (what) throws(StorageError) in try killer.gate(what) } }
        change(&options)
        let storage = try FileStorage(
            folder.file(source), options: .init(blobDirectory: folder.file(source + "-blobs")))
        defer { storage.close() }
        return try storage.backUp(to: folder.file(repository), options)
    }

    @Test(
        "at any step leaves a repository that is sound, and that the next backup brings in order",
        arguments: ["full", "incremental", "full after a pack, and the old goes", "compressed"])
    func anyStep(kind: String) throws {
        let change: (inout BackupOptions) -> Void = { options in
            options.isCompressed = kind == "compressed"
            if kind.hasSuffix("goes") { options.retention = Retention(chains: 1) }
        }
        let source = kind == "full" ? "one" : kind.hasSuffix("goes") ? "three" : "two"
        if kind != "full" {
            #expect(try backUp("one", "before").kind == .full)
        } else {
            try FileManager.default.createDirectory(atPath: folder.file("before"), withIntermediateDirectories: true)
        }
        var steps = 0
        while true {
            let repository = "repository-\(steps)"
            try FileManager.default.copyItem(atPath: folder.file("before"), toPath: folder.file(repository))
            let killer = Killer(before: steps)
            _ = try? backUp(source, repository, killer, change)
            let wasKilled = killer.reached.withLock { $0 }
            let left = try Repository(folder.file(repository))
            let problems = try left.verify().problems.filter { $0.what != "no backup in it" }
            // What is being removed is on a list, and no loss.
            if !(try folder.names(in: repository).contains("removing.zeoshell")) {
                #expect(problems == [], "killed before step \(steps)")
            }
            // Whatever is newest can be restored, and is the state before or after.
            if !left.chains.isEmpty {
                let output = folder.file("out-\(steps)")
                _ = try left.restore(to: output)
                let bytes = try folder.content("out-\(steps)")
                #expect([try folder.content("one"), try folder.content(source)].contains(bytes))
            }
            let next = try backUp(source, repository, nil, change)
            let whole = try Repository(folder.file(repository))
            let verified = try whole.verify()
            #expect(verified.problems == [] && verified.notes == [], "killed before step \(steps)")
            let final = folder.file("final-\(steps)")
            var options = RestoreOptions()
            options.blobDirectory = final + "-blobs"
            #expect(try whole.restore(to: final, options).missingBlobs == [])
            #expect(try folder.content("final-\(steps)") == (try folder.content(source)))
            #expect(try folder.names(in: repository).allSatisfy { !$0.contains("zeoshell") })
            if steps.isMultiple(of: 8) { try Repozo(peer: .zeo6).run(["-V", "-r", folder.file(repository)]) }
            guard wasKilled else {
                #expect(next.kind == .none)
                break
            }
            steps += 1
        }
        #expect(steps > 15)
    }

    @Test("a list of files to remove that names others' files removes none of them")
    func foreignNames() throws {
        let folder = try ScratchFolder()
        let other = folder.file("other")
        for path in [folder.file("r"), other] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: SampleData.path("fs/undo.fs"), toPath: folder.file("Data.fs"))
        for name in ["other/keep.txt", "r/notes.txt"] {
            try "mine".write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        }
        try FileManager.default.createSymbolicLink(atPath: folder.file("r/sub"), withDestinationPath: other)
        try "sub/keep.txt\nnotes.txt\n../other/keep.txt\n".write(
            toFile: folder.file("r/removing.zeoshell"), atomically: true, encoding: .utf8)
        let storage = try FileStorage(folder.file("Data.fs"))
        defer { storage.close() }
        _ = try storage.backUp(to: folder.file("r"), BackupOptions())
        #expect(FileManager.default.fileExists(atPath: folder.file("other/keep.txt")))
        #expect(FileManager.default.fileExists(atPath: folder.file("r/notes.txt")))
    }

    @Test("a second backup into the repository is refused while one runs")
    func twice() throws {
        let second = Mutex<StorageError?>(nil)
        let (source, repository) = (folder.file("one"), folder.file("r"))
        var options = BackupOptions()
        options.now = clock.next
        options.gate = { _ in
            guard second.withLock({ $0 == nil }) else { return }
            do throws(StorageError) {
                _ = try FileStorage(source).backUp(to: repository)
            } catch {
                second.withLock { $0 = error }
            }
        }
        #expect(try FileStorage(source).backUp(to: repository, options).kind == .full)
        guard case .locked? = second.withLock({ $0 }) else {
            Issue.record("not refused: \(String(describing: second.withLock { $0 }))")
            return
        }
    }
}

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
        try judgeBlobs(path, note)
        return found == after
    }

    /// A file of a dropped blob that was left behind is on the list of those that go, and goes with the next pack that drops
    /// something; the one before had nothing to do.
    private func judgeBlobs(_ path: String, _ note: String) throws {
        let kept = Self.blobs(directory.file("packed")), found = Self.blobs(path)
        #expect(found.isSuperset(of: kept), "\(note)")
        let left = found.subtracting(kept)
        guard !left.isEmpty else { return }
        let list = try String(contentsOfFile: "\(path)/blobs/.removed", encoding: .utf8)
        let lines = Set(list.split(separator: "\n").map(String.init))
        for name in left {
            let parts = name.split(separator: "/").map { $0.dropFirst(2) }
            let oid = parts.dropLast().joined()
            #expect(lines.contains(oid) || lines.contains(oid + (parts.last?.dropLast(5) ?? "")), "\(note): \(name)")
        }
        #expect(try python.ask("open \(path)/Data.fs 1 \(path)/blobs") == "opened")
        _ = try python.ask("commit 5")
        _ = try python.ask("close")
        // The same without what was left behind: its pack comes to the same.
        let clean = try Self.copy(path, to: "\(path)-clean")
        for name in left.union([".removed"]) {
            try FileManager.default.removeItem(atPath: "\(clean)/blobs/\(name)")
        }
        for path in [path, clean] {
            let storage = try FileStorage(
                "\(path)/Data.fs", options: .init(blobDirectory: "\(path)/blobs", isWritable: true))
            #expect(try storage.pack(to: storage.lastTransaction(), PackOptions()).outcome == .packed, "\(note)")
            storage.close()
        }
        #expect(try Self.look(path, python) == Self.look(clean, python), "\(note): the pack after the next")
        #expect(Self.blobs(path) == Self.blobs(clean), "\(note): the pack after the next")
        #expect(Self.blobs(path).isDisjoint(with: left), "\(note): the pack after the next")
        #expect(!FileManager.default.fileExists(atPath: "\(path)/blobs/.removed"), "\(note)")
        try FileManager.default.removeItem(atPath: clean)
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

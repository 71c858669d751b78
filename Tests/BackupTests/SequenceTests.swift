import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Sequences of commits, packs, backups and losses, each as its seed has it; Python judges what comes out. A few always, two
/// hundred with `ZEOSHELL_TEST_ALL=1`.
@Suite("Random sequences", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct SequenceTests {
    private static let count = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1" ? 200 : 6

    @Test("every state that was backed up comes back, as Python saw it then")
    func sequences() throws {
        let python = try PythonProgram(.zeo6, "backup_source.py", [])
        let first = UInt64.random(in: 0..<1 << 32)
        for number in 0..<Self.count {
            let seed = first + UInt64(number)
            do {
                var sequence = try Sequence(seed: seed, python)
                try sequence.run()
            } catch {
                Issue.record("sequence of seed \(seed): \(error)")
            }
        }
    }
}

private struct Sequence {
    private let folder: ScratchFolder
    private let python: PythonProgram
    private let seed: UInt64
    private let hasBlobs: Bool
    private var random: RandomNumbers
    private let clock = SteppingClock()
    /// What Python saw when a backup was made, by its name.
    private var expected: [BackupName: String] = [:]
    /// What Python saw up to a transaction that was then new, and which backup was the first to have it.
    private var moments: [(tid: TransactionID, digest: String, backup: BackupName)] = []
    private var lastBackedUp = TransactionID.none
    private var lost: Set<String> = []

    init(seed: UInt64, _ python: PythonProgram) throws {
        (self.seed, self.python) = (seed, python)
        folder = try ScratchFolder()
        random = RandomNumbers(seed: seed)
        hasBlobs = seed.isMultiple(of: 3)
    }

    private var source: String { folder.file("Data.fs") }
    private var repository: String { folder.file("repository") }

    mutating func run() throws {
        let blobs = hasBlobs ? folder.file("blobs") : "-"
        #expect(try python.ask("open \(source) \(seed % 100_000) \(blobs)") == "opened")
        _ = try python.ask("commit 3")
        try backUp()
        for _ in 0..<12 {
            switch random.below(10) {
            case 0..<4: _ = try python.ask("commit \(1 + random.below(4))")
            case 4: _ = try python.ask("pack")
            case 5: try lose()
            default: try backUp()
            }
        }
        try backUp()
        _ = try python.ask("close")
        try judge()
    }

    private mutating func backUp() throws {
        var options = BackupOptions()
        options.now = clock.next
        options.isFull = random.oneIn(8)
        options.isQuick = random.oneIn(2)
        options.isCompressed = random.oneIn(3)
        if random.oneIn(6) { options.retention = Retention(chains: 2) }
        let storage = try FileStorage(source, options: .init(blobDirectory: hasBlobs ? folder.file("blobs") : nil))
        defer { storage.close() }
        let result = try storage.backUp(to: repository, options)
        for name in result.removed {
            if let chunk = ChunkFile(fileName: name) { forget { $0 == chunk.name } }
        }
        #expect(result.missingBlobs == [], "seed \(seed)")
        guard let name = try Repository(repository).newestName else { return }
        let digest = try python.ask("digest \(source)")
        expected[name] = digest
        try noteMoment(name)
    }

    private mutating func noteMoment(_ name: BackupName) throws {
        let tids = try python.ask("tids \(source)").split(separator: " ").map {
            $0.split(separator: ":", omittingEmptySubsequences: false)
        }
        let fresh = tids.indices.filter { index in
            let tid = UInt64(tids[index][0], radix: 16) ?? 0
            // Packed transactions of before have the state of the pack only.
            return tid > lastBackedUp.rawValue && (index + 1 == tids.count || tids[index + 1][1] != "p")
        }
        lastBackedUp = tids.last.flatMap { UInt64($0[0], radix: 16) }.map(TransactionID.init(rawValue:)) ?? .none
        guard let index = fresh.randomElement(using: &random) else { return }
        let hex = String(tids[index][0])
        let tid = TransactionID(rawValue: UInt64(hex, radix: 16) ?? 0)
        moments.append((tid, try python.ask("digest \(source) \(hex)"), name))
    }

    private mutating func forget(_ condition: (BackupName) -> Bool) {
        for name in expected.keys where condition(name) { expected[name] = nil }
        moments.removeAll { condition($0.backup) }
    }

    /// The newest file goes: with what is written about it, or alone.
    private mutating func lose() throws {
        guard let file = try Repository(repository).chains.last?.files.last else { return }
        try FileManager.default.removeItem(atPath: "\(repository)/\(file.fileName)")
        if random.oneIn(2) {
            for ending in ["index", "manifest"] {
                try? FileManager.default.removeItem(atPath: "\(repository)/\(file.name).\(ending)")
            }
        }
        forget { $0 == file.name }
        lost.insert(file.fileName)
        // What was new in it may be in a later backup, and then is its.
        lastBackedUp = .latest
    }

    private func judge() throws {
        let repository = try Repository(repository)
        #expect(!expected.isEmpty)
        for (name, digest) in expected.sorted(by: { $0.key < $1.key }) {
            let output = folder.file("restored-\(name)")
            var options = RestoreOptions()
            options.time = .backup(name.text)
            if hasBlobs { options.blobDirectory = output + "-blobs" }
            let result = try repository.restore(to: output, options)
            #expect(result.name == name)
            #expect(result.isVerified)
            #expect(try python.ask("digest \(output)") == digest, "seed \(seed), backup \(name)")
            // The index that came along is believed, and right: or Python would read other revisions.
            if hasBlobs { try judgeBlobs(output) }
        }
        for moment in moments {
            let output = folder.file("moment-\(moment.tid)")
            var options = RestoreOptions()
            options.time = .transaction(moment.tid)
            _ = try repository.restore(to: output, options)
            #expect(try python.ask("digest \(output)") == moment.digest, "seed \(seed), transaction \(moment.tid)")
            let opened = try repository.open(.transaction(moment.tid))
            #expect(try opened.lastTransaction() == moment.tid)
            opened.close()
        }
        // What was lost is missed, where no later increment has made up for it.
        let problems = try repository.verify().problems.filter { $0.what != "is missing" || !lost.contains($0.place) }
        #expect(problems == [], "seed \(seed)")
        try Repozo(peer: .zeo6).run(["-V", "-r", self.repository])
    }

    /// Every blob of the restored database has its file, with the content of the source's.
    private func judgeBlobs(_ output: String) throws {
        let restored = try FileStorage(output, options: .init(blobDirectory: output + "-blobs"))
        let original = try FileStorage(source, options: .init(blobDirectory: folder.file("blobs")))
        defer {
            restored.close()
            original.close()
        }
        var scanner = try restored.scanner()
        var found: [(ObjectID, TransactionID)] = []
        while try scanner.next() {
            let (oid, serial) = (scanner.oid, scanner.serial)
            if let data = try? restored.load(oid, at: serial).data, BlobRecord.isBlob(data) {
                found.append((oid, serial))
            }
        }
        for (oid, serial) in found {
            let content = try bytes(of: restored.blob(oid, serial: serial))
            // A pack may have removed the original's.
            if let cursor = try? original.blob(oid, serial: serial) { #expect(try bytes(of: cursor) == content) }
        }
    }

    private func bytes(of cursor: any Cursor<[UInt8]>) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try cursor.next() { bytes += chunk }
        return bytes
    }
}

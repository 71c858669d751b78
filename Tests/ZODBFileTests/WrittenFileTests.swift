import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("What is written here, read by Python", .enabled(if: PythonJudge.areReady, "\(PythonJudge.reason)"))
struct WrittenFileTests {
    private static let beginnings: [(PythonPeer, String?)] = [
        (.zeo6, nil), (.zeo6, "fs/undo.fs"), (.zeo6, "fs/undo-packed.fs"), (.zeo6, "fs/zope5.fs"),
        (.zeo5Python2, nil), (.zeo5Python2, "fs/py27-zodb5.fs"), (.zeo5Python2, "fs/py27-zodb310.fs"),
    ]

    /// Stores, undos, aborts and empty transactions in any order.
    private func change(_ storage: FileStorage, rounds: Int, _ generator: inout SeededGenerator) throws {
        var oids = try storage.currentRecords(from: .root).rest().map(\.oid)
        for round in 0..<rounds {
            let transaction = try storage.begin(
                .init(user: Array("räv \(round)".utf8), description: Array("round".utf8)))
            do {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: break
                case 1...4:
                    let log = try storage.transactionLog().rest().prefix { $0.status == .complete }.map(\.tid)
                    let chosen = Set(
                        (0...Int.random(in: 0...2, using: &generator)).compactMap { _ in
                            log.prefix(12).randomElement(using: &generator)
                        })
                    for tid in chosen.sorted(by: >) { try transaction.undo(tid) }
                default:
                    var changed = (0...3).compactMap { _ in oids.randomElement(using: &generator) }
                    changed += try storage.newObjectIDs(Int.random(in: 0...2, using: &generator))
                    oids += changed
                    for oid in Set(changed).sorted() {
                        // Few values, so that undone and current data are often equal by chance.
                        let data = Array("cpersistent.mapping\nPersistentMapping\n.\(round % 3)".utf8)
                        try transaction.store(data, for: oid, basedOn: storage.serial(oid))
                    }
                }
                _ = try transaction.vote()
            } catch StorageError.undoFailed(_, _) {
                transaction.abort()
                continue
            }
            guard Int.random(in: 0..<8, using: &generator) > 0 else { continue }
            _ = try transaction.finish()
        }
    }

    @Test(
        "stores and undos at random: both see the same, with our index, with Python's, and without",
        arguments: beginnings)
    func random(peer: PythonPeer, sample: String?) throws {
        let file = try WritableFile(copying: sample)
        var generator = SeededGenerator.announced("written file")
        let storage = try file.open(PythonJudge.generation(peer))
        try change(storage, rounds: 60, &generator)
        // Python takes an index only when it leads to the first records of the last transaction: not after one that undid
        // several changes of one object, of which the index knows the last record alone.
        let last = try storage.begin(.init(description: Array("each object once".utf8)))
        let data = Array("cpersistent.mapping\nPersistentMapping\n.last".utf8)
        for oid in try storage.currentRecords(from: .root).rest().map(\.oid).prefix(2) {
            try last.store(data, for: oid, basedOn: storage.serial(oid))
        }
        _ = try last.vote()
        _ = try last.finish()
        let ours = try storage.judgedDump()
        // Python reads beside us, with the index it finds, if any.
        #expect(firstDifference(ours, try PythonJudge.dump(file.path, peer)) == nil)
        storage.close()
        #expect(firstDifference(ours, try PythonJudge.dump(file.path, peer, expectsIndex: true)) == nil)
        try FileManager.default.removeItem(atPath: file.path + ".index")
        #expect(firstDifference(ours, try PythonJudge.dump(file.path, peer, expectsIndex: false)) == nil)
        try file.open().close()
        #expect(
            firstDifference(ours, try PythonJudge.dump(file.path, peer, isWritable: true, expectsIndex: true)) == nil)

        // Python goes on, and we read on, with the index it has left.
        let code =
            PythonJudge.prelude + """
                fs = FileStorage(path)
                def store(t):
                    for oid in range(0, 9):
                        fs.store(p64(oid), serial(fs, p64(oid)), b'cpersistent.mapping\\nPersistentMapping\\n.x', '', t)
                commit(fs, store)
                commit(fs, lambda t: fs.undo(base64.b64encode(tids(fs)[-1]), t))
                fs.close()
                """
        try peer.run(code, [file.path])
        let again = try file.open()
        #expect(firstDifference(try again.judgedDump(), try PythonJudge.dump(file.path, peer)) == nil)
        try change(again, rounds: 10, &generator)
        #expect(firstDifference(try again.judgedDump(), try PythonJudge.dump(file.path, peer)) == nil)
    }

    @Test("Python's lock keeps us out, and ours keeps Python out")
    func lock() throws {
        let file = try WritableFile()
        let storage = try file.open()
        let code =
            PythonJudge.prelude + """
                try:
                    FileStorage(path).close()
                    print('open')
                except Exception as error:
                    print(type(error).__name__)
                """
        #expect(try PythonPeer.zeo6.run(code, [file.path]) == "LockError\n")
        #expect(try PythonPeer.zeo5Python2.run(code, [file.path]) == "LockError\n")
        storage.close()
        #expect(try PythonPeer.zeo6.run(code, [file.path]) == "open\n")
        let python = try PythonWriter(file.path)
        try python.tell("commit 0=root")
        let error = #expect(throws: StorageError.self) { try file.open() }
        guard case .locked(let what) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(what.hasPrefix("\(file.path).lock (process "))
    }

    @Test("an index of many objects and of positions beyond 2 GiB is read by Python", arguments: PythonJudge.peers)
    func largeIndex(peer: PythonPeer) throws {
        let directory = try TemporaryDirectory()
        var index = FileIndex()
        // Full and sparse buckets, first and last suffixes, far away ones.
        var oids = (0..<70_000).map(UInt64.init) + (0..<40).map { UInt64($0) * 65_536 + 65_535 }
        oids += [1 << 40, 1 << 63, .max]
        for (place, oid) in oids.enumerated() { index.set(ObjectID(rawValue: oid), to: 27 + place * 100_003) }
        let end = 27 + oids.count * 100_003
        let path = directory.file("Data.fs.index")
        try IndexFile.write(index, position: end, generation: PythonJudge.generation(peer), to: path)
        let code =
            PythonJudge.prelude + """
                from ZODB.fsIndex import fsIndex
                found = fsIndex.load(path)
                print('%d %d' % (found['pos'], len(found['index'])))
                for oid, position in found['index'].items():
                    print('%d %d' % (u64(oid), position))
                """
        let lines = try peer.run(code, [path]).split(separator: "\n").map(String.init)
        var entries = index.entries()
        var expected = ["\(end) \(index.count)"]
        while let entry = entries.next() { expected.append("\(entry.oid.rawValue) \(entry.position)") }
        #expect(firstDifference(expected, lines) == nil)
        guard case .index(let read, let position) = try IndexFile.read(path) else {
            Issue.record("our own index is not read")
            return
        }
        #expect(position == end)
        #expect(read.count == index.count)
        #expect(
            oids.allSatisfy { read.position(of: ObjectID(rawValue: $0)) == index.position(of: ObjectID(rawValue: $0)) })
    }

    @Test(
        "what Python undoes of a transaction, and what it refuses, is what we do: the same records",
        arguments: ["fs/undo.fs", "fs/zope5.fs", "fs/undo-packed.fs", "fs/py3-zodb6-refs.fs"])
    func undoOfSamples(sample: String) throws {
        try compareUndos(of: Array(SampleData.bytes(sample)), peer: .zeo6)
    }

    @Test("undos of a random history: records, obstacles and refusals are Python's", arguments: PythonJudge.peers)
    func undoOfHistory(peer: PythonPeer) throws {
        let file = try WritableFile()
        var generator = SeededGenerator.announced("undo")
        let storage = try file.open(PythonJudge.generation(peer))
        try change(storage, rounds: 40, &generator)
        storage.close()
        try compareUndos(of: file.bytes, peer: peer)
    }

    /// Undoes every transaction, and every pair of recent ones, in a copy each; Python does the same.
    private func compareUndos(of bytes: [UInt8], peer: PythonPeer) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(bytes)
        let tids = try FileStorage(path).transactions(from: .none, through: .latest).rest().map(\.tid)
        var cases = tids.map { [$0] }
        for (first, second) in zip(tids.dropFirst(max(0, tids.count - 24)).dropFirst(), tids.suffix(24)) {
            cases += [[first, second], [second, first]]
        }
        cases.append([TransactionID(rawValue: 77)])
        let code =
            PythonJudge.prelude + """
                fs = FileStorage(path)
                for line in sys.stdin if len(sys.argv) < 3 else sys.argv[2].split(','):
                    t = TransactionMetaData(u'judge', u'undo')
                    fs.tpc_begin(t)
                    try:
                        for tid in line.split('+'):
                            fs.undo(base64.b64encode(binascii.unhexlify(tid)), t)
                        size = fs._tfile.tell()
                        fs._tfile.seek(0)
                        data = fs._tfile.read(size)
                        # Its own tid is not ours.
                        print('records %s' % hx(data.replace(fs._tid, b'THIS TID')))
                    except MultipleUndoErrors as error:
                        print('refused %s' % ' '.join(sorted(hx(oid) for oid, _ in error._errs)))
                    except UndoError as error:
                        print('refused')
                    fs.tpc_abort(t)
                fs.close()
                """
        let arguments = cases.map { $0.map(\.hex).joined(separator: "+") }.joined(separator: ",")
        let python = try peer.run(code, [path, arguments]).split(separator: "\n").map(String.init)
        let storage = try FileStorage(path, options: .init(isWritable: true))
        let ours = try cases.map { tids in try outcome(storage, tids) }
        #expect(firstDifference(ours, python) == nil)
        #expect(ours.contains { $0.hasPrefix("records") })
        #expect(try [UInt8](Data(contentsOf: URL(filePath: path))) == bytes)
    }

    private func outcome(_ storage: FileStorage, _ tids: [TransactionID]) throws -> String {
        let transaction = try storage.begin(.init(user: Array("judge".utf8), description: Array("undo".utf8)))
        defer { transaction.abort() }
        do {
            for tid in tids { try transaction.undo(tid) }
            _ = try transaction.vote()
        } catch {
            switch error {
            case .undoFailed(_, let obstacles):
                return (["refused"] + obstacles.compactMap { $0.oid?.hex }.sorted()).joined(separator: " ")
            case .noSuchTransaction: return "refused"
            default: throw error
            }
        }
        let bytes = try Data(contentsOf: URL(filePath: storage.name))
        let start = try #require(storage.information().size)
        let tid = bytes[start..<start + 8]
        var records = Data(bytes[(start + 23 + 9)..<(bytes.count - 8)])
        while let range = records.range(of: tid) { records.replaceSubrange(range, with: Data("THIS TID".utf8)) }
        return "records \(records.map { String(format: "%02x", $0) }.joined())"
    }
}

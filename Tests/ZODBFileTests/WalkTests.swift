import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A Data.fs, against Python's walk of it")
struct WalkTests {
    @Test(
        "magic, end, last transaction, number of objects and largest oid are as Python says", arguments: Samples.walked)
    func whole(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        #expect(try storage.lastTransaction().hex == expected.lastTID)
        #expect(try storage.objectCount() == expected.objects)
        let information = try storage.information()
        #expect(information.kind == "FileStorage \(expected.magic)")
        #expect(information.generation == (expected.magic == "FS21" ? .python2 : .python3))
        #expect(information.size == expected.end)
        #expect(information.objectCount == expected.objects)
        #expect(information.details.map(\.name) == ["index"])
        #expect(try storage.currentIndex().largest?.hex == expected.largestOID)
    }

    @Test("every transaction comes oldest first and newest first, with all its fields", arguments: Samples.walked)
    func transactions(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        let summaries = expected.transactions.map(\.summary)
        #expect(try storage.transactions(from: .none, through: .latest).rest() == summaries)
        #expect(try storage.transactionLog().rest() == summaries.reversed())
        for (summary, transaction) in zip(summaries, expected.transactions) {
            // Some releases of Python's `persistent` round to a microsecond, some do not.
            #expect(abs(summary.tid.unixTime - transaction.unix) < 1e-6)
        }
    }

    @Test("transactions between two tids are those, both ends included", arguments: ["undo", "zope5", "undo-packed"])
    func range(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        let tids = expected.transactions.map { TransactionID(hex: $0.tid) }
        for first in tids.indices {
            for last in tids.indices {
                let found = try storage.transactions(from: tids[first], through: tids[last]).rest().map(\.tid)
                #expect(found == (first <= last ? Array(tids[first...last]) : []))
            }
            let after = try storage.transactions(from: tids[first].successor, through: .latest).rest().map(\.tid)
            #expect(after == Array(tids[(first + 1)...]))
        }
    }

    @Test("every record of every transaction has Python's data and origin", arguments: Samples.walked)
    func records(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        for transaction in expected.transactions {
            let (summary, cursor) = try storage.records(of: TransactionID(hex: transaction.tid))
            #expect(summary == transaction.summary)
            let records = try cursor.rest()
            #expect(records.map(\.oid.hex) == transaction.records.map(\.oid))
            #expect(records.map { $0.data.map(sha1) } == transaction.records.map(\.data?.sha1))
            #expect(records.map(\.data?.count) == transaction.records.map(\.data?.len))
            #expect(records.map(\.dataTransaction?.hex) == transaction.records.map(\.dataTransaction))
        }
        #expect(throws: StorageError.noSuchTransaction(.latest)) { try storage.records(of: .latest) }
    }

    @Test("the scanner finds every record where Python finds it", arguments: Samples.walked)
    func scan(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        var scanner = try FileStorage(Samples.path("fs/\(name).fs")).scanner()
        for transaction in expected.transactions {
            #expect(try scanner.nextTransaction())
            #expect(scanner.transaction.position == transaction.pos)
            #expect(scanner.transaction.tid.hex == transaction.tid)
            #expect(scanner.transaction.length == UInt64(transaction.tlen))
            for record in transaction.records {
                #expect(try scanner.nextRecord())
                #expect(scanner.recordPosition == record.pos)
                #expect(scanner.oid.hex == record.oid)
                #expect(scanner.serial.hex == record.tid)
                #expect(scanner.dataSize == record.plen)
                #expect(scanner.record.previous == record.prev)
                #expect(scanner.record.transaction == record.tloc)
                #expect((scanner.record.versionSize > 0) == (record.version != nil))
                let hash = try scanner.withData { (data) in sha1(data.withUnsafeBytes { Array($0) }) }
                #expect(hash == (record.plen > 0 ? record.data?.sha1 : nil))
            }
            #expect(try !scanner.nextRecord())
        }
        #expect(try !scanner.nextTransaction())
        #expect(scanner.tail == nil)
    }

    /// The object whose last record is in an open version. Python (ZODB 3.8) loads the data of the revision before it,
    /// but under the version record's tid; a load *before* a tid, which is what `load(_:at:)` promises, gives that
    /// revision's own.
    static let inVersion = [
        "py27-zodb38-versions": [ObjectID(rawValue: 2): TransactionID(hex: "040d271ce8efbb11")]
    ]

    @Test(
        "every object's current revision has Python's tid and length; a deleted one is missing",
        arguments: Samples.walked)
    func current(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        var existing: [ObjectID] = []
        for (hex, current) in expected.current.sorted(by: { $0.key < $1.key }) {
            let oid = ObjectID(hex: hex)
            if current.isMissing == true {
                #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: .latest) }
                continue
            }
            existing.append(oid)
            let revision = try storage.load(oid, at: .latest)
            let serial = Self.inVersion[name]?[oid] ?? TransactionID(hex: current.tid ?? "")
            #expect(revision.serial == serial)
            #expect(revision.data.count == current.len)
            #expect(revision.next == nil)
            #expect(try storage.currentIndex().position(of: oid) == current.pos)
        }
        let walked = try storage.currentRecords(from: .root).rest()
        #expect(walked.map(\.oid) == existing)
        for record in walked { #expect(try storage.load(record.oid, at: .latest) == record.revision) }

        var scanned: [ObjectID: Revision] = [:]
        try storage.scanCurrentRecords { (oid, serial, data) in
            #expect(scanned[oid] == nil)
            scanned[oid] = Revision(data: data.withUnsafeBytes { Array($0) }, serial: serial, next: nil)
        }
        #expect(scanned == Dictionary(uniqueKeysWithValues: walked.map { ($0.oid, $0.revision) }))
    }

    @Test(
        "every public revision of every object loads at its tid, just before the next, and not before the first",
        arguments: Samples.walked)
    func revisions(name: String) throws {
        let expected: WalkedFile = try Samples.expected("\(name).fs")
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        var revisions: [String: [WalkedFile.Record]] = [:]
        for transaction in expected.transactions {
            for record in transaction.records where record.version == nil {
                revisions[record.oid, default: []].append(record)
            }
        }
        for (hex, records) in revisions {
            let oid = ObjectID(hex: hex)
            for (index, record) in records.enumerated() {
                let tid = TransactionID(hex: record.tid)
                let next = index + 1 < records.count ? TransactionID(hex: records[index + 1].tid) : nil
                for time in [tid, next?.predecessor ?? .latest] {
                    guard let data = record.data else {
                        #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: time) }
                        continue
                    }
                    let revision = try storage.load(oid, at: time)
                    #expect(revision.serial == tid)
                    #expect(revision.next == next)
                    #expect(sha1(revision.data) == data.sha1)
                }
                if index == 0 {
                    let before = tid.predecessor
                    #expect(throws: StorageError.noRevision(oid, at: before)) { try storage.load(oid, at: before) }
                }
            }
            let history = try storage.history(of: oid, limit: .max)
            #expect(history.map(\.transaction.tid.hex) == records.reversed().map(\.tid))
            #expect(history.map(\.size) == records.reversed().map { Int($0.plen) })
            #expect(try storage.history(of: oid, limit: 1) == Array(history.prefix(1)))
        }
    }

    @Test("an oid that was never stored is not there", arguments: Samples.all)
    func missing(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name).fs"))
        for raw: UInt64 in [0x7777, 1 << 40, .max] {
            let oid = ObjectID(rawValue: raw)
            #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: .latest) }
            #expect(throws: StorageError.noSuchObject(oid)) { try storage.history(of: oid, limit: 1) }
        }
    }

    @Test("compressed records inflate to pickles, and plain ones lie among them")
    func compressed() throws {
        let storage = try FileStorage(Samples.path("fs/zlib.fs"))
        var kinds: [RecordTransformation] = []
        for record in try storage.currentRecords(from: .root).rest() {
            let data = try RecordTransformation.undone(record.revision.data)
            #expect(data.first == 0x80)
            #expect(data.last == UInt8(ascii: "."))
            kinds.append(RecordTransformation(of: record.revision.data))
        }
        #expect(kinds.count == 6)
        #expect(Set(kinds) == [.plain, .zlib])
    }
}

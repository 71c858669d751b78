import Pickle
import TestSupport
import Testing
import ZEOClient
import ZODB
import ZODBFile

/// Serves every sample of one format, and checks through the server what Python says is in it.
///
/// Where Python's facts end (revisions at each tid, samples without a list of facts), the same file read directly is
/// the measure; that it is right is shown against Python's facts elsewhere.
struct SampleChecks {
    /// No Python since ZODB 3.9 opens a file with version records.
    static let unservable = ["py27-zodb38-versions"]

    let server: PythonServer
    let names: [String]
    private let paths: [String: String]

    /// The samples that a server of one kind opens: storage name → path.
    /// - Parameter magic: of the files to serve: what one Python wrote the other does not open.
    static func servable(magic: String, by peer: PythonPeer) throws -> [String: String] {
        var paths: [String: String] = [:]
        // Protocol 3, which ZODB 5 writes on Python 2 as well, is not read there before.
        let isOld = [.zodb37, .zodb38, .zodb310].contains(peer)
        for folder in ["fs", "rescue"] {
            for name in SampleData.names(in: folder, ending: ".fs")
            where !unservable.contains(name) && !(isOld && name.hasPrefix("py27-zodb5")) {
                let file = "\(folder)/\(name).fs"
                if try SampleData.bytes(file).starts(with: magic.utf8) { paths[name] = SampleData.path(file) }
            }
        }
        #expect(paths.count >= (isOld ? 7 : 8))
        return paths
    }

    init(_ peer: PythonPeer, magic: String, messagePack: Bool = false) throws {
        paths = try Self.servable(magic: magic, by: peer)
        names = paths.keys.sorted()
        server = try PythonServer(peer, serving: paths, messagePack: messagePack)
    }

    func all(_ check: (String, ZEOClientStorage, FileStorage) throws -> Void) throws {
        for name in names {
            let storage = try server.connect(name)
            try check(name, storage, try FileStorage(try #require(paths[name])))
            storage.close()
        }
    }

    private func facts(_ name: String) throws -> JSONValue? {
        SampleData.names(in: "expected", ending: ".fs.json").contains(name)
            ? try SampleData.json("expected/\(name).fs.json") : nil
    }

    // MARK: Checks

    func current(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        guard let facts = try facts(name) else { return }
        var digests: [String: String] = [:]
        for transaction in facts["transactions"]?.elements ?? [] {
            for record in transaction["records"]?.elements ?? [] {
                let key = "\(record["oid"]?.string ?? "") \(record["tid"]?.string ?? "")"
                digests[key] = record["data"]?["sha1"]?.string
            }
        }
        let members = facts["current"]?.members ?? []
        #expect(!members.isEmpty)
        let results = storage.load(try members.map { try ObjectID(hex: $0.key) }, at: .latest)
        for (member, result) in zip(members, results) {
            let oid = try ObjectID(hex: member.key)
            if member.value["POSKeyError"] != nil {
                #expect(result == .failure(.noSuchObject(oid)), "\(name)")
                continue
            }
            let revision = try result.get()
            #expect(revision.serial.hex == member.value["tid"]?.string, "\(name) \(oid)")
            #expect(revision.data.count == member.value["len"]?.int, "\(name) \(oid)")
            #expect(sha1(revision.data) == digests["\(oid.hex) \(revision.serial.hex)"], "\(name) \(oid)")
            #expect(revision.next == nil)
            #expect(try storage.load(oid, at: .latest) == revision)
        }
        #expect(try storage.lastTransaction().hex == facts["last_tid"]?.string, "\(name)")
        let information = try storage.information()
        #expect(information.objectCount == facts["objects_in_index"]?.int, "\(name)")
        #expect(information.size == facts["end_of_valid_data"]?.int, "\(name)")
        #expect(information.storageName.hasSuffix("\(name).fs"))
    }

    func walk(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        let expected = try file.currentRecords(from: .root).rest()
        #expect(try storage.currentRecords(from: .root).rest() == expected, "\(name)")
        let middle = ObjectID(rawValue: expected[expected.count / 2].oid.rawValue)
        #expect(
            try storage.currentRecords(from: middle).rest() == Array(expected[(expected.count / 2)...]), "\(name)")
        let beyond = ObjectID(rawValue: (expected.last?.oid.rawValue ?? 0) + 1)
        #expect(try storage.currentRecords(from: beyond).rest().isEmpty, "\(name)")
    }

    func log(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        let expected = try file.transactionLog().rest()
        let found = try storage.transactionLog().rest()
        try compare(found, expected, name)
        if let facts = try facts(name) {
            let transactions = facts["transactions"]?.elements ?? []
            #expect(found.map(\.tid.hex) == transactions.reversed().compactMap { $0["tid"]?.string }, "\(name)")
            for (transaction, fact) in zip(found, transactions.reversed()) {
                #expect(fact["status"]?.string?.utf8.first == transaction.status.rawValue, "\(name)")
                if let user = fact["user"]?.string { #expect(transaction.user == Array(user.utf8)) }
                if let text = fact["description"]?.string { #expect(transaction.description == Array(text.utf8)) }
            }
        }
        let first = try #require(expected.last?.tid), last = try #require(expected.first?.tid)
        try compare(try storage.transactions(from: first, through: last).rest(), expected.reversed(), name)
        try compare(try storage.transactions(from: .none, through: first).rest(), [expected[expected.count - 1]], name)
        #expect(try storage.transactions(from: last.successor, through: .latest).rest().isEmpty)
    }

    private func compare(_ found: [TransactionSummary], _ expected: [TransactionSummary], _ name: String) throws {
        #expect(found.map(\.tid) == expected.map(\.tid), "\(name)")
        for (found, expected) in zip(found, expected) {
            #expect(found.status == expected.status, "\(name) \(found.tid)")
            #expect(found.user == expected.user, "\(name) \(found.tid)")
            #expect(found.description == expected.description, "\(name) \(found.tid)")
            #expect(found.length == nil || found.length == expected.length, "\(name) \(found.tid)")
            // Pickled anew on the way: the same value in other bytes.
            #expect(try text(found.extensionData) == text(expected.extensionData), "\(name) \(found.tid)")
        }
    }

    private func text(_ pickle: [UInt8]) throws -> String {
        guard !pickle.isEmpty else { return "" }
        let document = try PickleDocument(pickle)
        return document.roots.map { document.text($0) }.joined()
    }

    func records(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        let transactions = try file.transactionLog().rest()
        for transaction in transactions {
            let expected = try file.records(of: transaction.tid).records.rest()
            let (summary, records) = try storage.records(of: transaction.tid)
            #expect(summary.tid == transaction.tid)
            #expect(try records.rest() == expected, "\(name) \(transaction.tid)")
        }
        // Given up half-way: the next one is not disturbed.
        let newest = try #require(transactions.first)
        for _ in 0..<3 { _ = try storage.records(of: newest.tid).records.next() }
        #expect(throws: StorageError.noSuchTransaction(newest.tid.predecessor)) {
            try storage.records(of: newest.tid.predecessor)
        }
    }

    func history(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        for record in try file.currentRecords(from: .root).rest() {
            let expected = try file.history(of: record.oid, limit: 1000)
            let found = try storage.history(of: record.oid, limit: 1000)
            #expect(found.map(\.size) == expected.map(\.size), "\(name) \(record.oid)")
            #expect(found.map(\.transaction.tid) == expected.map(\.transaction.tid), "\(name) \(record.oid)")
            #expect(found.map(\.transaction.user) == expected.map(\.transaction.user), "\(name) \(record.oid)")
            #expect(
                found.map(\.transaction.description) == expected.map(\.transaction.description), "\(name) \(record.oid)"
            )
            #expect(
                try storage.history(of: record.oid, limit: 1).map(\.transaction.tid) == [expected[0].transaction.tid])
        }
        let missing = ObjectID(rawValue: 0xdead_beef)
        #expect(throws: StorageError.noSuchObject(missing)) { try storage.history(of: missing, limit: 3) }
    }

    func past(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        var oids = Set(try file.currentRecords(from: .root).rest().map(\.oid))
        let tids = try file.transactionLog().rest().map(\.tid)
        for tid in tids { oids.formUnion(try file.records(of: tid).records.rest().map(\.oid)) }
        let asked = oids.sorted() + [ObjectID(rawValue: 0xdead_beef)]
        for tid in tids + [tids.last?.predecessor ?? .none, .latest] {
            let expected = file.load(asked, at: tid)
            for (oid, (found, expected)) in zip(asked, zip(storage.load(asked, at: tid), expected)) {
                #expect(found == expected, "\(name) \(oid) at \(tid)")
            }
        }
    }

    /// The log of a server that tells of what can be undone and no more, and records that it does not list: those of
    /// objects that still exist.
    func undoable(_ name: String, _ storage: ZEOClientStorage, _ file: FileStorage) throws {
        let log = try file.transactionLog().rest()
        let found = try storage.transactionLog().rest()
        let expected = log.prefix { $0.status != .packed }.filter { $0.status == .complete }
        // An older Python may stop at the time of a pack, before the first transaction that bears its mark.
        #expect(!found.isEmpty, "\(name)")
        if expected.count == log.count { #expect(found.count == expected.count, "\(name)") }
        try compare(found, Array(expected.prefix(found.count)), name)
        let existing = Set(try file.currentRecords(from: .root).rest().map(\.oid))
        for transaction in found.prefix(12) {
            let records = try file.records(of: transaction.tid).records.rest().filter { existing.contains($0.oid) }
            let told = try storage.records(of: transaction.tid)
            #expect(told.transaction.tid == transaction.tid)
            #expect(
                Dictionary(try told.records.rest().map { ($0.oid, $0.data) }) { $1 }
                    == Dictionary(records.filter { $0.data != nil }.map { ($0.oid, $0.data) }) { $1 },
                "\(name) \(transaction.tid)")
        }
    }

    /// All that a server before ZODB 3.9 can do.
    func everythingOld() throws {
        try all(current)
        try all(walk)
        try all(undoable)
        try all(history)
        try all(past)
    }

    func everything() throws {
        try all(current)
        try all(walk)
        try all(log)
        try all(records)
        try all(history)
        try all(past)
    }
}

@Suite("Every sample, served live", .serialized)
struct ServedSampleTests {
    @Test("by ZEO 6.2 with pickle, is what Python says", .needs(.zeo6))
    func zeo6Pickle() throws {
        let checks = try SampleChecks(.zeo6, magic: "FS30")
        #expect(try checks.server.connect("undo").information().kind == "ZEO server, protocol Z5")
        try checks.everything()
    }

    @Test("by ZEO 6.2 with msgpack, is what Python says", .needs(.zeo6))
    func zeo6MessagePack() throws {
        let checks = try SampleChecks(.zeo6, magic: "FS30", messagePack: true)
        #expect(try checks.server.connect("undo").information().kind == "ZEO server, protocol M5")
        try checks.everything()
    }

    @Test("by ZEO 5.4.1, is what Python says", .needs(.zeo5))
    func zeo5() throws {
        try SampleChecks(.zeo5, magic: "FS30").everything()
    }

    @Test("by ZEO 5.4.1 on Python 2.7, is what Python says", .needs(.zeo5Python2))
    func zeo5Python2() throws {
        let checks = try SampleChecks(.zeo5Python2, magic: "FS21")
        #expect(try checks.server.connect("zope213").information().details.contains(.init("server", "Python 2")))
        try checks.everything()
    }

    @Test("by ZEO 4.3.1, is what Python says", .needs(.zeo4))
    func zeo4() throws {
        let checks = try SampleChecks(.zeo4, magic: "FS30")
        #expect(try checks.server.connect("undo").information().kind == "ZEO server, protocol Z4")
        try checks.everything()
    }

    @Test("by ZEO 4.3.1 on Python 2.7, is what Python says", .needs(.zeo4Python2), .onlyInFull)
    func zeo4Python2() throws {
        let checks = try SampleChecks(.zeo4Python2, magic: "FS21")
        #expect(try checks.server.connect("zope213").information().details.contains(.init("server", "Python 2")))
        try checks.everything()
    }

    @Test("by ZODB 3.10.7, is what Python says", .needs(.zodb310), .onlyInFull)
    func zodb310() throws {
        let checks = try SampleChecks(.zodb310, magic: "FS21")
        #expect(try checks.server.connect("zope213").information().kind == "ZEO server, protocol Z3101")
        try checks.everything()
    }

    @Test("by ZODB 3.8.6, is what Python says, as far as it tells", .needs(.zodb38), .onlyInFull)
    func zodb38() throws {
        try SampleChecks(.zodb38, magic: "FS21").everythingOld()
    }

    @Test("by ZODB 3.7.0, is what Python says, as far as it tells", .needs(.zodb37))
    func zodb37() throws {
        let checks = try SampleChecks(.zodb37, magic: "FS21")
        let details = try checks.server.connect("zope213").information().details
        #expect(details.contains(.init("release", "ZODB 3.3.1 to 3.7")))
        #expect(details.contains(.init("open versions", "none")))
        try checks.everythingOld()
    }
}

import Foundation
import Pickle
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("While others commit", .serialized)
struct LiveChangeTests {
    /// Looks until `condition` holds: what others do arrives when it arrives, on a busy machine late.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<2400 {
            if try condition() { return true }
            Thread.sleep(forTimeInterval: 0.025)
        }
        return false
    }

    static func state(_ revision: Revision) throws -> String {
        let record = try ObjectRecord(revision, oid: .root)
        return record.document.text(record.stateSlot)
    }

    func commitIsSeen(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client("root['answer'] = 41; transaction.commit()")
        let storage = try server.connect()
        let before = try storage.lastTransaction()
        let old = try storage.load(.root, at: before)
        #expect(try Self.state(old).contains("41"))
        #expect(try storage.poll().isEmpty)

        try server.client("root['answer'] = 42; transaction.commit()")
        var found: [Invalidation] = []
        #expect(
            try Self.eventually {
                found += try storage.poll()
                return !found.isEmpty
            })
        let after = try storage.lastTransaction()
        #expect(after > before)
        #expect(found == [Invalidation(tid: after, oids: [.root])])
        let new = try storage.load(.root, at: after)
        #expect(try Self.state(new).contains("42"))
        #expect((new.serial, new.next) == (after, nil))
        #expect(try storage.load(.root, at: .latest) == new)
        // The old view is as it was, from the cache and from the server.
        for connection in [storage, try server.connect(cache: 0)] {
            let again = try connection.load(.root, at: before)
            #expect((again.data, again.serial, again.next) == (old.data, old.serial, after))
        }
        #expect(try storage.poll().isEmpty)
        #expect(try storage.ping() < .seconds(60))
    }

    @Test("a commit through ZEO 6.2 is reported, and the old state stays readable", .needs(.zeo6))
    func zeo6() throws { try commitIsSeen(.init(peer: .zeo6)) }

    @Test("a commit through ZEO 6.2 with msgpack is reported, and the old state stays readable", .needs(.zeo6))
    func zeo6MessagePack() throws { try commitIsSeen(.init(peer: .zeo6, messagePack: true)) }

    @Test("a commit through ZEO 5.4.1 is reported, and the old state stays readable", .needs(.zeo5))
    func zeo5() throws { try commitIsSeen(.init(peer: .zeo5)) }

    @Test(
        "a commit through ZEO 5.4.1 on Python 2.7 is reported, and the old state stays readable", .needs(.zeo5Python2))
    func zeo5Python2() throws { try commitIsSeen(.init(peer: .zeo5Python2)) }

    @Test("no load is older than what was announced, and every view is whole", .needs(.zeo6))
    func ordering() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        try server.client(
            """
            from persistent.mapping import PersistentMapping
            root['a'], root['b'] = PersistentMapping(), PersistentMapping()
            root['a']['n'] = root['b']['n'] = 0
            transaction.commit()
            """)
        let storage = try server.connect()
        let pair = [ObjectID(rawValue: 1), ObjectID(rawValue: 2)]
        let committer = Committer(server, count: 150)
        var announced = TransactionID.none
        var looks = 0
        var seen: Set<TransactionID> = []
        while !committer.isDone || looks < 20 {
            looks += 1
            for invalidation in try storage.poll() { announced = max(announced, invalidation.tid) }
            let at = try storage.lastTransaction()
            #expect(at >= announced)
            seen.insert(at)
            // Both are changed by every commit: at any tid they tell the same number.
            let view = try storage.load(pair, at: at).map { try $0.get() }
            #expect(view[0].serial == view[1].serial)
            #expect(view[0].serial <= at)
            #expect(try Self.state(view[0]) == Self.state(view[1]))
            #expect(view[0].serial >= announced || announced == .none)
            let latest = try storage.load(pair, at: .latest).map { try $0.get() }
            #expect(latest.allSatisfy { $0.serial >= announced })
        }
        try committer.finish()
        #expect(seen.count > 3)
        #expect(try Self.eventually { try Self.state(try storage.load(pair[1], at: .latest)).contains("150") })
    }

    @Test("the log has no gap and no repetition, though commits come in between the pages", .needs(.zeo6))
    func logWhileCommitting() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let commits =
            "for n in range(%d):\n    root['n'] = (n, %d); transaction.get().note(u'%d'); transaction.commit()"
        func commit(_ count: Int, _ mark: Int) throws {
            try server.client(
                commits.replacing("range(%d)", with: "range(\(count))").replacing("%d", with: "\(mark)"))
        }
        try commit(130, 1)
        let storage = try server.connect()
        let all = try storage.transactionLog().rest().map(\.tid)
        #expect(all.count == 131)
        #expect(all == all.sorted(by: >))

        let log = try storage.transactionLog()
        var found: [TransactionID] = []
        for _ in 0..<60 { found.append(try #require(try log.next()).tid) }
        try commit(30, 2)
        found += try log.rest().map(\.tid)
        #expect(found == all)

        // After a pack the older ones cannot be undone: they come from an iterator, and the log goes on.
        try server.client("import time; db.pack(time.time()); root['n'] = 'packed'; transaction.commit()")
        let packed = try storage.transactionLog().rest()
        #expect(packed.map(\.status).filter { $0 == .complete }.count == 1)
        #expect(packed.filter { $0.status == .packed }.count == packed.count - 1)
        #expect(packed.map(\.tid) == packed.map(\.tid).sorted(by: >))
        #expect(
            try packed.map(\.tid).reversed() == storage.transactions(from: .none, through: .latest).rest().map(\.tid))
    }

    @Test("a blob comes whole, in chunks, and the connection can do other things meanwhile", .needs(.zeo6))
    func blobs() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""], blobs: true)
        let told = try server.client(
            """
            import ZODB.blob, os
            data = os.urandom(10000000)
            root['big'], root['empty'] = ZODB.blob.Blob(data), ZODB.blob.Blob(b'')
            transaction.commit()
            big, empty = root['big'], root['empty']
            print(big._p_oid.hex(), empty._p_oid.hex(), storage.lastTransaction().hex())
            """
        ).split(whereSeparator: \.isWhitespace).map(String.init)
        let (big, empty) = (try ObjectID(hex: told[0]), try ObjectID(hex: told[1]))
        let serial = try TransactionID(hex: told[2])
        let storage = try server.connect()
        let cursor = try storage.blob(big, serial: serial)
        var data = try #require(try cursor.next())
        // 10 MB are on their way; a load passes by while they wait to be read.
        #expect(try storage.load(.root, at: .latest).serial == serial)
        while let chunk = try cursor.next() { data += chunk }
        let kept = try FileManager.default.subpathsOfDirectory(atPath: server.folder.path).filter {
            $0.hasPrefix("1-blobs/") && $0.hasSuffix("\(big.hex.suffix(2))/0x\(serial.hex).blob")
        }
        let path = server.folder.appending(path: try #require(kept.first))
        #expect(data.count == 10_000_000)
        #expect(try Data(contentsOf: path) == Data(data))
        #expect(try storage.blob(empty, serial: serial).rest().isEmpty)
        #expect(try storage.blobSize(big, serial: serial) == nil)

        let abandoned = try storage.blob(big, serial: serial)
        _ = try abandoned.next()
        #expect(try storage.ping() < .seconds(60))

        try FileManager.default.removeItem(at: server.folder.appending(path: "1-blobs"))
        #expect {
            try storage.blob(big, serial: serial)
        } throws: { error in
            guard case StorageError.noBlob(big, serial, let detail) = error else { return false }
            return detail.hasPrefix("No blob file at ")
        }
    }

    @Test("a storage without blobs says so", .needs(.zeo6))
    func noBlobs() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        let storage = try server.connect()
        #expect {
            try storage.blob(.root, serial: .latest)
        } throws: { error in
            if case StorageError.unsupported = error { true } else { false }
        }
        #expect(storage.isConnected)
    }
}

/// A Python client that commits in the background.
private final class Committer: Sendable {
    private let work: Background<Void>
    private let done = DispatchSemaphore(value: 0)

    init(_ server: PythonServer, count: Int) {
        let peer = server.peer, address = server.pythonAddress, done = done
        work = Background {
            defer { done.signal() }
            _ = try peer.run(
                """
                import ZODB, transaction
                from ZEO.ClientStorage import ClientStorage
                db = ZODB.DB(ClientStorage(\(address), wait_timeout=20))
                root = db.open().root()
                for n in range(1, \(count) + 1):
                    root['a']['n'] = root['b']['n'] = n
                    transaction.commit()
                db.close()
                """)
        }
    }

    var isDone: Bool {
        guard done.wait(timeout: .now()) == .success else { return false }
        done.signal()
        return true
    }

    /// - Throws: what went wrong in Python.
    func finish() throws {
        done.wait()
        done.signal()
    }
}

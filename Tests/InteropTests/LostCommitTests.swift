import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("Connections lost while committing", .serialized)
struct LostCommitTests {
    static func metadata(_ mark: String) -> TransactionMetadata {
        TransactionMetadata(
            "tests", "cut",
            extension: Array("}U\u{B}zeoshell-idU\(Unicode.Scalar(UInt8(mark.utf8.count)))\(mark)s.".utf8))
    }

    static func port(_ server: PythonServer) throws -> Int {
        guard case .port(let port) = server.address else { throw CancellationError() }
        return port
    }

    static func connect(_ proxy: CuttingProxy) throws -> ZEOClientStorage {
        try ZEOClientStorage(
            .host("127.0.0.1", port: proxy.port), .init(readOnly: false, greetingTimeout: .seconds(20)))
    }

    /// Commits a new value of `oid`, expecting the connection to be lost in `finish`; what is found out then, and the
    /// revision that is current for somebody else.
    static func loseFinish(
        _ storage: ZEOClientStorage, _ oid: ObjectID, mark: String, watcher: ZEOClientStorage
    ) throws -> (outcome: CommitOutcome, current: Revision) {
        let base = try storage.load(oid, at: .latest)
        let since = try storage.lastTransaction()
        let data = Record.mapping("mark", mark)
        let transaction = try storage.begin(metadata(mark))
        try transaction.store(data, for: oid, basedOn: base.serial)
        _ = try transaction.vote()
        guard case .lost = try ConnectionTests.failure({ _ = try transaction.finish() }) else {
            throw CancellationError()
        }
        transaction.abort()
        let trace = CommitTrace(
            metadata: metadata(mark), since: since, stores: [.init(oid: oid, data: data)])
        let outcome = try storage.outcome(of: trace)
        _ = try watcher.ping()
        return (outcome, try watcher.load(oid, at: .latest))
    }

    @Test(
        "cut at any byte of tpc_finish, or before its answer, the commit's outcome is found and true",
        arguments: ServerKind.newest)
    func everyByte(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (_, oid, _) = try WritingTests.prepare(server)
        let proxy = try CuttingProxy(to: try Self.port(server))
        let storage = try Self.connect(proxy)
        let watcher = try server.connect()
        let length = Frame.bytes(
            Message(id: .integer(100), name: "tpc_finish", arguments: .tuple([.integer(10)]))
                .body(in: kind.messagePack ? .messagePack : .pickle)
        ).count
        var committed = 0
        for position in Array(0...length) + [-1, -1] {
            let mark = "m\(position)-\(committed)"
            let before = try watcher.load(oid, at: .latest)
            proxy.arm(position < 0 ? .afterAnswer(to: "tpc_finish") : .at(position, of: "tpc_finish"))
            let (outcome, current) = try Self.loseFinish(storage, oid, mark: mark, watcher: watcher)
            #expect(proxy.hasCut)
            if current.data == Record.mapping("mark", mark) {
                #expect(outcome == .committed(current.serial), "\(position)")
                committed += 1
            } else {
                #expect(outcome == .notCommitted, "\(position)")
                #expect(current == before)
            }
            // The last byte makes the message; whether it was looked at before the end is the server's affair.
            if position >= 0, position < length { #expect(outcome == .notCommitted, "\(position)") }
            if position < 0 { #expect(outcome == .committed(current.serial)) }
            // What the lost commit did is known to the one who made it.
            #expect(try storage.load(oid, at: .latest) == current)
            #expect(try storage.lastTransaction() >= current.serial)
        }
        #expect(committed >= 2)
    }

    @Test("lost before the vote, or at it, nothing was written, and the same storage goes on", .needs(.zeo6))
    func beforeTheVote() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (_, oid, tid) = try WritingTests.prepare(server)
        let proxy = try CuttingProxy(to: try Self.port(server))
        let storage = try Self.connect(proxy)
        for word in ["tpc_begin", "storea", "vote"] {
            proxy.arm(.at(7, of: word))
            // Nothing waits for an answer before the vote, so the loss may be heard of earlier, by any of them.
            var abort = {}
            #expect {
                let transaction = try storage.begin(.plain)
                abort = { transaction.abort() }
                try transaction.store(Record.mapping("k", "lost"), for: oid, basedOn: tid)
                _ = try transaction.vote()
            } throws: { error in
                guard case StorageError.connection(.lost(_, let why)) = error else { return false }
                return why.hasSuffix("nothing was written")
            }
            abort()
            #expect(try storage.load(oid, at: .latest).serial == tid)
        }
    }

    @Test("lost among many stores, nothing was written, and whoever hears of it can commit at once", .needs(.zeo6))
    func amongStores() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        var (_, oid, tid) = try WritingTests.prepare(server)
        let proxy = try CuttingProxy(to: try Self.port(server))
        let storage = try Self.connect(proxy)
        let large = Record.mapping("k", size: 500_000)
        for round in 0..<20 {
            let oids = try storage.newObjectIDs(100)
            proxy.arm(.at(7, of: "storea"))
            let transaction = try storage.begin(.plain)
            #expect {
                for oid in oids { try transaction.store(large, for: oid, basedOn: .none) }
            } throws: { error in
                if case StorageError.connection(.lost) = error { true } else { false }
            }
            #expect(proxy.hasCut)
            transaction.abort()
            tid = try storage.commit([(oid, Record.mapping("k", "kept \(round)"), tid)])
            #expect(try storage.load(oid, at: .latest).serial == tid)
        }
    }

    @Test("a server killed after the vote has not committed; back again it says so and takes the next", .needs(.zeo6))
    func killedServer() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (_, oid, tid) = try WritingTests.prepare(server)
        let storage = try server.connect(writable: true)
        let transaction = try storage.begin(Self.metadata("killed"))
        try transaction.store(Record.mapping("k", "killed"), for: oid, basedOn: tid)
        _ = try transaction.vote()
        server.kill()
        guard case .lost = try ConnectionTests.failure({ _ = try transaction.finish() }) else {
            throw CancellationError()
        }
        let trace = CommitTrace(
            metadata: Self.metadata("killed"), since: tid,
            stores: [.init(oid: oid, data: Record.mapping("k", "killed"))])
        guard case .refused = try ConnectionTests.failure({ _ = try storage.outcome(of: trace) }) else {
            throw CancellationError()
        }
        transaction.abort()
        try server.start()
        #expect(try storage.outcome(of: trace) == .notCommitted)
        let made = try storage.commit([(oid, Record.mapping("k", "again"), tid)])
        #expect(try server.client("print(root['mapping']['k'])") == "again\n")
        #expect(try storage.lastTransaction() == made)
    }

    @Test(
        "a server that hangs is waited for so long as was said: at the vote nothing was written, at the end nobody knows",
        arguments: ServerKind.newest)
    func hangingServer(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (_, oid, tid) = try WritingTests.prepare(server)
        let storage = try ZEOClientStorage(
            server.endpoint,
            .init(readOnly: false, greetingTimeout: .seconds(20), replyTimeout: .seconds(4), cacheCapacity: 0))
        let voting = try storage.begin(Self.metadata("v"))
        try voting.store(Record.mapping("k", "vote"), for: oid, basedOn: tid)
        server.pause()
        #expect(
            try ConnectionTests.failure { _ = try voting.vote() } == .silent(address: storage.name, seconds: 4))
        voting.abort()
        server.resume()
        // The server was told to forget it, and gives the next one its turn.
        let transaction = try #require(
            try Self.patiently { () -> (any StorageTransaction)? in
                let transaction = try storage.begin(Self.metadata("f"))
                try transaction.store(Record.mapping("k", "finish"), for: oid, basedOn: tid)
                do {
                    _ = try transaction.vote()
                    return transaction
                } catch StorageError.connection {
                    transaction.abort()
                    return nil
                }
            })
        server.pause()
        let failure = try ConnectionTests.failure { _ = try transaction.finish() }
        guard case .lost(_, let why) = failure else { throw CancellationError() }
        #expect(why == "the server has not confirmed the commit within 4 s, and we did not wait any longer")
        server.resume()
        let trace = CommitTrace(
            metadata: Self.metadata("f"), since: tid, stores: [.init(oid: oid, data: Record.mapping("k", "finish"))])
        let outcome = try #require(
            try Self.patiently { () -> CommitOutcome? in
                do {
                    return try storage.outcome(of: trace)
                } catch StorageError.connection {
                    return nil
                }
            })
        // Whether it heard the end before the connection's is the server's affair; what is found out is true.
        let current = try storage.load(oid, at: .latest)
        switch outcome {
        case .committed(let made): #expect(current.serial == made)
        case .notCommitted: #expect(current.serial == tid)
        case .unknown(let why): Issue.record("\(why)")
        }
    }

    /// Tries until there is a value: a server that goes on after a pause may be slow at first.
    private static func patiently<Value>(_ body: () throws -> Value?) throws -> Value? {
        for _ in 0..<20 {
            if let value = try body() { return value }
        }
        return nil
    }

    @Test(
        "who takes longer than the server's transaction-timeout is disconnected, and has not committed", .needs(.zeo6))
    func transactionTimeout() throws {
        // Commits that are no part of the experiment have to be done in that time, on a busy machine too.
        let server = try PythonServer(.zeo6, serving: ["1": ""], options: " transaction-timeout 5")
        let (_, oid, tid) = try WritingTests.prepare(server)
        let interruption = Interruption()
        let storage = try server.connect(writable: true, interruption: interruption)
        let transaction = try storage.begin(Self.metadata("slow"))
        try transaction.store(Record.mapping("k", "slow"), for: oid, basedOn: tid)
        _ = try transaction.vote()
        #expect(LiveChangeTests.eventually { server.logText.contains("Transaction timeout after 5 seconds") })
        guard case .lost = try ConnectionTests.failure({ _ = try transaction.finish() }) else {
            throw CancellationError()
        }
        let trace = CommitTrace(
            metadata: Self.metadata("slow"), since: tid,
            stores: [.init(oid: oid, data: Record.mapping("k", "slow"))])
        // Python's servers then keep the lock for good (seen with 5.4.1 and 6.2): the user's patience ends the wait.
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.5)
            interruption.raise()
        }
        #expect(throws: StorageError.interrupted) { try storage.outcome(of: trace) }
        interruption.clear()
        server.kill()
        try server.start()
        #expect(try storage.outcome(of: trace) == .notCommitted)
        try storage.commit([(oid, Record.mapping("k", "fast"), tid)])
    }
}

import Synchronization
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB

/// The races that spoiled the caches of ZEO's clients, told anew.
///
/// zopefoundation/ZEO issues 155 and 209: a load that is answered from before a commit arrives after the commit's
/// invalidation, and is cached as current; or is answered from after it, before the invalidation, and a view of the
/// past shows the future. Issue 166: `lastTransaction`, or `register` at a reconnection, tells a tid whose invalidations
/// have not been sent or never are.
@Suite("Replies and invalidations never overtake each other")
struct OrderingTests {
    private static let oids = (1...8).map { ObjectID(rawValue: UInt64($0)) }

    /// What a client knows from the messages so far.
    struct Knowledge {
        /// The last tid that it was told of.
        var seen: TransactionID
        /// All tids of invalidations, in order.
        var told: [TransactionID] = []
        /// For each object the last tid of an invalidation.
        var changed: [ObjectID: TransactionID] = [:]
        var problems: [String] = []

        mutating func take(_ message: Message) {
            guard message.name == "invalidateTransaction", let parts = message.arguments.elements,
                let tid = parts[0].rawBytes.flatMap({ TransactionID(bytes: $0) })
            else { return }
            if tid <= seen { problems.append("invalidation of \(tid) after that of \(seen)") }
            seen = tid
            told.append(tid)
            for value in parts[1].elements ?? [] {
                if let oid = (value.rawBytes ?? value.elements?.first?.rawBytes).flatMap({ ObjectID(bytes: $0) }) {
                    changed[oid] = tid
                }
            }
        }
    }

    private func storage() throws -> MemoryStorage {
        let storage = MemoryStorage()
        try storage.commit([(.root, Records.mapping(0))] + Self.oids.map { ($0, Records.mapping(0)) })
        return storage
    }

    /// Loads all objects again and again until `isOver`, several at a time, and checks every answer.
    private static func watch(
        _ server: RunningServer, _ dialect: Dialect, python2: Bool, reconnects: Bool, _ isOver: @Sendable () -> Bool
    ) throws -> (knowledge: Knowledge, answers: Int) {
        var answers = 0
        var knowledge = Knowledge(seen: .none)
        var rounds = 0
        repeat {
            let client = try server.client(dialect, python2: python2, readOnly: true)
            var own = Knowledge(seen: .none)
            if let tid = client.registered.rawBytes.flatMap({ TransactionID(bytes: $0) }) {
                own.seen = tid
                for notice in client.notices { own.take(notice) }
            } else {
                // Up to generation 4 this comes next; invalidations that come before it are of before it.
                let last = try #require(try client.lastTransaction())
                for notice in client.notices { own.take(notice) }
                if own.seen > last { own.problems.append("lastTransaction is behind an invalidation") }
                own.seen = max(own.seen, last)
            }
            client.notices = []
            let end = reconnects ? 20 : Int.max
            var turn = 0
            while !isOver(), turn < end {
                turn += 1
                try lookOnce(client, &own, &answers)
            }
            // All that is under way.
            _ = try client.lastTransaction()
            for notice in client.notices { own.take(notice) }
            knowledge.problems += own.problems
            knowledge.seen = max(knowledge.seen, own.seen)
            if !reconnects { knowledge.told = own.told }
            rounds += 1
        } while !isOver()
        return (knowledge, answers)
    }

    private static func lookOnce(_ client: ZEOClient, _ own: inout Knowledge, _ answers: inout Int) throws {
        // What is known when a call is sent is the least that its answer may show.
        var asked: [WireValue: (oid: ObjectID?, least: TransactionID)] = [:]
        for oid in oids {
            let id = client.send(client.loadName, client.loadArguments(oid))
            asked[id] = (oid, own.changed[oid] ?? .none)
        }
        asked[client.send("lastTransaction", [])] = (nil, own.seen)
        let since = own.seen
        let invalidations = client.send("getInvalidations", [.bytes(since.bytes)])
        asked[invalidations] = (nil, own.seen)
        while !asked.isEmpty {
            let message = try client.receive()
            guard message.isReply else {
                own.take(message)
                continue
            }
            guard let (oid, least) = asked.removeValue(forKey: message.id) else {
                own.problems.append("an answer to nothing")
                continue
            }
            answers += 1
            let shown: TransactionID?
            if oid != nil {
                shown = try ZEOClient.revision(message).serial
            } else if message.id == invalidations {
                shown = message.arguments.elements?.first?.rawBytes.flatMap { TransactionID(bytes: $0) }
            } else {
                shown = message.arguments.rawBytes.flatMap { TransactionID(bytes: $0) }
            }
            guard let shown else {
                own.problems.append("\(message.arguments)")
                continue
            }
            if shown < least { own.problems.append("\(shown) was shown after the invalidation of \(least)") }
            if shown > own.seen {
                own.problems.append("\(shown) was shown before its invalidation; told was \(own.seen)")
            }
        }
    }

    /// Commits `count` times, objects of its own and one that all change; checks what it is told itself.
    private static func commit(
        _ server: RunningServer, _ dialect: Dialect, _ number: Int, _ count: Int
    ) throws -> (tids: [TransactionID], problems: [String]) {
        let client = try server.client(dialect)
        var own = Knowledge(seen: .none)
        var tids: [TransactionID] = []
        var problems: [String] = []
        var serials: [ObjectID: TransactionID] = [:]
        for oid in oids { serials[oid] = try ZEOClient.revision(try client.load(oid)).serial }
        for notice in client.notices { own.take(notice) }
        client.notices = []
        for turn in 0..<count {
            let id = Int64(turn + 1)
            let mine = [oids[number * 2], oids[number * 2 + 1]]
            try client.begin(id, mine.map { ($0, serials[$0] ?? .none, Records.mapping(UInt8(turn % 250))) })
            if let failure = try client.vote(id) {
                problems.append("vote: \(failure)")
                break
            }
            let finish = client.send("tpc_finish", [.integer(id)])
            for notice in client.notices { own.take(notice) }
            client.notices = []
            while true {
                let message = try client.receive()
                guard message.isReply else {
                    own.take(message)
                    continue
                }
                guard message.id == finish, let tid = message.arguments.rawBytes.flatMap({ TransactionID(bytes: $0) })
                else {
                    problems.append("tpc_finish: \(message.arguments)")
                    break
                }
                // In its place among the others'.
                if tid <= own.seen { problems.append("finished \(tid) after being told of \(own.seen)") }
                own.seen = tid
                tids.append(tid)
                for oid in mine { serials[oid] = tid }
                break
            }
        }
        if !Set(own.told).isDisjoint(with: tids) { problems.append("was told of its own transaction") }
        return (tids, problems + own.problems)
    }

    @Test(
        "clients of every age load what others commit: nothing is shown before its invalidation, nothing stale after it",
        arguments: [1, 2])
    func races(threads: Int) throws {
        var policy = ServicePolicy()
        policy.threads = threads
        // A client that is slow to read may be far behind.
        policy.invalidationQueueSize = 100_000
        let server = try RunningServer(try storage(), policy: policy)
        try withExtendedLifetime(server) {
            let over = Shared(running: 4)
            let committers = [Dialect.z5, .m5, Dialect(.v4, .pickle), Dialect(.v308, .pickle)].enumerated().map {
                number, dialect in
                Background {
                    defer { over.oneLess() }
                    return try Self.commit(server, dialect, number, 60)
                }
            }
            let watchers = [
                (Dialect.z5, false), (.z5, true), (.m5, false), (Dialect(.v4, .pickle), false),
                (Dialect(.v4, .pickle), true),
                (Dialect(.v3101, .pickle), true), (Dialect(.v308, .pickle), true), (Dialect(.v201, .pickle), true),
            ].map { dialect, python2 in
                Background { try Self.watch(server, dialect, python2: python2, reconnects: false) { over.isOver } }
            }
            let comers = [Dialect.z5, Dialect(.v4, .pickle)].map { dialect in
                Background { try Self.watch(server, dialect, python2: false, reconnects: true) { over.isOver } }
            }
            var all: [TransactionID] = []
            for committer in committers {
                let (tids, problems) = try committer.result()
                #expect(problems.isEmpty, "\(problems.prefix(3))")
                #expect(tids.count == 60)
                all += tids
            }
            for watcher in watchers {
                let (knowledge, answers) = try watcher.result()
                #expect(knowledge.problems.isEmpty, "\(knowledge.problems.prefix(3))")
                #expect(answers > 0)
                // Once told, told of all that came after.
                let first = knowledge.told.first ?? .latest
                #expect(knowledge.told == all.filter { $0 >= first }.sorted())
            }
            for comer in comers {
                let (knowledge, _) = try comer.result()
                #expect(knowledge.problems.isEmpty, "\(knowledge.problems.prefix(3))")
            }
        }
    }

    @Test("the same with a Data.fs")
    func dataFile() throws {
        let folder = try TemporaryFolder()
        let storage = try folder.dataFile()
        try storage.commit([(.root, Records.mapping(0))] + Self.oids.map { ($0, Records.mapping(0)) })
        var policy = ServicePolicy()
        policy.invalidationQueueSize = 100_000
        let server = try RunningServer(storage, policy: policy)
        let over = Shared(running: 2)
        let committers = (0..<2).map { number in
            Background {
                defer { over.oneLess() }
                return try Self.commit(server, .z5, number, 40)
            }
        }
        let watchers = [Dialect.z5, Dialect(.v4, .pickle)].map { dialect in
            Background { try Self.watch(server, dialect, python2: false, reconnects: false) { over.isOver } }
        }
        for committer in committers {
            let (tids, problems) = try committer.result()
            #expect(problems.isEmpty, "\(problems.prefix(3))")
            #expect(tids.count == 40)
        }
        for watcher in watchers {
            let (knowledge, _) = try watcher.result()
            #expect(knowledge.problems.isEmpty, "\(knowledge.problems.prefix(3))")
        }
    }

    /// How many committers are still at it.
    final class Shared: Sendable {
        private let running: Atomic<Int>

        init(running: Int) { self.running = Atomic(running) }

        var isOver: Bool { running.load(ordering: .acquiring) == 0 }
        func oneLess() { running.subtract(1, ordering: .acquiringAndReleasing) }
    }

    // MARK: While the disk is waited for

    @Test(
        "while a commit waits for the disk others load, see the old state, and are told nothing",
        arguments: SlowStorage.Manner.allCases)
    func slowDisk(manner: SlowStorage.Manner) throws {
        let storage = try SlowStorage(manner, [(.root, Records.mapping(0)), (Self.oids[0], Records.mapping(0))])
        let server = try RunningServer(storage)
        let committer = try server.client(), reader = try server.client(),
            old = try server.client(Dialect(.v4, .pickle), python2: true)
        let serial = try ZEOClient.revision(try committer.load(Self.oids[0])).serial
        try committer.begin(1, [(Self.oids[0], serial, Records.mapping(1))])
        #expect(try committer.vote(1) == nil)
        let finish = committer.send("tpc_finish", [.integer(1)])
        storage.waitForFinish()
        for client in [reader, old] {
            for _ in 0..<20 { #expect(try ZEOClient.revision(try client.load(Self.oids[0])).serial == serial) }
            #expect(try client.lastTransaction() == serial)
            #expect(client.notices.isEmpty)
        }
        // The committer's own loads are answered too, and its end is not yet there.
        #expect(try ZEOClient.revision(try committer.load(Self.oids[0])).serial == serial)
        #expect(committer.notices.isEmpty)
        storage.letGo()
        let reply = try committer.answer()
        #expect(reply.id == finish)
        let tid = try #require(reply.arguments.rawBytes.flatMap { TransactionID(bytes: $0) })
        for client in [reader, old] {
            #expect(try client.notice("invalidateTransaction").first?.rawBytes == tid.bytes)
            #expect(try ZEOClient.revision(try client.load(Self.oids[0])).serial == tid)
        }
    }

    @Test("several transactions on their way to the disk are answered and told in order, each when it is there")
    func groupCommit() throws {
        let storage = try SlowStorage(.pipelined, [(.root, Records.mapping(0))])
        let server = try RunningServer(storage)
        let watcher = try server.client()
        let committers = try (0..<4).map { _ in try server.client() }
        var finishes: [WireValue] = []
        // Each votes while those before it still wait for the disk.
        for (index, client) in committers.enumerated() {
            try client.begin(1, [(ObjectID(rawValue: 100 + UInt64(index)), .none, Records.mapping(1))])
            #expect(try client.vote(1) == nil)
            finishes.append(client.send("tpc_finish", [.integer(1)]))
            try client.call("ping")
        }
        #expect(committers.allSatisfy { $0.notices.isEmpty })
        var tids: [TransactionID] = []
        for (index, client) in committers.enumerated() {
            storage.letGo()
            let reply = try client.answer()
            #expect(reply.id == finishes[index])
            tids.append(try #require(reply.arguments.rawBytes.flatMap { TransactionID(bytes: $0) }))
            // Those that come later have not been answered.
            for later in committers.dropFirst(index + 1) {
                try later.call("ping")
                #expect(later.notices.filter { $0.name == "info" }.isEmpty)
            }
        }
        #expect(tids == tids.sorted())
        let told = try (0..<4).map { _ in try watcher.notice("invalidateTransaction").first?.rawBytes }
        #expect(told == tids.map(\.bytes))
    }

    @Test("a client that dies while its transaction is on its way to the disk has committed, and others are told")
    func deathAtTheDisk() throws {
        let storage = try SlowStorage(.pipelined, [(.root, Records.mapping(0))])
        let server = try RunningServer(storage)
        let watcher = try server.client(), committer = try server.client()
        let oid = ObjectID(rawValue: 77)
        try committer.begin(1, [(oid, .none, Records.mapping(1))])
        #expect(try committer.vote(1) == nil)
        committer.send("tpc_finish", [.integer(1)])
        storage.waitForFinish()
        committer.raw.hangUp()
        while try watcher.call("server_status").arguments["connections"]?.integer != 1 {}
        storage.letGo()
        let tid = try #require(try watcher.notice("invalidateTransaction").first?.rawBytes)
        #expect(try ZEOClient.revision(try watcher.load(oid)).serial.bytes == tid)
        // The lock is free.
        storage.letGo()
        try watcher.commit(1, [(ObjectID(rawValue: 78), .none, Records.mapping(1))])
    }
}

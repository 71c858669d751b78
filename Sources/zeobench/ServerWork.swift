import Foundation
import ZEOProtocol
import ZODB

/// What one row of `zeobench server` does to a server: returns how many operations it did, and in how many seconds.
enum ServerWork {
    struct Done {
        var operations: Int
        var seconds: Double
        /// Microseconds of single operations, where they were looked at one by one.
        var latencies: [Double] = []
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// `loadBefore` of random objects as Python's clients ask it, the id a pair of oid and tid.
    private static func load(_ oid: ObjectID) -> [UInt8] {
        let tid = TransactionID.latest
        let pair = WireValue.tuple([.bytes(oid.bytes), .bytes(tid.bytes)])
        return Frame.bytes(Message(id: pair, name: "loadBefore", arguments: pair).body(in: .pickle))
    }

    /// Loads of random objects: so many connections, so many requests under way on each.
    static func loads(_ port: Int, _ oids: [ObjectID], connections: Int, depth: Int, seconds: Double) throws -> Done {
        let clients = try (0..<connections).map { _ in try WireConnection(port: port) }
        let requests = oids.shuffled().prefix(20_000).map(load)
        var place = 0
        func batch(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            for _ in 0..<count {
                bytes += requests[place]
                place = (place + 1) % requests.count
            }
            return bytes
        }
        for client in clients { client.send(batch(depth)) }
        var polls = clients.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        var done = Done(operations: 0, seconds: 0)
        let start = now()
        while now() - start < seconds {
            poll(&polls, nfds_t(polls.count), 1000)
            for (index, client) in clients.enumerated() where polls[index].revents != 0 {
                try client.fill()
                let count = client.takeAll()
                done.operations += count
                if count > 0 { client.send(batch(count)) }
            }
        }
        done.seconds = now() - start
        return done
    }

    /// One load after the other on one connection.
    static func latency(_ port: Int, _ oids: [ObjectID], seconds: Double) throws -> Done {
        let client = try WireConnection(port: port)
        let requests = oids.shuffled().prefix(5000).map(load)
        var done = Done(operations: 0, seconds: 0)
        let start = now()
        while now() - start < seconds {
            let began = now()
            client.send(requests[done.operations % requests.count])
            _ = try client.next()
            done.latencies.append((now() - began) * 1e6)
            done.operations += 1
        }
        done.seconds = now() - start
        return done
    }

    /// A client that rewrites its own objects.
    private final class Committer {
        enum Step { case voting, finishing }

        let client: WireConnection
        let oids: [ObjectID]
        var serial = TransactionID.none
        var step = Step.voting
        private static let record: [UInt8] =
            Array("cpersistent.mapping\nPersistentMapping\n.}U\u{4}data}U\u{1}kT".utf8) + [0xe8, 3, 0, 0]
            + [UInt8](repeating: UInt8(ascii: "x"), count: 1000) + Array("ss.".utf8)

        init(_ port: Int, objects: Int) throws {
            client = try WireConnection(port: port)
            var oids: [ObjectID] = []
            while oids.count < objects {
                client.send(WireConnection.call(2, "new_oids", [.integer(100)]))
                oids += try client.reply().elements?.compactMap { $0.rawBytes.flatMap { ObjectID(bytes: $0) } } ?? []
            }
            self.oids = Array(oids.prefix(objects))
        }

        func begin() {
            var bytes = WireConnection.call(
                0, "tpc_begin",
                [.integer(7), .bytes(Array("bench".utf8)), .bytes([]), .dict([]), .none, .string(" ")],
                isOneWay: true)
            for oid in oids {
                bytes += WireConnection.call(
                    0, "storea", [.bytes(oid.bytes), .bytes(serial.bytes), .bytes(Self.record), .integer(7)],
                    isOneWay: true)
            }
            client.send(bytes + WireConnection.call(3, "vote", [.integer(7)]))
            step = .voting
        }

        /// Takes one message; true at the end of a transaction.
        func advance(_ body: [UInt8]) throws -> Bool {
            let message = try Message(body, encoding: .pickle)
            guard message.isReply else { return false }
            guard !message.isException else {
                throw WireConnection.Failed(description: "the server says \(message.arguments)")
            }
            if step == .voting {
                client.send(WireConnection.call(4, "tpc_finish", [.integer(7)]))
                step = .finishing
                return false
            }
            serial = message.arguments.rawBytes.flatMap { TransactionID(bytes: $0) } ?? serial
            return true
        }
    }

    /// Commits of `objects` objects of 1 kB each, by several clients at a time.
    static func commits(_ port: Int, clients count: Int, objects: Int, seconds: Double) throws -> Done {
        let committers = try (0..<count).map { _ in try Committer(port, objects: objects) }
        var polls = committers.map { pollfd(fd: $0.client.descriptor, events: Int16(POLLIN), revents: 0) }
        for committer in committers { committer.begin() }
        var done = Done(operations: 0, seconds: 0)
        let start = now()
        while now() - start < seconds {
            poll(&polls, nfds_t(polls.count), 1000)
            for (index, committer) in committers.enumerated() where polls[index].revents != 0 {
                if try committer.advance(try committer.client.next()) {
                    done.operations += 1
                    committer.begin()
                }
                // What came with it.
                while let body = committer.client.buffered() {
                    if try committer.advance(body) {
                        done.operations += 1
                        committer.begin()
                    }
                }
            }
        }
        done.seconds = now() - start
        return done
    }

    /// One client commits; how long until the last of many others has heard of it.
    static func invalidations(_ port: Int, subscribers count: Int, seconds: Double) throws -> Done {
        let subscribers = try (0..<count).map { _ in try WireConnection(port: port) }
        let committer = try Committer(port, objects: 1)
        var done = Done(operations: 0, seconds: 0)
        let start = now()
        while now() - start < seconds {
            committer.begin()
            while committer.step == .voting { _ = try committer.advance(try committer.client.next()) }
            let began = now()
            while try !committer.advance(try committer.client.next()) {}
            for subscriber in subscribers { _ = try subscriber.next() }
            done.latencies.append((now() - began) * 1e6)
            done.operations += 1
        }
        done.seconds = now() - start
        return done
    }

    /// Connections made and registered, all kept until the end.
    static func connects(_ port: Int, count: Int) throws -> (Done, [WireConnection]) {
        let start = now()
        let clients = try (0..<count).map { _ in try WireConnection(port: port) }
        return (Done(operations: count, seconds: now() - start), clients)
    }
}

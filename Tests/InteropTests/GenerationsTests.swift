import Foundation
import TestSupport
import Testing

/// A real ZODB client of one generation, driven by a test (see `generations.py`).
final class GenerationClient {
    let peer: PythonPeer
    private let program: PythonProgram

    init(_ peer: PythonPeer, on server: ZEOServerProcess, blobs: Bool = false) throws {
        self.peer = peer
        let folder = server.folder.appending(path: "client-\(UUID().uuidString.prefix(8))").path
        program = try PythonProgram(
            peer, "generations.py", ["127.0.0.1", "\(server.port)"] + (blobs ? [folder] : []))
    }

    struct Refused: Error, CustomStringConvertible {
        let peer: PythonPeer
        let answer: JSONValue
        var kinds: [String] { answer["kinds"]?.elements.compactMap(\.string) ?? [] }
        var description: String {
            "\(peer): \(answer["error"]?.string ?? "no error"): \(answer["message"]?.string ?? "")"
        }
    }

    /// What it answers. - Throws: `Refused` when it raised.
    @discardableResult
    func callAsFunction(_ command: String, _ arguments: [String: any Sendable] = [:]) throws -> JSONValue {
        let line = try JSONSerialization.data(withJSONObject: arguments.merging(["do": command]) { $1 })
        let answer = try JSONValue(parsing: program.ask(String(decoding: line, as: UTF8.self)).utf8)
        guard let value = answer["ok"] else { throw Refused(peer: peer, answer: answer) }
        return value
    }

    func has(_ feature: String) throws -> Bool { try self("features")[feature] == .bool(true) }
}

@Suite("Clients of every generation at once", .serialized)
struct GenerationsTests {
    static let peers: [PythonPeer] = [
        .zodb38, .zodb310, .zeo4Python2, .zeo4, .zeo5Python2, .zeo5, .zeo6,
    ]

    /// All of them, connected to one server, with the objects made by the oldest.
    struct Meeting {
        let server: ZEOServerProcess
        let clients: [GenerationClient]
        /// Name to oid.
        let oids: JSONValue

        init(blobs: Bool = false) throws {
            server = try ZEOServerProcess(blobs: blobs)
            let first = try GenerationClient(GenerationsTests.peers[0], on: server, blobs: blobs)
            oids = try first("prepare", ["blob": blobs])
            clients =
                try [first]
                + GenerationsTests.peers.dropFirst().map { [server] in
                    try GenerationClient($0, on: server, blobs: blobs)
                }
        }

        func oid(_ name: String) throws -> String { try #require(oids[name]?.string) }
    }

    @Test("each commits, and all others see it; what they add to one number is all there", .needs(peers))
    func commits() throws {
        let meeting = try Meeting()
        for client in meeting.clients {
            try client("set", ["key": client.peer.name, "value": "by \(client.peer.name)"])
            for other in meeting.clients {
                try other("wait", ["key": client.peer.name, "value": "by \(client.peer.name)"])
            }
        }
        // All have read the number before any adds to it: the server merges what they store.
        for client in meeting.clients {
            try client("begin")
            #expect(try client("length").int == 0)
        }
        for client in meeting.clients { try client("add", ["number": 1]) }
        for client in meeting.clients { try client("wait_for_length", ["value": meeting.clients.count]) }
        // The same for keys of a tree.
        for client in meeting.clients { try client("begin") }
        for client in meeting.clients {
            try client("put", ["key": "merged \(client.peer.name)", "value": 1])
            try client("commit")
        }
        for client in meeting.clients {
            for other in meeting.clients { try client("wait", ["key": "merged \(other.peer.name)", "value": 1]) }
        }
    }

    @Test("who was overtaken hears of a conflict, with object and serials", .needs(peers))
    func conflicts() throws {
        let meeting = try Meeting()
        let oid = try meeting.oid("plain")
        var last: String?
        for (number, client) in meeting.clients.enumerated() {
            // What a client has cached is current once it has heard of the last change.
            var read = JSONValue.null
            _ = try LiveChangeTests.eventually {
                read = try client("load", ["oid": oid])
                return last == nil || read["serial"]?.string == last
            }
            let (serial, data) = (try #require(read["serial"]?.string), try #require(read["data"]?.string))
            let other = meeting.clients[(number + 1) % meeting.clients.count]
            let tid = try other("store", ["oid": oid, "serial": serial, "data": data])
            do {
                try client("store", ["oid": oid, "serial": serial, "data": data])
                Issue.record("\(client.peer) overwrote a change")
            } catch let refused as GenerationClient.Refused {
                #expect(refused.kinds.contains("ConflictError"), "\(refused)")
                #expect(refused.answer["oid"]?.string == oid, "\(refused)")
                #expect(
                    refused.answer["serials"]?.elements == [tid, .string(serial)], "\(refused)")
            }
            // It goes on, and so does everybody else.
            last = try client("store", ["oid": oid, "serial": tid.string ?? "", "data": data]).string
        }
    }

    @Test("each that knows undo undoes, all see the past return; all tell the same history", .needs(peers))
    func past() throws {
        let meeting = try Meeting()
        for (number, client) in meeting.clients.enumerated() where try client.has("undo") {
            try client("set", ["key": "undone", "value": number])
            try client("set", ["key": "undone", "value": "a mistake", "note": "of \(client.peer.name)"])
            #expect(try client("log", ["count": 1]).elements.first?["description"]?.string == "of \(client.peer.name)")
            try client("undo_last")
            for other in meeting.clients { try other("wait", ["key": "undone", "value": number]) }
        }
        let oid = try meeting.oid("values")
        let histories = try meeting.clients.map { try $0("history", ["oid": oid]) }
        #expect(histories[0].elements.count > 3 * 5)
        for (client, history) in zip(meeting.clients, histories) {
            #expect(history == histories[0], "\(client.peer)")
        }
        let walks = try meeting.clients.filter { try $0.has("iterator") }.map { try $0("iterate") }
        #expect(walks.count > 4)
        for walk in walks { #expect(walk == walks[0]) }
    }

    @Test("each writes a blob, and all others read it", .needs(peers))
    func blobs() throws {
        let meeting = try Meeting(blobs: true)
        for client in meeting.clients {
            try client("blob_put", ["text": "of \(client.peer.name)"])
            for other in meeting.clients { try other("blob_wait", ["text": "of \(client.peer.name)"]) }
        }
    }

    /// On Python 2.7 its client loses the connection when an answer is an exception: so it has no conflicts here.
    @Test("ZODB 3.7 reads and commits beside the newest", .needs([.zodb37, .zodb310, .zeo6]))
    func oldest() throws {
        let server = try ZEOServerProcess()
        let maker = try GenerationClient(.zodb310, on: server)
        try maker("prepare")
        let (old, new) = (try GenerationClient(.zodb37, on: server), try GenerationClient(.zeo6, on: server))
        for number in 0..<5 {
            try old("set", ["key": "old", "value": number])
            try new("wait", ["key": "old", "value": number])
            try new("set", ["key": "new", "value": number])
            try old("wait", ["key": "new", "value": number])
        }
    }

    @Test("all see the server return after a restart, and go on", .needs(peers))
    func restart() throws {
        let meeting = try Meeting()
        try meeting.clients[0]("set", ["key": "before", "value": 1])
        for client in meeting.clients { try client("wait", ["key": "before", "value": 1]) }
        #expect(try meeting.server.terminate() == 0)
        try meeting.server.start()
        for client in meeting.clients {
            // A client may find out only now that its connection is gone.
            try client("wait_for_connection")
            try client("set", ["key": "after", "value": client.peer.name])
            for other in meeting.clients {
                try other("wait_for_connection")
                try other("wait", ["key": "after", "value": client.peer.name])
            }
        }
    }
}

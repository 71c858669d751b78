internal import NIOCore
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// The clients of one event loop, and the buffer into which they are answered. Belongs to the loop.
final class LoopClients {
    /// What is written before it is sent, at most, in bytes.
    static let flushSize = 1 << 20

    let index: Int
    var out = ByteBuffer()
    private(set) var clients: [ClientID: ClientHandler] = [:]
    private let server: ServerCore
    private var lastMessage = 0
    /// Whose messages the buffer holds.
    private weak var writer: ClientHandler?

    init(index: Int, _ server: ServerCore) {
        self.index = index
        self.server = server
    }

    /// A number for a message that begins: later ones have higher ones.
    func nextMessage() -> Int {
        lastMessage += 1
        return lastMessage
    }

    /// - Returns: false when there are enough.
    func add(_ client: ClientHandler) -> Bool {
        guard server.connections.add(1, ordering: .relaxed).newValue <= server.policy.connectionLimit else {
            server.connections.subtract(1, ordering: .relaxed)
            return false
        }
        clients[client.id] = client
        return true
    }

    func remove(_ client: ClientHandler) {
        guard clients.removeValue(forKey: client.id) != nil else { return }
        server.connections.subtract(1, ordering: .relaxed)
    }

    /// The buffer is this client's from now on.
    @inline(__always)
    func hand(to client: ClientHandler) {
        if out.readableBytes > 0, writer !== client {
            // What is left of a client that has gone must not reach another one.
            if let writer { writer.flush() } else { clearOut() }
        }
        writer = client
    }

    /// The client has gone, and so has what was not sent to it.
    func forget(_ client: ClientHandler) {
        guard writer === client else { return }
        clearOut()
        writer = nil
    }

    /// Empties the buffer; one that had to become large is not kept.
    func clearOut() {
        if out.capacity > 4 * Self.flushSize { out = ByteBuffer() } else { out.clear(minimumCapacity: 1 << 16) }
    }

    /// The message that tells a client of others' transaction. Most clients speak alike: it is written once for them.
    func invalidation(
        _ entry: Publications.Entry, of served: ServedStorage, for connection: inout ServerConnection
    ) -> [UInt8] {
        guard connection.generation.numbersOnlyCalls else { return connection.invalidation(entry.tid, entry.oids) }
        let key = InvalidationKey(
            storage: served.name, tid: entry.tid, dialect: connection.dialect, python: connection.clientPython)
        if let (known, body) = lastInvalidation, known == key { return body }
        let body = connection.invalidation(entry.tid, entry.oids)
        lastInvalidation = (key, body)
        return body
    }

    private struct InvalidationKey: Equatable {
        var storage: String
        var tid: TransactionID
        var dialect: Dialect?
        var python: PythonGeneration
    }

    private var lastInvalidation: (InvalidationKey, [UInt8])?

    /// Tells all clients of a storage what they have not been told.
    func distribute(_ served: ServedStorage) {
        let end = served.publications.count
        for client in clients.values where client.served === served {
            guard client.cursor < end || client.heldBack != nil else { continue }
            client.tellNews()
            client.tellHeldBack()
            client.flush()
        }
        served.publications.markRead(end, byLoop: index)
    }
}

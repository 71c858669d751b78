internal import NIOCore
internal import Synchronization

/// Which connection: numbers are never used again.
struct ClientID: Hashable, Sendable {
    let number: Int
}

/// A connection, for other threads than that of its event loop: what is to happen there is sent to it.
struct ClientHandle: Sendable {
    let id: ClientID
    let loop: any EventLoop
    private let handler: NIOLoopBound<ClientHandler>
    private let presence = Presence()

    private final class Presence: Sendable {
        let hasEnded = Atomic(false)
    }

    /// - Precondition: called on the loop.
    init(_ id: ClientID, _ handler: ClientHandler, _ loop: any EventLoop) {
        self.id = id
        self.loop = loop
        self.handler = NIOLoopBound(handler, eventLoop: loop)
    }

    /// Whether the connection has ended: whoever works for it may stop.
    var isGone: Bool { presence.hasEnded.load(ordering: .relaxed) }

    func end() { presence.hasEnded.store(true, ordering: .relaxed) }

    /// Runs `body` on the connection's loop, unless the connection is gone by then.
    func execute(_ body: @escaping @Sendable (ClientHandler) -> Void) {
        let handler = handler
        loop.execute {
            let client = handler.value
            if client.isOpen { body(client) }
        }
    }
}

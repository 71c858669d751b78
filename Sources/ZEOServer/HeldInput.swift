internal import Logging
internal import NIOCore
internal import Synchronization

/// What is kept of a client's messages until they are complete, as the server counts it.
struct HeldInput {
    /// Bytes, as counted.
    var bytes = 0
    /// When the message that is not complete began, among all of the loop.
    private(set) var start = 0
    /// A look is to be taken at how it comes on; how it was at the last.
    var watched: (start: Int, bytes: Int)?

    mutating func begin(_ clients: LoopClients) { start = clients.nextMessage() }
}

/// Memory for messages that are not complete: what a client sends slowly, or never ends.
extension ClientHandler {
    /// Bytes by which a message has to grow in the time that it is given; a slow line brings more.
    private static let leastProgress = 1 << 16
    /// A client that keeps less is not let go for what all keep.
    private static let leastHeld = 1 << 16

    /// Counts what is kept of this client.
    /// - Returns: what is kept of all.
    @discardableResult
    func hold(_ bytes: Int) -> Int {
        let change = bytes - held.bytes
        guard change != 0 else { return 0 }
        held.bytes = bytes
        return server.heldBytes.add(change, ordering: .relaxed).newValue
    }

    /// Has an eye on what has come and is not answered.
    func noteHeld() {
        let bytes = rest.readableBytes
        let all = hold(bytes)
        guard bytes > 0 else { return }
        watchMessage()
        guard all > server.policy.heldLimit else { return }
        // The loop's buffer may hold answers of ours, which are nobody else's.
        flush()
        clients.letGoOfOldestMessage(holding: Self.leastHeld)
        if isOpen { clients.hand(to: self) }
    }

    private func watchMessage() {
        guard held.watched == nil, let context, let handle else { return }
        held.watched = (held.start, rest.readableBytes)
        let patience = server.policy.messageTimeout
        context.eventLoop.scheduleTask(in: .nanoseconds(Int64(patience * 1e9))) {
            handle.execute { $0.lookAtMessage(patience) }
        }
    }

    private func lookAtMessage(_ patience: Double) {
        guard let (start, bytes) = held.watched else { return }
        held.watched = nil
        guard rest.readableBytes > 0 else { return }
        if start == held.start, pauses.isEmpty, rest.readableBytes - bytes < Self.leastProgress {
            return close(
                because: """
                    in \(patience) s it has sent \(rest.readableBytes - bytes) bytes of a message that is not complete; \
                    \(rest.readableBytes) have come
                    """)
        }
        watchMessage()
    }
}

extension LoopClients {
    /// Lets go whose message has been coming for longest: others' memory is needed.
    fileprivate func letGoOfOldestMessage(holding least: Int) {
        let holders = clients.values.filter { $0.isOpen && $0.held.bytes >= least }
        guard let oldest = holders.min(by: { $0.held.start < $1.held.start }) else { return }
        oldest.close(
            because: """
                what has come of all clients' messages that are not complete is more than \
                \(oldest.server.policy.heldLimit) bytes, and its own, \(oldest.held.bytes), is the oldest
                """)
    }
}

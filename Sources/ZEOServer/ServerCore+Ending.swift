internal import Logging
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The end of a server, as its clients see it.
extension ServerCore {
    /// Lets go all clients but those that have voted: these as soon as their transactions have ended.
    ///
    /// - Parameter patience: how long that may take, in seconds.
    func letGo(within patience: Double) {
        isEnding.store(true, ordering: .sequentiallyConsistent)
        let deadline = Clock.now() + patience
        repeat {
            // Again and again: a connection that was accepted before may only now be known here.
            forEachClient { $0.leaveIfIdle() }
            guard connections.load(ordering: .relaxed) > 0 else { return }
            usleep(5000)
        } while Clock.now() < deadline
        let count = connections.load(ordering: .relaxed)
        if patience > 0, count > 0 {
            logger.warning("\(count) clients have not ended their commits within \(patience) s")
        }
    }
}

extension ClientHandler {
    /// Hangs up, when the server ends, unless the client has voted, or waits for the end of its transaction.
    func leaveIfIdle() {
        guard server.isEnding.load(ordering: .relaxed) else { return }
        if case .done = voting { return }
        // It is to hear that its transaction happened.
        guard unansweredEnds == 0 else { return }
        close(because: nil)
    }
}

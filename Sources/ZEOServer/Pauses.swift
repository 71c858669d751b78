internal import NIOCore

/// Why nothing is taken from a client for a while. What it sends then waits in the network.
struct Pauses: OptionSet, Sendable {
    let rawValue: UInt8

    /// It does not take what it is sent.
    static let output = Pauses(rawValue: 1)
    /// So many of its calls are under way on other threads that it can wait for some of them.
    static let reads = Pauses(rawValue: 2)
    /// So many bytes of its blobs are on their way to the disk.
    static let blobs = Pauses(rawValue: 4)
    /// It has had its turn; others of the loop have theirs.
    static let turn = Pauses(rawValue: 8)
}

extension ClientHandler {
    /// Calls of one client that other threads may have to do, at most, before it waits for the first of them.
    static let mostReads = 64

    /// Takes nothing more from the client, behind the message at hand.
    func pause(_ reason: Pauses) { pauses.insert(reason) }

    /// The reason is none any more; when it was the last, messages are taken again.
    func goOn(_ reason: Pauses) {
        guard pauses.contains(reason) else { return }
        pauses.remove(reason)
        // Its turn comes by itself, when there is nothing else.
        guard pauses.isSubset(of: .turn), isOpen, !isTaking else { return }
        if rest.readableBytes == 0 { listen() } else { goOnSoon() }
    }

    /// Goes on when the others of the loop have been looked at: a task that is there at once would come before them.
    func goOnSoon() {
        guard !isToGoOn, let context, let handle else { return }
        isToGoOn = true
        context.eventLoop.scheduleTask(in: .microseconds(20)) { handle.execute { $0.takeRest() } }
    }

    /// Reads the network, or does not, as the pauses have it.
    func listen() {
        guard pauses.isEmpty != isListening, isOpen, let context else { return }
        isListening = pauses.isEmpty
        try? context.channel.syncOptions?.setOption(.autoRead, value: isListening)
    }

    /// A call goes to another thread. `endRead` comes back with its answer.
    func beginRead() {
        readsUnderWay += 1
        if readsUnderWay >= Self.mostReads { pause(.reads) }
    }

    func endRead() {
        readsUnderWay -= 1
        lastHeard = .now()
        if readsUnderWay <= Self.mostReads / 2 { goOn(.reads) }
    }
}

/// Which client may be between vote and finish. One at a time; the others wait in arrival order.
///
/// Pure state: it does no I/O and knows no clock. The caller carries out the `Action` it returns.
public struct CommitLock<Client: Hashable & Sendable>: Sendable {
    public enum Action: Equatable, Sendable {
        /// Run this client's vote now.
        case grant(Client)
        /// Answer later: `position` clients come first, the holder included.
        case wait(position: Int)
        case none
    }

    private enum State {
        case free
        case held(by: Client, waiting: [Client])
    }

    private var state = State.free

    public init() {}

    /// Who has it.
    public var holder: Client? {
        if case .held(let holder, _) = state { return holder }
        return nil
    }

    /// Who waits for it, the next one first.
    public var waiting: [Client] {
        if case .held(_, let waiting) = state { return waiting }
        return []
    }

    /// - Precondition: `client` neither has it nor waits for it.
    public mutating func request(_ client: Client) -> Action {
        switch state {
        case .free:
            state = .held(by: client, waiting: [])
            return .grant(client)
        case .held(let holder, var waiting):
            precondition(holder != client && !waiting.contains(client), "a client votes once per transaction")
            waiting.append(client)
            state = .held(by: holder, waiting: waiting)
            return .wait(position: waiting.count)
        }
    }

    /// `client` finished, aborted or went away.
    public mutating func release(_ client: Client) -> Action {
        switch state {
        case .free:
            return .none
        case .held(client, var waiting):
            guard !waiting.isEmpty else {
                state = .free
                return .none
            }
            let next = waiting.removeFirst()
            state = .held(by: next, waiting: waiting)
            return .grant(next)
        case .held(let holder, var waiting):
            waiting.removeAll { $0 == client }
            state = .held(by: holder, waiting: waiting)
            return .none
        }
    }
}

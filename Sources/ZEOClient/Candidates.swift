internal import ZEOProtocol
internal import ZODB

/// The servers that one attempt to connect goes through, in the order of the list: pure state.
///
/// One is spoken with at a time, so that there is never a second registered connection whose messages might be taken for
/// the first one's (zopefoundation/ZEO#191). The first that takes us as we are decides: for a writing client the first that
/// lets it write. Those that let nobody write are come back to when there is no other, if that will do.
struct Candidates: Sendable {
    struct Candidate: Hashable, Sendable {
        var endpoint: Endpoint
        /// Ask for no more than to read.
        var readOnly: Bool
        /// There are others to try after this one.
        var hasOthers: Bool
    }

    private let endpoints: [Endpoint]
    private let readOnly: Bool
    private let fallsBack: Bool
    private var waiting: ArraySlice<Endpoint>
    /// They let nobody write.
    private var readable: ArraySlice<Endpoint> = []
    private(set) var current: Candidate?
    private var failures: [ConnectionFailure.Cause] = []

    /// - Parameter fallsBack: whether a server that lets nobody write will do.
    init(_ endpoints: [Endpoint], readOnly: Bool, fallsBack: Bool) {
        self.endpoints = endpoints
        self.readOnly = readOnly
        self.fallsBack = fallsBack && !readOnly
        waiting = endpoints[...]
    }

    /// Whom to try now; nil when all have been.
    mutating func next() -> Candidate? {
        if let endpoint = waiting.popFirst() {
            current = Candidate(
                endpoint: endpoint, readOnly: readOnly, hasOthers: !waiting.isEmpty || !readable.isEmpty)
        } else if let endpoint = readable.popFirst() {
            current = Candidate(endpoint: endpoint, readOnly: true, hasOthers: !readable.isEmpty)
        } else {
            current = nil
        }
        return current
    }

    /// The current one is not to be had.
    mutating func failed(_ error: StorageError) {
        guard let current else { return }
        if case .readOnly = error, fallsBack, !current.readOnly {
            readable.append(current.endpoint)
        } else {
            failures.append(.init(address: current.endpoint.description, error))
        }
    }

    /// Why there is no connection, when all have been tried.
    var failure: StorageError {
        guard let first = failures.first else { return .readOnly(addresses) }
        if endpoints.count == 1 { return first.error }
        let refusals = failures.filter { if case .readOnly = $0.error { true } else { false } }
        if refusals.count == failures.count { return .readOnly(addresses) }
        return .connection(.noneOf(addresses: addresses, failures))
    }

    private var addresses: String { endpoints.map(\.description).joined(separator: ",") }
}

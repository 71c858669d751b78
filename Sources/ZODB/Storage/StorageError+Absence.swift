extension ConnectionFailure {
    /// What became of one of several servers.
    public struct Cause: Hashable, Sendable, CustomStringConvertible {
        public let address: String
        public let error: StorageError

        public init(address: String, _ error: StorageError) { (self.address, self.error) = (address, error) }

        /// Begins with the address.
        public var description: String {
            let text = error.description
            return text.hasPrefix(address + ":") ? text : "\(address): \(text)"
        }
    }

    /// The server is not there, or no longer: it may be again. Of several, none is there.
    ///
    /// A server that answers has decided: another login, another name or another certificate is wanted, and nothing is won by
    /// waiting. One that lags behind what was seen has not: it leaves those to be waited for that are not there.
    public var isAbsence: Bool {
        switch self {
        case .refused, .unreachable, .silent, .lost, .tunnel: true
        case .noneOf(_, let causes):
            causes.contains { $0.error.isAbsence } && causes.allSatisfy { $0.error.isAbsence || $0.error.isLag }
        case .notZEO, .versionRefused, .unknownStorage, .protocolError, .away, .login, .tls, .behind, .otherDatabase:
            false
        }
    }
}

extension StorageError {
    /// It is the absence of a server; see there.
    public var isAbsence: Bool {
        if case .connection(let failure) = self { failure.isAbsence } else { false }
    }

    fileprivate var isLag: Bool {
        if case .connection(.behind) = self { true } else { false }
    }
}

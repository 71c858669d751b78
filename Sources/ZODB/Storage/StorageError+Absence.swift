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
    /// waiting. One that ends a connection before TLS has come to a verdict may be stopping, or a proxy whose server is. One
    /// that lags behind what was seen has not: it leaves those to be waited for that are not there.
    public var isAbsence: Bool {
        switch self {
        case .refused, .unreachable, .silent, .lost, .tunnel: true
        case .noneOf(_, let causes):
            causes.contains { $0.error.isAbsence } && causes.allSatisfy { $0.error.isAbsence || $0.error.isLag }
        case .tls(_, let failure): failure.isAbsence
        case .notZEO, .versionRefused, .unknownStorage, .protocolError, .away, .login, .behind, .otherDatabase:
            false
        }
    }

    /// It may be that the server wants another certificate, and did not say so. Where it has let us in before, its absence is
    /// the likelier.
    public var mayBeRefusal: Bool {
        switch self {
        case .tls(_, .hungUp): true
        case .noneOf(_, let causes):
            causes.contains { if case .connection(let failure) = $0.error { failure.mayBeRefusal } else { false } }
        default: false
        }
    }
}

extension TLSFailure {
    /// There was an end, or silence, and no verdict on a certificate of either side.
    public var isAbsence: Bool {
        switch self {
        case .closed, .noAnswer, .hungUp: true
        case .file, .plainServer, .unknownAuthority, .selfSigned, .expired, .notYetValid, .otherName,
            .certificateRefused, .certificateWanted, .other:
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

internal import NIOCore
internal import ZEOProtocol
internal import ZODB

extension StorageError {
    /// An address cannot be listened at.
    init(listeningAt endpoint: Endpoint, _ error: any Error) {
        let what = "cannot listen at \(endpoint.shown)"
        switch error {
        case let error as IOError: self = .io(what, errno: error.errnoCode)
        case SocketAddressError.unknown(let host, _):
            self = .unsupported("\(what): no address is known of a host '\(host)'")
        case SocketAddressError.unixDomainSocketPathTooLong:
            self = .unsupported("\(what): the path of a Unix socket has at most 107 bytes")
        case let error as UnixSocket.InUse: self = .unsupported("\(what): \(error)")
        default: self = .unsupported("\(what): the host is not known, or the address is none of this machine")
        }
    }
}

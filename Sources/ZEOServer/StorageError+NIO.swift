internal import NIOCore
internal import ZEOProtocol
internal import ZODB

extension StorageError {
    /// An address cannot be listened at.
    init(listeningAt endpoint: Endpoint, _ error: any Error) {
        if let error = error as? IOError {
            self = .io("cannot listen at \(endpoint)", errno: error.errnoCode)
        } else {
            self = .connection(.unreachable(address: endpoint.description, "\(error)"))
        }
    }
}

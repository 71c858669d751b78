internal import ServerConfiguration
internal import ZConfig
internal import ZEOProtocol
internal import ZEOServer

extension ServicePolicy {
    init(_ settings: ServerSettings, threads: Int) {
        self.init()
        version = ServerVersion.number
        announced = settings.usesMessagePack ? .m5 : .z5
        isReadOnly = settings.isReadOnly
        invalidationQueueSize = settings.invalidationQueueSize
        invalidationAge = settings.invalidationAge
        transactionTimeout = settings.transactionTimeout
        resolvesConflictsInClients = settings.clientConflictResolution
        self.threads = threads
        let limits = settings.limits
        if let limit = limits.message { messageLimit = limit }
        if let limit = limits.received { heldLimit = limit }
        if let seconds = limits.messageTimeout { messageTimeout = Double(seconds) }
        if let limit = limits.connections { connectionLimit = limit }
        if let limit = limits.outbox { outboxLimit = limit }
        if let seconds = limits.idleTimeout { idleTimeout = Double(seconds) }
        if let seconds = limits.handshakeTimeout { handshakeTimeout = Double(seconds) }
        if let seconds = limits.slowCommit { slowCommitSeconds = seconds }
    }
}

extension Endpoint {
    /// No port: one that the system chooses.
    init(_ address: SocketAddress) {
        self =
            switch address {
            case .internet(let host, let port): .host(host, port: port ?? 0)
            case .unixSocket(let path): .unixSocket(path: path)
            }
    }
}

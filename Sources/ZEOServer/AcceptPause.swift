internal import Logging
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Says in the log why no connection can be accepted, and how that is mended: once a minute, since clients try again.
///
/// Without a pause the event loop would try again at once, and do nothing else: who waits is still there.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let seconds: Double = 60

    private let endpoint: String
    private let logger: Logger
    private var lastTold = -Double.infinity

    private init(_ endpoint: String, _ logger: Logger) {
        self.endpoint = endpoint
        self.logger = logger
    }

    /// Gives an address that is listened at its pauses.
    static func add(to channel: any Channel, at endpoint: String, _ logger: Logger) throws {
        let pause = AcceptBackoffHandler { isShortage($0.errnoCode) ? .seconds(1) : nil }
        try channel.pipeline.syncOperations.addHandlers([pause, AcceptPause(endpoint, logger)])
    }

    /// Whether an error is one of this machine, and not of who connects.
    private static func isShortage(_ number: Int32) -> Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(number) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.isShortage(error.errnoCode) else {
            return logger.debug("\(endpoint): \(error)")
        }
        let now = Clock.now()
        // A clock that was set back silences nothing.
        guard !(0..<Self.seconds).contains(now - lastTold) else { return }
        lastTold = now
        let isOurs = error.errnoCode == EMFILE
        let advice =
            isOurs
            ? """
            this process has its limit of open files, \(DescriptorLimit.current ?? 0): raise it (ulimit -n, or LimitNOFILE= \
            in the unit), or lower connection-limit
            """
            : "the system has no room for more: \(error)"
        logger.error("no client can be accepted at \(endpoint): \(advice)")
    }
}

/// How many files and connections a process may have open at once.
public enum DescriptorLimit {
    /// The limit as it is; nil when the system does not tell.
    public static var current: Int? {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return nil }
        return Int(clamping: limit.rlim_cur)
    }

    /// Raises it as far as the system lets us.
    /// - Returns: what it is now; nil when the system does not tell.
    @discardableResult
    public static func raise() -> Int? {
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return nil }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = unsafe setrlimit(resource, &limit)
        }
        return current
    }

    #if canImport(Glibc)
        private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
        private static var resource: Int32 { RLIMIT_NOFILE }
    #endif
}

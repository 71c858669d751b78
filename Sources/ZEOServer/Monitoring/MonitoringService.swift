public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import ZEOProtocol
public import ZODB

/// Tells whoever watches a server how it is: health and figures over HTTP, and the text of ZEO's old monitor.
///
/// It has an event loop of its own: a watcher that is slow, or asks too much, holds up no client. Nothing can be changed
/// here, and nobody has to say who it is: it belongs on an address that only watchers reach.
public final class MonitoringService: Sendable {
    /// What has to be right besides the storages: how much room a disk has left.
    /// Returns what is wrong; nil: nothing.
    public typealias Check = @Sendable () -> String?

    public struct Options: Sendable {
        /// Where HTTP is served.
        public var http: Endpoint?
        /// Where the text of ZEO's monitor is served.
        public var text: Endpoint?
        /// For `/readyz`, which is asked every few seconds: they are to be quick.
        public var checks: [Check] = []
        /// What the server calls itself.
        public var version = "zeoserver"
        /// Seconds after which a commit that has not ended makes the server not ready.
        public var commitPatience: Double = 30
        /// Watchers at the same time; beyond, new ones are turned away.
        public var connectionLimit = 100
        /// Seconds that a request may take to come, and its answer to be taken.
        public var timeout: Double = 15

        public init() {}
    }

    /// With a port that was chosen by the system filled in.
    public let http: Endpoint?
    public let text: Endpoint?
    private let group: MultiThreadedEventLoopGroup
    private let channels: [any Channel]

    /// - Throws: `io` for an address that cannot be had.
    public init(_ server: StorageServer, _ options: Options, logger: Logger) throws(StorageError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        let answers = MonitoringAnswers(server.core, options)
        let visitors = Visitors(limit: options.connectionLimit)
        var channels: [any Channel] = []
        func listen(
            _ endpoint: Endpoint?, _ handlers: @escaping @Sendable (any Channel) throws -> Void
        ) throws(StorageError) -> Endpoint? {
            guard let endpoint else { return nil }
            do {
                let listening = try Self.listen(at: endpoint, group, visitors, options, logger, handlers)
                channels += listening
                return endpoint.bound(to: listening.first)
            } catch {
                for channel in channels { try? channel.close().wait() }
                try? group.syncShutdownGracefully()
                throw StorageError(listeningAt: endpoint, error)
            }
        }
        http = try listen(options.http) { channel in
            let pipeline = channel.pipeline.syncOperations
            try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: true)
            try pipeline.addHandler(HTTPHandler(answers))
        }
        text = try listen(options.text) { channel in
            try channel.pipeline.syncOperations.addHandler(MonitorTextHandler(answers))
        }
        self.channels = channels
        if let http { logger.info("health and metrics over HTTP at \(http.shown)") }
        if let text { logger.info("monitor at \(text.shown)") }
    }

    private static func listen(
        at endpoint: Endpoint, _ group: MultiThreadedEventLoopGroup, _ visitors: Visitors, _ options: Options,
        _ logger: Logger, _ handlers: @escaping @Sendable (any Channel) throws -> Void
    ) throws -> [any Channel] {
        try ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try AcceptPause.add(to: channel, at: endpoint.description, logger)
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard visitors.enter() else { throw ChannelError.ioOnClosedChannel }
                    channel.closeFuture.whenComplete { _ in visitors.leave() }
                    let time = TimeAmount.nanoseconds(Int64(options.timeout * 1e9))
                    try channel.pipeline.syncOperations.addHandler(Deadline(after: time))
                    try handlers(channel)
                }
            }
            .listen(at: endpoint)
    }

    public func close() {
        for channel in channels { try? channel.close().wait() }
        try? group.syncShutdownGracefully()
    }
}

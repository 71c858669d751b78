import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Stands between clients and a ZEO server, knows where messages begin and end, and does to each connection what its plan
/// says.
public final class FaultProxy: Sendable {
    public enum Direction: String, CaseIterable, Sendable {
        case toServer, toClient
    }

    /// What happens to one connection, at a message of one direction. Messages are counted from 0, the greeting included.
    public enum Fault: Hashable, Sendable {
        /// Both directions end when so many bytes of the message have been passed on; `.max`: all of it.
        case cut(Direction, message: Int, bytes: Int)
        /// The same, at a byte of the stream.
        case cutAtByte(Direction, Int)
        /// The message waits for so long, and everything behind it.
        case delay(Direction, message: Int, seconds: Double)
        /// From the message on this direction goes nowhere, as when a firewall has forgotten one half of a connection. After
        /// so long both end.
        case swallow(Direction, message: Int, seconds: Double)
        /// The connection is accepted, and nothing is ever passed.
        case mute(seconds: Double)
        /// The connection is closed at once.
        case refuse
    }

    public struct Plan: Hashable, Sendable {
        public var fault: Fault?
        /// The beginning of every message, its first thousand bytes, is passed on in pieces of at most so many bytes; nil: as
        /// it comes. (All of a large message would take longer than anybody waits.)
        public var pieces: Int?

        public init(_ fault: Fault? = nil, pieces: Int? = nil) {
            (self.fault, self.pieces) = (fault, pieces)
        }
    }

    private struct State {
        var plans: [Plan] = []
        var hits = 0
        var server: Int
        var connections: [WeakConnection] = []
    }

    private struct WeakConnection {
        weak var value: FaultConnection?
    }

    public let port: Int
    private let state: Mutex<State>
    private let listener: Int32
    private let knowsMessages: Bool

    /// - Parameters:
    ///   - server: the port of the server on this machine.
    ///   - knowsMessages: false: what comes is no ZEO that could be understood, but TLS. What comes at once is a message then.
    public init(to server: Int, knowsMessages: Bool = true) throws {
        self.knowsMessages = knowsMessages
        let socket = try ListeningSocket()
        port = socket.port
        state = Mutex(State(server: server))
        listener = dup(socket.descriptor)
        let listener = listener
        Thread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self else {
                    close(client)
                    return
                }
                self.take(client)
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        endAll()
    }

    /// The plans of the next connections, one each; those after them pass everything on.
    public func plan(_ plans: [Plan]) { state.withLock { $0.plans = plans } }

    /// How many faults have happened.
    public var hits: Int { state.withLock { $0.hits } }

    /// The server is somewhere else from now on.
    public func move(to server: Int) { state.withLock { $0.server = server } }

    /// Ends all connections.
    public func endAll() {
        for connection in state.withLock({ $0.connections }) { connection.value?.end() }
    }

    private func take(_ client: Int32) {
        let (plan, port) = state.withLock { state in
            (state.plans.isEmpty ? Plan() : state.plans.removeFirst(), state.server)
        }
        let hit: @Sendable () -> Void = { [weak self] in self?.state.withLock { $0.hits += 1 } }
        if case .refuse = plan.fault {
            hit()
            close(client)
            return
        }
        guard let connection = FaultConnection(client, to: port, plan, knowsMessages, hit: hit) else {
            close(client)
            return
        }
        state.withLock { state in
            state.connections.removeAll { $0.value == nil }
            state.connections.append(WeakConnection(value: connection))
        }
        connection.start()
    }
}

/// Two sockets, a thread for each direction.
private final class FaultConnection: Sendable {
    private let client: Int32, server: Int32
    private let plan: FaultProxy.Plan
    private let knowsMessages: Bool
    private let hit: @Sendable () -> Void
    private let hasEnded = Atomic(false)

    init?(
        _ client: Int32, to port: Int, _ plan: FaultProxy.Plan, _ knowsMessages: Bool,
        hit: @escaping @Sendable () -> Void
    ) {
        guard let server = ClientSocket(port: port) else { return nil }
        self.client = client
        self.server = dup(server.descriptor)
        self.plan = plan
        self.knowsMessages = knowsMessages
        self.hit = hit
        var yes: Int32 = 1
        for descriptor in [client, self.server] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    deinit {
        close(client)
        close(server)
    }

    func start() {
        if case .mute(let seconds) = plan.fault {
            hit()
            Thread { [self] in
                pause(seconds)
                end()
            }.start()
            return
        }
        for direction in FaultProxy.Direction.allCases {
            Thread { [self] in
                pass(direction)
                end()
            }.start()
        }
    }

    func end() {
        hasEnded.store(true, ordering: .sequentiallyConsistent)
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    /// Passes whole messages on until the end or the fault.
    private func pass(_ direction: FaultProxy.Direction) {
        let (from, to) = direction == .toServer ? (client, server) : (server, client)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var number = 0
        var passed = 0
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            pending += buffer[..<count]
            while let length = length(of: pending), pending.count >= length {
                let frame = Array(pending[..<length])
                pending.removeFirst(length)
                guard pass(frame, number: number, after: passed, direction, from, to) else { return }
                number += 1
                passed += length
            }
        }
    }

    /// Of the first message, in bytes; nil when that is not known yet.
    private func length(of pending: [UInt8]) -> Int? {
        guard knowsMessages else { return pending.isEmpty ? nil : pending.count }
        guard pending.count >= 4 else { return nil }
        return 4 + Int((UInt32(pending[0]) & 0x7f) << 24 | UInt32(pending[1]) << 16)
            + Int(UInt32(pending[2]) << 8 | UInt32(pending[3]))
    }

    /// - Returns: whether to go on.
    private func pass(
        _ frame: [UInt8], number: Int, after passed: Int, _ direction: FaultProxy.Direction, _ from: Int32, _ to: Int32
    ) -> Bool {
        switch plan.fault {
        case .cut(direction, message: number, let bytes):
            _ = send(frame.prefix(bytes), to: to)
            hit()
            // What was passed on is to arrive, too: an end with unread bytes is a reset, which may overtake them.
            if bytes > 0 { pause(0.02) }
            return false
        case .cutAtByte(direction, let byte) where (passed..<passed + frame.count).contains(byte):
            _ = send(frame.prefix(byte - passed), to: to)
            hit()
            if byte > passed { pause(0.02) }
            return false
        case .delay(direction, message: number, let seconds):
            hit()
            pause(seconds)
        case .swallow(direction, message: number, let seconds):
            hit()
            swallow(from, seconds)
            return false
        default: break
        }
        return send(frame[...], to: to)
    }

    /// Reads, and forgets what it read.
    private func swallow(_ descriptor: Int32, _ seconds: Double) {
        let end = Date().addingTimeInterval(seconds)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while Date() < end, !hasEnded.load(ordering: .sequentiallyConsistent) {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 50) > 0 else { continue }
            guard recv(descriptor, &buffer, buffer.count, 0) > 0 else { return }
        }
    }

    private func pause(_ seconds: Double) {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end, !hasEnded.load(ordering: .sequentiallyConsistent) {
            usleep(UInt32(min(max(end.timeIntervalSinceNow, 0.001), 0.05) * 1e6))
        }
    }

    private func send(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let isBeginning = rest.startIndex - bytes.startIndex < 1000
            let piece = rest.prefix(isBeginning ? plan.pieces ?? rest.count : rest.count)
            let sent = piece.withUnsafeBytes {
                #if canImport(Glibc)
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                #else
                    Musl.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                #endif
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
            // So that the pieces travel apart.
            if plan.pieces != nil, isBeginning, !rest.isEmpty { usleep(200) }
        }
        return true
    }
}

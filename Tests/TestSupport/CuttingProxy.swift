import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Stands between clients and a ZEO server, passes everything on, and cuts a connection where it is told to.
public final class CuttingProxy: Sendable {
    /// Where to cut, once: at the first message from a client that contains `word`.
    public struct Cut: Sendable {
        var word: [UInt8]
        /// So many bytes of that message's frame still go to the server.
        var bytes: Int
        /// The server gets the whole message, and what it answers is lost.
        var awaitsAnswer: Bool

        public static func at(_ bytes: Int, of word: String) -> Cut {
            Cut(word: Array(word.utf8), bytes: bytes, awaitsAnswer: false)
        }
        public static func afterAnswer(to word: String) -> Cut {
            Cut(word: Array(word.utf8), bytes: .max, awaitsAnswer: true)
        }
    }

    public let port: Int
    private let server: Int
    private let cut = Mutex<Cut?>(nil)
    private let listener: Int32

    /// - Parameter server: the port of the server on this machine.
    public init(to server: Int) throws {
        let socket = try ListeningSocket()
        (port, self.server) = (socket.port, server)
        listener = dup(socket.descriptor)
        let listener = listener
        Thread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self, let connection = Connection(client, to: self.server) else {
                    close(client)
                    continue
                }
                Thread { connection.passAnswers() }.start()
                Thread { [weak self] in connection.passCalls { self?.takeCut(in: $0) } }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    public func arm(_ cut: Cut) { self.cut.withLock { $0 = cut } }

    /// Whether the cut has been made.
    public var hasCut: Bool { cut.withLock { $0 == nil } }

    private func takeCut(in frame: [UInt8]) -> Cut? {
        cut.withLock { cut in
            guard let armed = cut, !frame.split(separator: armed.word, maxSplits: 1).dropFirst().isEmpty else {
                return nil
            }
            cut = nil
            return armed
        }
    }
}

/// Two sockets, a thread for each direction.
private final class Connection: Sendable {
    private let client: Int32, server: Int32
    /// What the server says from now on is lost, and ends the connection.
    private let isDeaf = Atomic(false)

    init?(_ client: Int32, to port: Int) {
        guard let server = ClientSocket(port: port) else { return nil }
        self.client = client
        self.server = dup(server.descriptor)
        var yes: Int32 = 1
        setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(self.server, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(client)
        close(server)
    }

    func passAnswers() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(server, &buffer, buffer.count, 0)
            guard count > 0, !isDeaf.load(ordering: .sequentiallyConsistent),
                Self.pass(buffer[..<count], to: client)
            else { return end() }
        }
    }

    /// Whole frames at a time.
    func passCalls(_ takeCut: ([UInt8]) -> CuttingProxy.Cut?) {
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(client, &buffer, buffer.count, 0)
            guard count > 0 else { return end() }
            pending += buffer[..<count]
            while pending.count >= 4 {
                let length = 4 + pending[..<4].reduce(0) { $0 << 8 | Int($1) }
                guard pending.count >= length else { break }
                let frame = Array(pending[..<length])
                pending.removeFirst(length)
                guard let cut = takeCut(frame) else {
                    guard Self.pass(frame[...], to: server) else { return end() }
                    continue
                }
                if cut.awaitsAnswer { isDeaf.store(true, ordering: .sequentiallyConsistent) }
                _ = Self.pass(frame.prefix(cut.bytes), to: server)
                if !cut.awaitsAnswer { return end() }
            }
        }
    }

    private func end() {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    private static func pass(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}

import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Stands between clients and a server on this machine, and damages what the server says to each client.
public final class DamagingProxy: Sendable {
    public enum Damage: Sendable {
        case none
        /// So many bytes of the server's come through, then the end.
        case cut(after: Int)
        /// One bit of the byte at this place is another one.
        case flip(at: Int)
    }

    public let port: Int
    private let damage = Mutex(Damage.none)
    private let listener: Int32

    /// - Parameter server: the port of the server on this machine.
    public init(to server: Int) throws {
        let socket = try ListeningSocket()
        port = socket.port
        listener = dup(socket.descriptor)
        let listener = listener
        Thread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self, let server = ClientSocket(port: server) else {
                    close(client)
                    continue
                }
                let other = dup(server.descriptor)
                let damage = self.damage.withLock { $0 }
                let pair = Pair(client, other)
                Thread { Self.pass(from: other, to: client, damage, pair) }.start()
                Thread { Self.pass(from: client, to: other, .none, pair) }.start()
            }
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// For the connections from now on.
    public func set(_ damage: Damage) { self.damage.withLock { $0 = damage } }

    /// Two sockets, closed when both threads are done with them.
    private final class Pair: Sendable {
        let one: Int32, other: Int32

        init(_ one: Int32, _ other: Int32) { (self.one, self.other) = (one, other) }

        func end() { for descriptor in [one, other] { shutdown(descriptor, Int32(SHUT_RDWR)) } }

        deinit { for descriptor in [one, other] { close(descriptor) } }
    }

    private static func pass(from source: Int32, to target: Int32, _ damage: Damage, _ pair: Pair) {
        var passed = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { return pair.end() }
            var bytes = buffer[..<count]
            switch damage {
            case .none: break
            case .cut(let after): bytes = bytes.prefix(max(0, after - passed))
            case .flip(let place): if bytes.indices.contains(place - passed) { bytes[place - passed] ^= 1 }
            }
            while !bytes.isEmpty {
                let sent = bytes.withUnsafeBytes { send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard sent > 0 else { return pair.end() }
                bytes = bytes.dropFirst(sent)
            }
            passed += count
            if case .cut(let after) = damage, passed >= after { return pair.end() }
        }
    }
}

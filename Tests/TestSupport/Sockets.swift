import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A TCP port for a program that has to be told one: nobody listens at it, and nobody is given it by chance.
///
/// Not one that the system chose: between its being chosen and the program's binding it the system may give it to others, as
/// the port of an outgoing connection too, and on a busy machine that takes seconds. The system chooses above 32,768 (Linux,
/// `ip_local_port_range`); these lie below, each is given once in a process, and two processes begin at different places.
public enum FreePort {
    public struct None: Error {}

    private static let range = 15_000..<32_000
    private static let next = Mutex(Int(getpid()) * 67 % range.count)

    public static func find() throws -> Int {
        for _ in range {
            let port = next.withLock { next in
                next = (next + 1) % range.count
                return range.lowerBound + next
            }
            if (try? ListeningSocket(port: port)) != nil { return port }
        }
        throw None()
    }

    /// Whether somebody listens there.
    public static func isTaken(_ port: Int) -> Bool { ClientSocket(port: port) != nil }
}

/// A listening TCP socket on 127.0.0.1.
struct ListeningSocket: ~Copyable {
    let descriptor: Int32
    let port: Int

    /// - Parameter port: 0 for one of the system's choice.
    init(port wanted: Int = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(wanted).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        guard bound else {
            close(descriptor)
            throw FreePort.None()
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

/// The plainest of clients.
struct ClientSocket: ~Copyable {
    let descriptor: Int32

    init?(port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        self.descriptor = descriptor
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if !connected { return nil }
    }

    init?(path: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        if !connected { return nil }
    }

    deinit { close(descriptor) }

    func read(count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(descriptor, &bytes, count, 0)
        return Array(bytes.prefix(max(0, got)))
    }

    /// Sends everything, and reads until the other side has no more to say.
    func exchange(_ request: [UInt8]) -> [UInt8] {
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return [] }
        var answer: [UInt8] = []
        while true {
            let bytes = read(count: 65_536)
            if bytes.isEmpty { return answer }
            answer += bytes
        }
    }
}

/// A server that plays a part: it says its lines to each client, hears whatever comes, and hangs up when told to.
public final class ScriptedServer: Sendable {
    /// What to do with a connection, in order.
    public enum Step: Sendable {
        case say([UInt8])
        /// Waits until so many bytes came.
        case hear(Int)
        case hangUp
        /// Stays, silent, until the server is released.
        case stay
    }

    public let port: Int
    private let descriptors = Mutex<[Int32]>([])

    public init(_ steps: [Step]) throws {
        let listener = try ListeningSocket()
        port = listener.port
        let descriptor = dup(listener.descriptor)
        descriptors.withLock { $0.append(descriptor) }
        let thread = Thread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                self.descriptors.withLock { $0.append(connection) }
                Thread { Self.play(steps, connection) }.start()
            }
        }
        thread.start()
    }

    deinit {
        for descriptor in descriptors.withLock({ $0 }) {
            shutdown(descriptor, Int32(SHUT_RDWR))
            close(descriptor)
        }
    }

    private static func play(_ steps: [Step], _ connection: Int32) {
        for step in steps {
            switch step {
            case .say(let bytes): _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            case .hear(let count):
                var bytes = [UInt8](repeating: 0, count: 4096)
                var heard = 0
                while heard < count {
                    let got = recv(connection, &bytes, bytes.count, 0)
                    guard got > 0 else { return }
                    heard += got
                }
            case .hangUp: shutdown(connection, Int32(SHUT_RDWR))
            case .stay: return
            }
        }
    }
}

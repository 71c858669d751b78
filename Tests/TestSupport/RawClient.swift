import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A TCP client that sends bytes and takes frames, one call at a time: what waits, waits on the caller's thread.
public final class RawClient {
    public enum Failure: Error {
        case notConnected
        /// Nothing came for so long that nothing will.
        case silence
        /// The other side has ended the connection.
        case closed
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0

    /// - Parameter patience: seconds without a byte after which reading fails: for tests that would hang otherwise.
    public init(port: Int, patience: Int = 120) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else {
            close(descriptor)
            throw Failure.notConnected
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var time = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Ends the connection now, as a program that dies does.
    public func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// - Returns: whether all of it was taken.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(descriptor, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Sends a message with its length before it.
    @discardableResult
    public func send(body: [UInt8]) -> Bool {
        let count = UInt32(body.count)
        return send((0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } + body)
    }

    /// The next message.
    /// - Throws: `Failure.closed` at the end of the connection, `silence`.
    public func receive() throws -> [UInt8] {
        while true {
            if let body = takeBody() { return body }
            try readMore()
        }
    }

    /// Whether the other side ends the connection, whatever it may say before.
    public func isClosedByPeer() throws -> Bool {
        do {
            while true { _ = try receive() }
        } catch Failure.closed {
            return true
        }
    }

    private func takeBody() -> [UInt8]? {
        guard buffer.count - start >= 4 else { return nil }
        let count = buffer[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        guard buffer.count - start >= 4 + count else { return nil }
        defer {
            start += 4 + count
            if start == buffer.count {
                buffer.removeAll(keepingCapacity: true)
                start = 0
            }
        }
        return Array(buffer[start + 4..<start + 4 + count])
    }

    private func readMore() throws {
        if start > 1 << 16 {
            buffer.removeFirst(start)
            start = 0
        }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count == 0 || count < 0 && errno == ECONNRESET { throw Failure.closed }
        guard count > 0 else { throw Failure.silence }
        buffer.append(contentsOf: bytes.prefix(count))
    }
}

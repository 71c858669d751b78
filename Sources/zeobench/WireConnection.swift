import Foundation
import ZEOProtocol
import ZODB

/// A client's end of a ZEO connection with nothing around it, so that the server is what is measured.
final class WireConnection {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    let descriptor: Int32
    private var input = [UInt8](repeating: 0, count: 1 << 18)
    private var start = 0
    private var end = 0

    /// Connects, greets and registers.
    init(port: Int, registers: Bool = true) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let why = String(cString: strerror(errno))
            Glibc.close(descriptor)
            throw Failed(description: "port \(port): \(why)")
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        guard registers else { return }
        let greeting = try next()
        send(Frame.bytes(greeting))
        send(Self.call(1, "register", [.string("1"), .integer(0)]))
        _ = try reply()
    }

    deinit { Glibc.close(descriptor) }

    static func call(_ id: Int64, _ name: String, _ arguments: [WireValue], isOneWay: Bool = false) -> [UInt8] {
        Frame.bytes(
            Message(id: .integer(id), isOneWay: isOneWay, name: name, arguments: .tuple(arguments))
                .body(in: .pickle))
    }

    func send(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, 0) }
            guard count > 0 else { return }
            done += count
        }
    }

    /// Takes what has arrived; waits for something.
    func fill() throws {
        if start > 0 {
            input.withUnsafeMutableBytes { buffer in
                _ = memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
            }
            end -= start
            start = 0
        }
        if end == input.count { input += [UInt8](repeating: 0, count: input.count) }
        let count = input.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + end, $0.count - end, 0) }
        guard count > 0 else { throw Failed(description: "the server has closed the connection") }
        end += count
    }

    /// Where the next complete message is, when it is there.
    private func available() -> Range<Int>? {
        guard end - start >= 4 else { return nil }
        let size = input[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        guard end - start >= 4 + size else { return nil }
        return start + 4..<start + 4 + size
    }

    /// Counts the complete messages that are there, and lets them go.
    func takeAll() -> Int {
        var count = 0
        while let range = available() {
            start = range.upperBound
            count += 1
        }
        return count
    }

    /// The next message's body; waits for it.
    func next() throws -> [UInt8] {
        while true {
            if let range = available() {
                start = range.upperBound
                return Array(input[range])
            }
            try fill()
        }
    }

    /// The next message's body, when all of it is there.
    func buffered() -> [UInt8]? {
        guard let range = available() else { return nil }
        start = range.upperBound
        return Array(input[range])
    }

    /// The next reply's value, other messages passed over.
    func reply() throws -> WireValue {
        while true {
            let message = try Message(try next(), encoding: .pickle)
            guard message.isReply else { continue }
            guard !message.isException else { throw Failed(description: "the server says \(message.arguments)") }
            return message.arguments
        }
    }
}

import Foundation
import ZEOProtocol
import ZODB

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A server that runs on this machine: each input is sent by a client of its own in some dialect, and now and then a client
/// that behaves has to be answered as ever.
///
/// Nothing but the loopback address is ever connected to.
final class LiveServerTarget: Target {
    let name = "live server"
    private let port: Int
    private var mutator: Mutator
    private var count = 0
    private let wellBehaved: LoopbackClient
    /// Mutated clients that stay: silent ones, and ones in the middle of a message.
    private var lingering: [LoopbackClient] = []

    struct NotServed: Error, CustomStringConvertible {
        let description: String
    }

    init(port: Int, seed: UInt64) throws {
        self.port = port
        mutator = Mutator(seed: seed)
        guard let client = LoopbackClient(port: port), client.greet(.z5, python2: false),
            client.receive() != nil
        else { throw NotServed(description: "there is no ZEO server at port \(port)") }
        wellBehaved = client
    }

    func run(_ input: [UInt8]) -> String? {
        count += 1
        guard let client = LoopbackClient(port: port) else { return "the server takes no connections any more" }
        let dialect = Dialects.all[mutator.below(Dialects.all.count)]
        switch mutator.below(10) {
        case 0: client.send(input)
        case 1:
            _ = client.receive()
            client.send(frame(input))
        default:
            guard client.greet(dialect, python2: mutator.below(2) == 0) else { break }
            // What mutation starts from is in one dialect: sent whole, in its own frame, or with others behind it.
            client.send(mutator.below(8) == 0 ? input : frame(input))
            if mutator.below(3) == 0 { client.send(frame(input)) }
            client.drain()
        }
        lingering.append(client)
        if lingering.count > 50 { lingering.removeFirst(25) }
        return count.isMultiple(of: 20) ? look() : nil
    }

    private func frame(_ body: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (24 - 8 * $0)) } + body
    }

    /// Whether the client that behaves is answered, in time and with what it asked for.
    private func look() -> String? {
        let id = WireValue.integer(Int64(count))
        let call = Message(id: id, name: "lastTransaction", arguments: .tuple([]))
        wellBehaved.send(frame(call.body(in: .pickle)))
        while true {
            guard let body = wellBehaved.receive() else { return "a client that behaves has lost its connection" }
            guard let message = try? Message(body, encoding: .pickle) else {
                return "a client that behaves was sent what cannot be read"
            }
            if !message.isReply { continue }
            guard message.id == id, message.arguments.rawBytes?.count == 8 else {
                return "a client that behaves was answered \(message)"
            }
            return nil
        }
    }
}

/// A socket to a port of this machine.
final class LoopbackClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init?(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        var time = timeval(tv_sec: 15, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        if !connected { return nil }
    }

    deinit { close(descriptor) }

    /// Reads the greeting, answers it, and registers.
    func greet(_ dialect: Dialect, python2: Bool) -> Bool {
        guard receive() != nil else { return false }
        let text = Array(dialect.description.utf8)
        let register = Dialects.register(in: dialect, python2: python2)
        send([0, 0, 0, UInt8(text.count)] + text + [0, 0, 0, UInt8(register.count)] + register)
        return true
    }

    func send(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            done += count
        }
    }

    /// The next message; nil at the end of the connection, or when nothing comes for long.
    func receive() -> [UInt8]? {
        while true {
            if buffer.count >= 4 {
                let size = buffer[0..<4].reduce(0) { $0 << 8 | Int($1) }
                if buffer.count >= 4 + size {
                    defer { buffer.removeFirst(4 + size) }
                    return Array(buffer[4..<4 + size])
                }
            }
            var bytes = [UInt8](repeating: 0, count: 1 << 14)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return nil }
            buffer += bytes.prefix(count)
        }
    }

    /// Takes what is there, without waiting.
    func drain() {
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        while recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)) > 0 {}
    }
}

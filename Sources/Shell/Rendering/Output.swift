internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Where rendered text goes: buffered, to a descriptor, a pager or (in tests) a string.
///
/// One thread's; not Sendable.
public final class Output {
    /// The reader went away (`| head`): nothing more need be written, and nothing is wrong.
    public struct Closed: Error {}

    private let sink: ([UInt8]) throws -> Void
    private var buffer: [UInt8] = []
    /// Lines are passed on as they end: someone watches.
    private let isUnbuffered: Bool

    public init(isUnbuffered: Bool = false, sink: @escaping ([UInt8]) throws -> Void) {
        self.sink = sink
        self.isUnbuffered = isUnbuffered
    }

    /// To a descriptor of the system.
    public convenience init(descriptor: Int32, isUnbuffered: Bool = false) {
        self.init(isUnbuffered: isUnbuffered) { try Output.write($0, to: descriptor) }
    }

    public func write(_ text: String) throws {
        buffer.append(contentsOf: text.utf8)
        try passOn()
    }

    public func write(bytes: [UInt8]) throws {
        buffer.append(contentsOf: bytes)
        try passOn()
    }

    public func flush() throws {
        guard !buffer.isEmpty else { return }
        let bytes = buffer
        buffer.removeAll(keepingCapacity: true)
        try sink(bytes)
    }

    private func passOn() throws {
        if buffer.count >= 65_536 || (isUnbuffered && buffer.last == 10) { try flush() }
    }

    /// All of `bytes`.
    /// - Throws: `Closed` when nobody reads any more, `ShellFailure` for any other error.
    static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE {
                throw Closed()
            } else if errno == EAGAIN {
                if Signals.wasToldToEnd { throw StorageError.interrupted }
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&waiting, 1, 100)
            } else if errno != EINTR {
                throw ShellFailure(.io("writing", errno: errno))
            }
        }
    }
}

internal import ByteCoding

/// How messages lie in the stream: `length u32, big-endian · that many bytes`, nothing else.
///
/// Bit 31 of the length marks a message with a checksum, which only authenticated connections up to `Z4` have.
public enum Frame {
    /// What Python peers accept has no limit. Ours is far above any record seen, and below what a length word of
    /// random bytes says: a stream that is out of step ends here.
    public static let defaultLimit = 1 << 28

    /// `body` with its length before it.
    /// - Parameter code: goes between the two, on a connection whose client has logged in.
    public static func bytes(_ body: [UInt8], code: [UInt8]? = nil) -> [UInt8] {
        var writer = ByteWriter(capacity: body.count + 4 + (code?.count ?? 0))
        // A message of 4 GiB cannot be sent; none of ours comes near.
        let length = UInt32(truncatingIfNeeded: body.count)
        writer.write(code == nil ? length : length | MessageAuthenticator.flag)
        if let code { writer.write(code) }
        writer.write(body)
        return writer.bytes
    }
}

/// A length word that cannot be one.
public struct FrameError: Error, Hashable, Sendable {
    /// The word as it stood in the stream.
    public let lengthWord: UInt32
    public let limit: Int
}

/// Cuts a stream of bytes into message bodies, however the network split or joined them.
public struct FrameSplitter: Sendable {
    /// A message, and the code that came with it; empty where none belongs.
    public struct Part: Hashable, Sendable {
        public var body: [UInt8]
        public var code: [UInt8]
    }

    /// The longest body taken from now on, in bytes.
    public var limit: Int
    /// Whether every message from now on has a code before its body.
    public var hasCodes = false
    private var buffer: [UInt8] = []
    private var start = 0

    public init(limit: Int = Frame.defaultLimit) {
        self.limit = limit
    }

    public mutating func append(_ bytes: [UInt8]) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.count < 1 << 20)
            start = 0
        } else if start > 1 << 16, start > buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// What has arrived and was not yet handed out as a body, its length word included.
    public var pending: ArraySlice<UInt8> { buffer[start...] }

    /// The next complete body; nil when more bytes must arrive first.
    public mutating func next() throws(FrameError) -> [UInt8]? { try nextPart()?.body }

    /// The next complete message; nil when more bytes must arrive first.
    /// - Throws: `FrameError` for a length beyond the limit, for a code where none belongs, and where one is missing.
    public mutating func nextPart() throws(FrameError) -> Part? {
        guard buffer.count - start >= 4 else { return nil }
        let word = buffer[start..<start + 4].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        let hasCode = word & MessageAuthenticator.flag != 0
        let size = Int(word & ~MessageAuthenticator.flag)
        guard hasCode == hasCodes, size <= limit else { throw FrameError(lengthWord: word, limit: limit) }
        let first = start + 4
        let body = first + (hasCode ? MessageAuthenticator.size : 0)
        guard buffer.count - body >= size else { return nil }
        start = body + size
        return Part(body: Array(buffer[body..<start]), code: Array(buffer[first..<body]))
    }
}

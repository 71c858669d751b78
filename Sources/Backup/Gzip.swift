internal import ByteCoding
internal import CZlib
internal import ZODB

/// Compresses as gzip does, into a function that takes the bytes.
struct GzipWriter: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8](repeating: 0, count: 256 << 10)

    /// zlib's number for a gzip wrapper: 15 bits of window, plus 16.
    private static let windowBits: Int32 = 31

    init() throws(StorageError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, Self.windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        // ENOMEM
        guard status == Z_OK else { throw .io("compressing", errno: 12) }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    mutating func write(
        _ bytes: UnsafeRawBufferPointer, to sink: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        // zlib counts in 32 bits; callers hand over a few megabytes at most.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(bytes.count)
        try run(Z_NO_FLUSH, sink)
    }

    mutating func finish(_ sink: (UnsafeRawBufferPointer) throws(StorageError) -> Void) throws(StorageError) {
        unsafe stream.pointee.next_in = nil
        unsafe stream.pointee.avail_in = 0
        try run(Z_FINISH, sink)
    }

    private mutating func run(
        _ mode: Int32, _ sink: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        while try unsafe step(stream, &output, sink, { unsafe deflate($0, mode) }).isFull {}
    }
}

/// Lets zlib fill the output once, and hands on what came of it.
/// - Returns: what zlib said, and whether it would have had more.
private func step(
    _ stream: UnsafeMutablePointer<z_stream>, _ output: inout [UInt8],
    _ sink: (UnsafeRawBufferPointer) throws(StorageError) -> Void, _ call: (UnsafeMutablePointer<z_stream>) -> Int32
) throws(StorageError) -> (status: Int32, isFull: Bool) {
    var failure: StorageError?
    var status = Z_OK
    let isFull = unsafe output.withUnsafeMutableBytes { buffer -> Bool in
        unsafe stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(buffer.count)
        status = unsafe call(stream)
        let made = unsafe buffer.count - Int(stream.pointee.avail_out)
        do throws(StorageError) {
            if made > 0 { try unsafe sink(UnsafeRawBufferPointer(rebasing: buffer[..<made])) }
        } catch {
            failure = error
        }
        return unsafe stream.pointee.avail_out == 0
    }
    if let failure { throw failure }
    return (status, isFull)
}

/// Undoes what gzip did, a piece at a time; of several members one after the other, as gzip itself does.
struct GzipReader: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8](repeating: 0, count: 1 << 20)
    /// Where in the compressed bytes it is, for messages.
    private var place = 0
    private let name: String
    /// Whether a member has begun and not ended.
    private var isInside = false

    init(_ name: String) throws(StorageError) {
        self.name = name
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { throw .io("decompressing \(name)", errno: 12) }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// - Throws: `corrupt` when the bytes are not gzip's.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, to sink: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(bytes.count)
        var isFull = false
        while unsafe stream.pointee.avail_in > 0 || isFull {
            isInside = true
            let status: Int32
            (status, isFull) = try unsafe step(stream, &output, sink) { unsafe inflate($0, Z_NO_FLUSH) }
            switch status {
            case Z_OK: break
            // Nothing to do until more comes.
            case Z_BUF_ERROR: isFull = false
            case Z_STREAM_END:
                isInside = false
                isFull = false
                unsafe inflateReset(stream)
            default:
                let offset = unsafe place + bytes.count - Int(stream.pointee.avail_in)
                throw .corrupt(name, FormatError(.invalid(field: "compressed bytes", found: "damage"), at: offset))
            }
        }
        place += bytes.count
    }

    /// - Throws: `corrupt` when the bytes ended too early.
    func finish() throws(StorageError) {
        guard !isInside, place > 0 else {
            throw .corrupt(name, FormatError(.truncated(needed: place + 1, available: place), at: place))
        }
    }
}

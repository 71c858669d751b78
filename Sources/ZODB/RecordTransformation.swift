public import ByteCoding
internal import CZlib

/// What a wrapper around a storage did to a record before it was stored.
///
/// `zc.zlibstorage` writes `.z` and a zlib stream of the whole record where that is shorter, and leaves other records
/// plain; both kinds lie side by side in one database, and over ZEO the client may have to undo it. `.` is the opcode
/// STOP, so no pickle starts with it. Encrypting storages use other letters after the dot; without their key such a
/// record stays as it is.
public enum RecordTransformation: Hashable, Sendable {
    /// The record as its pickler wrote it.
    case plain
    /// `.z`: a zlib stream.
    case zlib
    /// `.` and another byte: a transformation that we cannot undo.
    case unknown(UInt8)

    /// What was done to `data`, by its first two bytes.
    public init(of data: some Collection<UInt8>) {
        var bytes = data.makeIterator()
        guard bytes.next() == UInt8(ascii: "."), let kind = bytes.next() else {
            self = .plain
            return
        }
        self = kind == UInt8(ascii: "z") ? .zlib : .unknown(kind)
    }

    /// How large a record may grow: 16 MiB, or 128 times its stored size where that is more, and never over 1 GiB.
    ///
    /// (zlib itself allows 1,032 times.)
    public static func inflatedLimit(of storedSize: Int) -> Int {
        storedSize < 8 << 20 ? max(16 << 20, storedSize * 128) : 1 << 30
    }

    /// The record with `.z` undone; any other record unchanged.
    /// - Throws: `FormatError` when the stream is damaged, incomplete, followed by more bytes, or passes `limit` (by
    ///   default `inflatedLimit`).
    public static func undone(_ data: [UInt8], limit: Int? = nil) throws(FormatError) -> [UInt8] {
        guard RecordTransformation(of: data) == .zlib else { return data }
        return try Inflation().inflate(data, from: 2, limit: limit ?? inflatedLimit(of: data.count))
    }
}

/// One zlib stream, inflated piece by piece, so that no more memory is taken than the stream fills.
private struct Inflation: ~Copyable {
    /// On the heap: zlib wants to find its stream at the same address in every call.
    private let stream: UnsafeMutablePointer<z_stream>

    private static let pieceSize = 64 << 10

    init() throws(FormatError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe inflateInit_(stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            throw FormatError(.invalid(field: "zlib", found: "no decompressor, error \(status)"), at: 0)
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func inflate(_ source: [UInt8], from first: Int, limit: Int) throws(FormatError) -> [UInt8] {
        guard source.count < Int(UInt32.max) else {
            throw FormatError(.invalid(field: "compressed record", found: "\(source.count) bytes"), at: 0)
        }
        var result: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: Self.pieceSize)
        var consumed = first
        while true {
            let (status, taken, made) = step(source, from: consumed, into: &piece)
            consumed += taken
            guard made <= limit - result.count else {
                throw FormatError(.invalid(field: "compressed record", found: "more than \(limit) bytes"), at: consumed)
            }
            result.append(contentsOf: piece[..<made])
            switch status {
            case Z_STREAM_END where consumed == source.count:
                return result
            case Z_STREAM_END:
                let rest = "\(source.count - consumed) bytes after its end"
                throw FormatError(.invalid(field: "compressed record", found: rest), at: consumed)
            case Z_OK where taken > 0 || made > 0:
                continue
            case Z_OK, Z_BUF_ERROR:
                throw FormatError(.truncated(needed: 1, available: 0), at: consumed)
            default:
                throw FormatError(.invalid(field: "compressed record", found: "zlib error \(status)"), at: consumed)
            }
        }
    }

    /// One call of zlib's `inflate`: its status, how many bytes it took and how many it made.
    private func step(
        _ source: [UInt8], from first: Int, into piece: inout [UInt8]
    ) -> (status: Int32, taken: Int, made: Int) {
        unsafe source.withUnsafeBufferPointer { input in
            unsafe piece.withUnsafeMutableBufferPointer { output in
                // zlib declares its input mutable and does not write to it. It keeps neither pointer: the next call
                // sets both again.
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)?.advanced(by: first)
                unsafe stream.pointee.avail_in = UInt32(input.count - first)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = UInt32(output.count)
                let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                let taken = unsafe input.count - first - Int(stream.pointee.avail_in)
                let made = unsafe output.count - Int(stream.pointee.avail_out)
                return (status, taken, made)
            }
        }
    }
}

internal import ByteCoding
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A part of a file in memory that moves on with its reader: one `pread` for 256 KiB instead of one for each field.
///
/// (A mapping would be as fast, and a file truncated under it would kill the program. Of a file that is locked for a pack it
/// may be one: then nothing is copied, and there is no slack behind the file's end.)
struct FileWindow: ~Copyable {
    /// Larger windows leave the processor's cache: 4 MiB cost 10 % more.
    static let defaultSize = 256 << 10
    /// How much of a map is handed out between two looks at the watch.
    private static let mapStep = 4 << 20
    /// Readable bytes behind the data, whatever they hold: a fast reader may look at an argument that is not there.
    static let slack = 16

    let file: DataFile
    /// Where the file ends for this reader.
    let limit: Int
    private let watch: ScanWatch?
    /// Where there is one, `memory` is it.
    private let map: FileMap?

    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    /// The offset in the file of the first byte in memory, and how many are there.
    private var start: Int
    private var filled = 0

    /// - Parameter expected: how many bytes are likely to be read in all; a small number saves memory.
    init(
        _ file: DataFile, from start: Int, limit: Int, expected: Int = .max, watch: ScanWatch? = nil,
        map: FileMap? = nil
    ) throws(StorageError) {
        self.file = file
        self.limit = limit
        self.watch = watch
        if let map, let base = unsafe map.bytes(at: 0, count: limit)?.baseAddress {
            self.map = map
            unsafe memory = UnsafeMutableRawPointer(mutating: base)
            capacity = 0
            self.start = 0
            return
        }
        self.map = nil
        self.start = start
        capacity = min(Self.defaultSize, max(512, min(expected, limit - start)))
        memory = try unsafe Self.allocate(capacity, for: file)
    }

    deinit { if map == nil { unsafe free(memory) } }

    /// `count` bytes of the file at `offset`, valid until the next call.
    /// - Throws: `corrupt` when they reach beyond `limit`, `interrupted`, `io`.
    @inline(__always)
    mutating func bytes(at offset: Int, count: Int) throws(StorageError) -> UnsafeRawBufferPointer {
        let skipped = offset &- start
        if skipped < 0 || skipped > filled || count > filled &- skipped {
            try fill(offset, count)
        }
        // In bounds: either checked above, or `fill` made it so.
        return unsafe UnsafeRawBufferPointer(start: memory + (offset &- start), count: count)
    }

    /// Brings `count` bytes at `offset` into memory, and as many after them as fit.
    private mutating func fill(_ offset: Int, _ count: Int) throws(StorageError) {
        guard offset >= 0, offset <= limit, count >= 0, count <= limit - offset else {
            let available = max(0, limit - offset)
            throw .corrupt(file.path, FormatError(.truncated(needed: count, available: available), at: offset))
        }
        try watch?.check(at: offset)
        if map != nil {
            filled = min(limit, max(filled, offset + count + Self.mapStep))
            return
        }

        let skipped = offset - start
        let kept = (0..<filled).contains(skipped) ? filled - skipped : 0
        let tail = unsafe kept > 0 ? memory + skipped : memory
        if count > capacity {
            let larger = try unsafe Self.allocate(count, for: file)
            unsafe memcpy(larger, tail, kept)
            unsafe free(memory)
            unsafe memory = larger
            capacity = count
        } else {
            unsafe memmove(memory, tail, kept)
        }
        start = offset
        filled = kept
        let room = min(capacity, limit - offset) - kept
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: memory + kept, count: room)
        filled += try unsafe file.read(into: buffer, at: offset + kept)
        guard filled >= count else {
            // The file has become shorter than it was.
            throw .corrupt(file.path, FormatError(.truncated(needed: count, available: filled), at: offset))
        }
    }

    private static func allocate(_ size: Int, for file: DataFile) throws(StorageError) -> UnsafeMutableRawPointer {
        guard let memory = unsafe calloc(1, size + slack) else { throw .io(file.path, errno: ENOMEM) }
        return unsafe memory
    }
}

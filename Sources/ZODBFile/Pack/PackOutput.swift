internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The file that a pack writes, through a buffer of a few megabytes.
///
/// A thread of its own flushes it piece by piece, while more is written: a flush of hundreds of megabytes at the end would
/// hold up everybody else's.
struct PackOutput: ~Copyable {
    private static let capacity = 4 << 20

    let file: DataFile
    private let watch: PackWatch
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0
    /// Bytes in the file, without the buffer's.
    private var written = 0
    private let flushing: PackFlushing

    init(_ file: DataFile, watch: PackWatch) {
        self.file = file
        flushing = PackFlushing(file)
        flushing.start()
        self.watch = watch
        unsafe buffer = .allocate(byteCount: Self.capacity, alignment: 16)
    }

    deinit {
        flushing.end()
        unsafe buffer.deallocate()
    }

    /// Where the next byte will stand.
    var position: Int { written + filled }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
        if bytes.count > Self.capacity - filled {
            try flush()
            guard bytes.count <= Self.capacity else {
                try unsafe file.write(bytes, at: written)
                try handOver(bytes.count)
                return
            }
        }
        if let source = bytes.baseAddress {
            unsafe memcpy(buffer.baseAddress! + filled, source, bytes.count)  // swift-format-ignore: NeverForceUnwrap
        }
        filled += bytes.count
    }

    mutating func append(_ value: UInt64) throws(StorageError) {
        try reserve(8)
        unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: filled, as: UInt64.self)
        filled += 8
    }

    /// A record's head.
    mutating func append(_ header: RecordHeader, previous: Int, transaction: Int, dataSize: Int) throws(StorageError) {
        try reserve(RecordHeader.fixedSize)
        let start = filled
        func store(_ value: UInt64, _ offset: Int) {
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: start + offset, as: UInt64.self)
        }
        store(header.oid.rawValue, 0)
        store(header.serial.rawValue, 8)
        store(UInt64(previous), 16)
        store(UInt64(transaction), 24)
        unsafe buffer.storeBytes(of: 0, toByteOffset: start + 32, as: UInt16.self)
        store(UInt64(dataSize), 34)
        filled += RecordHeader.fixedSize
    }

    /// Overwrites 8 bytes that have been appended.
    mutating func patch(_ value: UInt64, at position: Int) throws(StorageError) {
        if position < written { try flush() }
        if position >= written {
            unsafe buffer.storeBytes(of: value.bigEndian, toByteOffset: position - written, as: UInt64.self)
        } else {
            var bytes: [UInt8] = []
            bytes.appendBigEndian(value)
            try file.write(bytes, at: position)
        }
    }

    mutating func patch(_ byte: UInt8, at position: Int) throws(StorageError) {
        if position < written { try flush() }
        if position >= written {
            unsafe buffer[position - written] = byte
        } else {
            try file.write([byte], at: position)
        }
    }

    /// The head of a record that has been appended.
    func header(at position: Int) throws(StorageError) -> RecordHeader {
        if position >= written, position <= self.position - RecordHeader.fixedSize {
            let start = position - written
            let bytes = unsafe UnsafeRawBufferPointer(buffer)[start..<start + RecordHeader.fixedSize]
            return unsafe RecordHeader(UnsafeRawBufferPointer(rebasing: bytes), at: position)
        }
        let bytes = try file.bytes(at: position, count: RecordHeader.fixedSize)
        guard bytes.count == RecordHeader.fixedSize else {
            throw .wrongState("\(file.path): it has become shorter")
        }
        return bytes.withUnsafeBytes { unsafe RecordHeader($0, at: position) }
    }

    private mutating func reserve(_ count: Int) throws(StorageError) {
        if count > Self.capacity - filled { try flush() }
    }

    mutating func flush() throws(StorageError) {
        guard filled > 0 else { return }
        let count = filled
        try unsafe file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: written)
        filled = 0
        try handOver(count)
    }

    /// Returns when what was flushed from the buffer is on the disk.
    func sync() throws(StorageError) {
        try flushing.requireSuccess()
        try file.sync()
    }

    private mutating func handOver(_ count: Int) throws(StorageError) {
        written += count
        flushing.note(written)
        try watch.moved(count)
    }
}

/// Flushes a file as it grows.
final class PackFlushing: Sendable {
    private struct State {
        var written = 0
        var flushed = 0
        var failure: StorageError?
        var isToEnd = false
        var hasEnded = false
    }

    private static let piece = 16 << 20

    private let file: DataFile
    private let state = Monitor(State())

    init(_ file: DataFile) { self.file = file }

    func start() {
        do throws(StorageError) {
            try BackgroundThread.start { [self] in run() }
        } catch {
            // No more threads: all is flushed at the end.
            state.change { $0.hasEnded = true }
        }
    }

    private func run() {
        while let written = state.wait(for: { Self.next($0) }) {
            do throws(StorageError) {
                try file.sync()
                state.withLock { $0.flushed = written }
            } catch {
                state.withLock { $0.failure = error }
                break
            }
        }
        state.change { $0.hasEnded = true }
    }

    /// What to flush up to; nil inside: the end; nil: nothing yet.
    private static func next(_ state: State) -> Int?? {
        if state.isToEnd { return .some(nil) }
        return state.written - state.flushed >= piece ? .some(state.written) : nil
    }

    func note(_ written: Int) { state.change { $0.written = written } }

    /// - Throws: what a flush has thrown. The next one might say that all is well, since the system tells it once.
    func requireSuccess() throws(StorageError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Waits for a flush under way.
    func end() {
        state.change { $0.isToEnd = true }
        state.wait { $0.hasEnded ? () : nil }
    }
}

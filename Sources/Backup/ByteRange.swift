internal import ByteCoding
public import ZODB
public import ZODBFile

/// What long work over a file's bytes looks at: whether to stop, and whom to tell.
public struct BackupWatch: Sendable {
    public var interruption: Interruption?
    /// Told now and then how far something has come, on the caller's thread.
    public var progress: (@Sendable (ScanProgress) -> Void)?

    public init(interruption: Interruption? = nil, progress: (@Sendable (ScanProgress) -> Void)? = nil) {
        (self.interruption, self.progress) = (interruption, progress)
    }

    func check(_ task: String, _ done: Int, of total: Int) throws(StorageError) {
        try interruption?.check()
        progress?(ScanProgress(task: task, done: done, total: total))
    }
}

extension DataFile {
    private static let chunkSize = 1 << 20

    /// Calls `body` with the bytes of `range`, a megabyte at a time, and where each piece begins.
    /// - Throws: `corrupt` when the file ends before.
    func forEachChunk(
        of range: Range<Int>, _ body: (UnsafeRawBufferPointer, Int) throws(StorageError) -> Void
    ) throws(StorageError) {
        let size = max(1, min(Self.chunkSize, range.count))
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { unsafe memory.deallocate() }
        var place = range.lowerBound
        while place < range.upperBound {
            let wanted = unsafe UnsafeMutableRawBufferPointer(
                rebasing: memory[..<min(size, range.upperBound - place)])
            let count = try unsafe read(into: wanted, at: place)
            guard count == wanted.count else {
                throw .corrupt(
                    path, FormatError(.truncated(needed: range.upperBound - place, available: count), at: place))
            }
            try unsafe body(UnsafeRawBufferPointer(wanted), place)
            place += count
        }
    }

    /// The MD5 of the bytes of `range`, in hexadecimal digits.
    func md5(
        of range: Range<Int>, _ watch: BackupWatch = BackupWatch(), task: String = "reading"
    ) throws(StorageError) -> String {
        var hash = MD5()
        try forEachChunk(of: range) { (bytes, place) throws(StorageError) in
            try watch.check(task, place - range.lowerBound, of: range.count)
            hash.update(unsafe bytes)
        }
        return Hexadecimal.text(hash.digest)
    }
}

extension MD5 {
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe update(Span(_unsafeElements: $0)) }
    }
}

extension SHA256 {
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe update(Span(_unsafeElements: $0)) }
    }
}

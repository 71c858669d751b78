internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The file of a blob that a client has sent, before a storage takes it: removed with the last reference unless it was
/// handed on.
final class ReceivedBlob: Sendable {
    let path: String
    private struct State: Sendable {
        /// nil from the flush on: many blobs may wait for one vote, and descriptors are few.
        var descriptor: Int32?
        /// Bytes written so far.
        var size = 0
        /// Why no more can be.
        var failure: StorageError?

        mutating func close() {
            if let descriptor { _ = Glibc.close(descriptor) }
            descriptor = nil
        }
    }

    private let state: Mutex<State>

    /// A new file in `directory`.
    /// - Throws: `io`.
    init(in directory: String) throws(StorageError) {
        while true {
            let path = "\(directory)/zeo-\(getpid())-\(UInt64.random(in: 0...UInt64.max)).tmp"
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw .io("\(directory), a file for a blob", errno: errno) }
            state = Mutex(State(descriptor: descriptor))
            self.path = path
            return
        }
    }

    /// A file that is there.
    /// - Throws: `io` when it is none, or no plain file.
    init(existing path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw .io("the file of a blob", errno: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            _ = Glibc.close(descriptor)
            throw .io("the file of a blob is no plain file", errno: EINVAL)
        }
        state = Mutex(State(descriptor: descriptor))
        self.path = path
    }

    /// Returns when the bytes would survive a power cut: before the storage's turn is taken, not during it. Nothing can be
    /// added afterwards.
    /// - Throws: `io`; what `append` has thrown before.
    func flush() throws(StorageError) {
        try state.withLock { (state) throws(StorageError) in
            if let failure = state.failure { throw failure }
            guard let descriptor = state.descriptor else { return }
            guard fdatasync(descriptor) == 0 else { throw .io(path, errno: errno) }
            state.close()
        }
    }

    deinit {
        state.withLock { $0.close() }
        // Renamed away when a storage has taken it.
        unlink(path)
    }

    /// - Throws: `io`, and again from then on: a piece is missing.
    func append(_ bytes: [UInt8]) throws(StorageError) {
        try state.withLock { (state) throws(StorageError) in
            if let failure = state.failure { throw failure }
            do throws(StorageError) {
                guard let descriptor = state.descriptor else { throw .wrongState("a piece behind the end of a blob") }
                try Self.write(bytes, to: descriptor, at: state.size, path)
                state.size += bytes.count
            } catch {
                state.failure = error
                throw error
            }
        }
    }

    private static func write(
        _ bytes: [UInt8], to descriptor: Int32, at start: Int, _ path: String
    ) throws(StorageError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                unsafe pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(start + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .io(path, errno: count == 0 ? EIO : errno) }
            done += count
        }
    }

    /// Its bytes, a piece at a time.
    /// - Throws: `io`.
    func contents() throws(StorageError) -> any Cursor<[UInt8]> { try BlobFileCursor(self) }
}

/// Reads a received blob again.
private final class BlobFileCursor: Cursor {
    private static let piece = 1 << 20

    /// Keeps the file.
    private let blob: ReceivedBlob
    private let descriptor: Int32
    private var offset = 0

    init(_ blob: ReceivedBlob) throws(StorageError) {
        self.blob = blob
        descriptor = open(blob.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .io(blob.path, errno: errno) }
    }

    deinit { if descriptor >= 0 { _ = Glibc.close(descriptor) } }

    func next() throws(StorageError) -> [UInt8]? {
        var number: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.piece) { buffer, count in
            let result = unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if result < 0 { number = errno }
            count = max(0, result)
        }
        guard number == 0 else { throw .io(blob.path, errno: number) }
        offset += bytes.count
        return bytes.isEmpty ? nil : bytes
    }
}

internal import Synchronization
package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file read, and perhaps written, at positions: the one place where this target asks the system for bytes.
///
/// Opening takes no lock. The descriptor is closed when the last user lets go, so a reader of a file that a pack has
/// replaced goes on reading the old one.
package final class DataFile: Sendable {
    package enum Access: Sendable {
        /// Nothing is written.
        case reading
        case writing
        /// A file that is not there yet, made with these permissions (and the process's mask).
        case creating(permissions: UInt32)
        /// A file that is made, or emptied.
        case replacing(permissions: UInt32)
        /// A file that is made; what is there by its name is removed before, and no link followed.
        case making(permissions: UInt32)
    }

    /// The name it was opened by, or was given since.
    package var path: String { name.withLock { $0 } }
    private let name: Mutex<String>
    /// Which file it is, whatever its name.
    package let identity: FileIdentity
    let descriptor: Int32
    private let calls: FileCalls
    /// The files that this one consists of; nil for a file of its own.
    private let joined: JoinedFiles?

    /// - Throws: `io` when the file cannot be opened, or is no regular file.
    package init(
        _ path: String, _ access: Access = .reading, calls: FileCalls = .system
    ) throws(StorageError) {
        // Not blocking: opening a pipe would wait for its writer. For regular files it means nothing.
        let flags = O_CLOEXEC | O_NONBLOCK
        let descriptor =
            switch access {
            case .reading: open(path, flags | O_RDONLY)
            case .writing: open(path, flags | O_RDWR)
            case .creating(let permissions): open(path, flags | O_RDWR | O_CREAT | O_EXCL, permissions)
            case .replacing(let permissions): open(path, flags | O_RDWR | O_CREAT | O_TRUNC, permissions)
            case .making(let permissions): Self.make(path, flags | O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, permissions)
            }
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let number = errno
            _ = Self.closeDescriptor(descriptor)
            throw .io(path, errno: number)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            _ = Self.closeDescriptor(descriptor)
            throw .io(path, errno: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
        }
        name = Mutex(path)
        self.descriptor = descriptor
        self.calls = calls
        self.identity = FileIdentity(status)
        joined = nil
    }

    /// Several files as if they were one, one behind the other, for reading.
    /// - Parameters:
    ///   - name: what messages call it.
    ///   - limit: where it ends, at the latest.
    /// - Precondition: there is at least one piece.
    package init(joining pieces: [DataFile], upTo limit: Int = .max, name: String) throws(StorageError) {
        self.name = Mutex(name)
        identity = pieces[0].identity
        descriptor = -1
        calls = .system
        joined = try JoinedFiles(pieces, upTo: limit)
    }

    deinit { if descriptor >= 0 { _ = Self.closeDescriptor(descriptor) } }

    /// Somebody has renamed it.
    func noteRenaming(to path: String) { name.withLock { $0 = path } }

    private static func make(_ path: String, _ flags: Int32, _ permissions: UInt32) -> Int32 {
        unlink(path)
        return open(path, flags, permissions)
    }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

    package func size() throws(StorageError) -> Int {
        if let joined { return joined.size }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .io(path, errno: errno) }
        return Int(status.st_size)
    }

    /// Fills `buffer` from `offset` on; fewer bytes only where the file ends.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError) -> Int {
        if let joined { return try unsafe joined.read(into: buffer, at: offset) }
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe calls.read(descriptor, rest, offset + done)
            if count == -Int(EINTR) { continue }
            guard count >= 0 else { throw .io("\(path), at offset \(offset + done)", errno: Int32(-count)) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Up to `count` bytes from `offset` on; fewer only where the file ends.
    package func bytes(at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
        var failure: StorageError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(StorageError) {
                filled = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

extension DataFile {
    /// The file in memory; nil where the system cannot do that.
    func map() -> FileMap? {
        for size in FileMap.sizes {
            guard let base = unsafe calls.map(descriptor, size) else { continue }
            return unsafe FileMap(base: base, size: size, calls: calls)
        }
        return nil
    }
}

// MARK: Writing

extension DataFile {
    /// The file's permission bits.
    package func permissions() throws(StorageError) -> UInt32 {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .io(path, errno: errno) }
        return UInt32(status.st_mode) & 0o777
    }

    /// Writes all of `bytes` at `offset`. An error leaves any part of them written.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe calls.write(descriptor, rest, offset + done)
            if count == -Int(EINTR) { continue }
            guard count >= 0 else { throw .io("\(path), writing at offset \(offset + done)", errno: Int32(-count)) }
            // A disk that takes nothing and says nothing would hold us for ever.
            guard count > 0 else { throw .io("\(path), writing at offset \(offset + done)", errno: EIO) }
            done += count
        }
    }

    package func write(_ bytes: [UInt8], at offset: Int) throws(StorageError) {
        var failure: StorageError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(StorageError) { try unsafe write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Returns when what was written, and the file's length, would survive a power cut.
    ///
    /// After an error nobody knows what the disk holds: the system may have given up the pages it could not write.
    package func sync() throws(StorageError) {
        var number = calls.sync(descriptor)
        while number == EINTR { number = calls.sync(descriptor) }
        guard number == 0 else { throw .io("\(path), flushing", errno: number) }
    }

    package func truncate(to size: Int) throws(StorageError) {
        var number = calls.truncate(descriptor, size)
        while number == EINTR { number = calls.truncate(descriptor, size) }
        guard number == 0 else { throw .io("\(path), truncating to \(size) bytes", errno: number) }
    }

    /// Copies `range` of this file to `target`, at `offset`; ends early where this file does.
    package func copy(_ range: Range<Int>, to target: DataFile, at offset: Int) throws(StorageError) {
        var place = range.lowerBound
        while place < range.upperBound {
            let chunk = try bytes(at: place, count: min(1 << 20, range.upperBound - place))
            guard !chunk.isEmpty else { return }
            try target.write(chunk, at: offset + place - range.lowerBound)
            place += chunk.count
        }
    }
}

/// Which file a descriptor or a path means: two paths with the same identity are one file.
package struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }

    /// The file that `path` names at this moment; nil when there is none.
    package init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}

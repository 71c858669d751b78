package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file opened for reading, read at positions: the one place where this target asks the system for bytes.
///
/// Opening takes no lock and writes nothing. The descriptor is closed when the last user lets go, so a reader of a file
/// that a pack has replaced goes on reading the old one.
package final class DataFile: Sendable {
    package let path: String
    /// Which file it is, whatever its name.
    package let identity: FileIdentity
    private let descriptor: Int32
    private let calls: FileCalls

    /// - Throws: `io` when the file cannot be opened, or is no regular file.
    package init(_ path: String, calls: FileCalls = .system) throws(StorageError) {
        // Not blocking: opening a pipe would wait for its writer. For regular files it means nothing.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
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
        self.path = path
        self.descriptor = descriptor
        self.calls = calls
        self.identity = FileIdentity(status)
    }

    deinit { _ = Self.closeDescriptor(descriptor) }

    private static func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

    package func size() throws(StorageError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .io(path, errno: errno) }
        return Int(status.st_size)
    }

    /// Fills `buffer` from `offset` on; fewer bytes only where the file ends.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError) -> Int {
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

/// Which file a descriptor or a path means: two paths with the same identity are one file.
package struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
    }

    /// The file that `path` names at this moment; nil when there is none.
    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// The system calls behind a `DataFile`; a test puts its own in their place to see what a failing disk does.
package struct FileCalls: Sendable {
    /// Reads into the buffer from an offset: the number of bytes, or the negative error number.
    package var read: @Sendable (_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) -> Int

    package init(read: @escaping @Sendable (Int32, UnsafeMutableRawBufferPointer, Int) -> Int) {
        self.read = read
    }

    package static let system = FileCalls { descriptor, buffer, offset in
        let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, offset)
        return count >= 0 ? count : -Int(errno)
    }
}

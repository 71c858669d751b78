#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The system calls behind a `DataFile`; a test puts its own in their place to see what a failing disk does.
package struct FileCalls: Sendable {
    /// Reads into the buffer from an offset: the number of bytes, or the negative error number.
    package var read: @Sendable (_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) -> Int
    /// Writes the buffer at an offset: the number of bytes, or the negative error number.
    package var write: @Sendable (_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, _ offset: Int) -> Int
    /// Flushes data and length to the disk: 0, or the error number.
    package var sync: @Sendable (_ descriptor: Int32) -> Int32
    /// Sets the file's length: 0, or the error number.
    package var truncate: @Sendable (_ descriptor: Int32, _ size: Int) -> Int32

    /// Maps the file for reading, from its first byte, longer than it is: where, or nil.
    package var map: @Sendable (_ descriptor: Int32, _ size: Int) -> UnsafeRawPointer?
    package var unmap: @Sendable (_ base: UnsafeRawPointer, _ size: Int) -> Void

    package init(
        read: @escaping @Sendable (Int32, UnsafeMutableRawBufferPointer, Int) -> Int = Self.systemRead,
        write: @escaping @Sendable (Int32, UnsafeRawBufferPointer, Int) -> Int = Self.systemWrite,
        sync: @escaping @Sendable (Int32) -> Int32 = Self.systemSync,
        truncate: @escaping @Sendable (Int32, Int) -> Int32 = Self.systemTruncate,
        map: @escaping @Sendable (Int32, Int) -> UnsafeRawPointer? = Self.systemMap,
        unmap: @escaping @Sendable (UnsafeRawPointer, Int) -> Void = Self.systemUnmap
    ) {
        self.read = read
        self.write = write
        self.sync = sync
        self.truncate = truncate
        unsafe self.map = map
        unsafe self.unmap = unmap
    }

    package static let system = FileCalls()

    package static let systemRead: @Sendable (Int32, UnsafeMutableRawBufferPointer, Int) -> Int = {
        let count = unsafe pread($0, $1.baseAddress, $1.count, $2)
        return count >= 0 ? count : -Int(errno)
    }

    package static let systemWrite: @Sendable (Int32, UnsafeRawBufferPointer, Int) -> Int = {
        let count = unsafe pwrite($0, $1.baseAddress, $1.count, $2)
        return count >= 0 ? count : -Int(errno)
    }

    // `fdatasync` writes the length too, where it has changed; only times may stay behind.
    package static let systemSync: @Sendable (Int32) -> Int32 = { fdatasync($0) == 0 ? 0 : errno }

    package static let systemTruncate: @Sendable (Int32, Int) -> Int32 = { ftruncate($0, $1) == 0 ? 0 : errno }

    package static let systemMap: @Sendable (Int32, Int) -> UnsafeRawPointer? = { descriptor, size in
        let base = unsafe mmap(nil, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, descriptor, 0)
        // `MAP_FAILED` is -1.
        return UInt(bitPattern: base) == .max ? nil : UnsafeRawPointer(base)
    }

    package static let systemUnmap: @Sendable (UnsafeRawPointer, Int) -> Void = { base, size in
        _ = unsafe munmap(UnsafeMutableRawPointer(mutating: base), size)
    }
}

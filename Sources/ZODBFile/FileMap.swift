/// A file mapped into memory once, with room to grow: bytes appended later are read through the same map.
///
/// The system kills who touches a page behind the file's end, or one that the disk cannot deliver. So nothing is asked
/// for but what is known to be committed, and only a file that is locked is mapped: see `docs/decisions/`.
// @unchecked: the memory is read only, and stays mapped as long as the object lives.
package final class FileMap: @unchecked Sendable {
    /// Address space costs nothing; where there is a limit on it, less will do.
    static let sizes = [1 << 40, 1 << 38, 1 << 36, 1 << 34, 1 << 32]

    private let base: UnsafeRawPointer
    /// Bytes mapped, of which the file need not have so many.
    private let size: Int
    private let calls: FileCalls

    init(base: UnsafeRawPointer, size: Int, calls: FileCalls) {
        unsafe self.base = base
        self.size = size
        self.calls = calls
    }

    deinit { unsafe calls.unmap(base, size) }

    /// `count` bytes at `offset`; nil when the map does not reach so far.
    /// - Precondition: the file does.
    @inline(__always)
    func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer? {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else { return nil }
        // In bounds of the map, and by the precondition of the file.
        return unsafe UnsafeRawBufferPointer(start: base + offset, count: count)
    }
}

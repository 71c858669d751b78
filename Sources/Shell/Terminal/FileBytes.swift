internal import ObjectGraph
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file that is read here and there; open as long as somebody may read it.
final class FileBytes: RandomAccessBytes {
    let name: String
    let count: Int
    private let descriptor: Int32

    init(_ path: String) throws(StorageError) {
        name = path
        // A pipe, which is none to be read here and there, would keep the call until somebody writes to it.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0 else {
            let number = errno
            close(descriptor)
            throw .io(path, errno: number)
        }
        count = Int(size)
    }

    deinit { close(descriptor) }

    func bytes(in range: Range<Int>) throws(StorageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < bytes.count {
            let read = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, range.lowerBound + done)
            }
            if read < 0, errno == EINTR { continue }
            // Shorter than it was: somebody has cut it.
            guard read > 0 else { throw .io(name, errno: read < 0 ? errno : EIO) }
            done += read
        }
        return bytes
    }
}

internal import Glibc
public import ZODB
internal import ZODBFile

/// A Data.fs that is made beside its place, and put there when it is whole. Given up, nothing is left of it.
public final class NewDataFile {
    public let storage: any RestorableStorage
    private let path: String
    private let temporary: String
    private var isFinished = false

    /// - Throws: `io` when there is a file already, or none can be made.
    public init(
        _ path: String, for generation: PythonGeneration, interruption: Interruption?
    ) throws(StorageError) {
        guard !FileKind.exists(path) else { throw .io(path, errno: EEXIST) }
        self.path = path
        temporary = "\(path).zeoshell-\(getpid())"
        // Left by a process of the same number that was killed.
        Self.remove(temporary)
        // Until it is in its place nobody relies on any of it: it is flushed once, at the end.
        let calls = FileCalls(sync: { _ in 0 })
        let options = FileStorage.Options(
            isWritable: true, newFileGeneration: generation, interruption: interruption)
        storage = try FileStorage(temporary, options: options, calls: calls)
    }

    deinit {
        storage.close()
        Self.remove(temporary)
    }

    /// Puts the file, with its index, in its place.
    /// - Throws: `io`, also when somebody has put a file there meanwhile.
    public func finish() throws(StorageError) {
        storage.close()
        try Self.flush(temporary)
        // Unlike a rename, a link fails where something is already; some file systems have no links.
        if link(temporary, path) != 0 {
            let number = errno
            guard number != EEXIST, !FileKind.exists(path) else { throw .io(path, errno: EEXIST) }
            guard rename(temporary, path) == 0 else { throw .io(path, errno: errno) }
        }
        // Without its index the file is scanned.
        _ = rename(temporary + ".index", path + ".index")
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        try Self.flush(directory)
    }

    private static func flush(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .io("\(path), flushing", errno: errno) }
    }

    private static func remove(_ path: String) {
        for ending in ["", ".index", ".lock", ".tmp"] { unlink(path + ending) }
    }
}

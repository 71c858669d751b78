internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension FileStorage {
    /// Where the file is that this storage has open, when that is not where it was opened.
    package struct Displacement: Hashable, Sendable {
        /// The path it was opened by.
        package var path: String
        /// Whether the path leads to another file now; else to none.
        package var isReplaced: Bool
        /// What the open file is called now; nil when it has no name any more, or the system does not tell.
        package var newPath: String?
        /// A path by which the open file can be read as long as this process has it open, its name gone or not.
        package var openFile: String
    }

    /// What has become of the file when its path does not lead to it any more: somebody has renamed, removed or replaced
    /// it; nil when all is well. Commits are refused then, and what loads answer is gone when this process ends.
    ///
    /// While a pack puts the new file in its place this may be seen for a moment.
    package func displacement() -> Displacement? {
        guard let file = state.withLock({ $0.file }) else { return nil }
        let found = FileIdentity(path: name)
        guard found != file.identity else { return nil }
        let (own, open) = ("/proc/self/fd/\(file.descriptor)", "/proc/\(getpid())/fd/\(file.descriptor)")
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { space in
                unsafe space.baseAddress.map { unsafe readlink(own, $0, space.count) } ?? -1
            }
        }
        let target = count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
        // A name that ends in " (deleted)" is none, unless there is a file of it.
        let newPath = target.flatMap { FileIdentity(path: $0) == file.identity ? $0 : nil }
        return Displacement(path: name, isReplaced: found != nil, newPath: newPath, openFile: open)
    }
}

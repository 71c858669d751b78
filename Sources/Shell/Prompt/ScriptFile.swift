internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A file opened for reading, closed when no longer used.
final class ScriptFile {
    let descriptor: Int32

    /// - Parameter path: `-` is standard input.
    init(_ path: String) throws {
        descriptor = try FilePaths.openToRead(path)
    }

    deinit { if descriptor > 0 { close(descriptor) } }
}

/// The names in a directory, for completion.
enum DirectoryListing {
    /// Names that begin with `prefix`, at most `limit`; directories end in a slash.
    static func names(in directory: String, prefix: String, limit: Int) -> [String] {
        guard let stream = opendir(directory.isEmpty ? "." : directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix(prefix), name != ".", name != "..", prefix.hasPrefix(".") || !name.hasPrefix(".")
            else {
                continue
            }
            names.append(name + (entry.pointee.d_type == UInt8(DT_DIR) ? "/" : ""))
        }
        return names.sorted()
    }
}

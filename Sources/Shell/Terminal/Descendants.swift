#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A process and what it has started: a pager is the child of the system's shell, which does not pass signals on.
///
/// Source: proc(5), `/proc/PID/stat`: the number, the name in parentheses, the state, the parent's number.
enum Descendants {
    /// The process first, then its children, then theirs.
    static func all(of process: pid_t) -> [pid_t] {
        let children = Dictionary(grouping: processes(), by: \.parent)
        var found = [process]
        var index = 0
        while index < found.count {
            found += children[found[index], default: []].map(\.id)
            index += 1
        }
        return found
    }

    private static func processes() -> [(id: pid_t, parent: pid_t)] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var processes: [(id: pid_t, parent: pid_t)] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let id = pid_t(name), let parent = parent(of: id) else { continue }
            processes.append((id, parent))
        }
        return processes
    }

    private static func parent(of process: pid_t) -> pid_t? {
        guard let bytes = try? FilePaths.read("/proc/\(process)/stat", limit: 1 << 16),
            let name = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let words = bytes[(name + 1)...].split(separator: UInt8(ascii: " "))
        return words.count > 1 ? pid_t(String(decoding: words[1], as: UTF8.self)) : nil
    }
}

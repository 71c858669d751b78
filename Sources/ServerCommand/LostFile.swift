internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A data file that a server in another process serves though its path leads to another file by now, or to none: when that
/// process ends, a file without a name is gone, and the next start makes a new, empty one.
struct LostFile: CustomStringConvertible {
    let process: pid_t
    let path: String
    /// Whether there is another file in its place.
    let isReplaced: Bool
    /// The open files that may be it, as the process has them.
    let candidates: [OpenFile]

    var description: String {
        "process \(process) serves \(path), and "
            + (isReplaced ? "another file has been put in its place" : "that is gone") + "; " + wayBack
    }

    private var wayBack: String {
        if candidates.count == 1, let file = candidates.first, !file.isDeleted {
            return "the file that is served is called \(file.target) now: rename it back, or clients see "
                + (isReplaced ? "the other" : "a new, empty") + " one after a restart"
        }
        let loss = "its data are lost when the process ends; copy them to a safe place first, "
        guard !candidates.isEmpty else { return loss + "they are in one of /proc/\(process)/fd/*" }
        return loss + "as in " + candidates.map { "'cp \($0.path) \(path).saved'" }.joined(separator: " or ")
    }

    /// The files of `paths` that the process serves and that are lost; none where the system does not tell what it has
    /// open (no `/proc`, a process of another user).
    static func find(among paths: [String], of process: pid_t) -> [LostFile] {
        let lost = look(paths, process)
        guard !lost.isEmpty else { return [] }
        // A pack that puts the new file in its place looks like that for a moment.
        usleep(300_000)
        return look(paths, process)
    }

    private static func look(_ paths: [String], _ process: pid_t) -> [LostFile] {
        guard let files = OpenFile.all(of: process) else { return [] }
        let others = Set(paths.compactMap { FileIdentity(path: OpenFile.whole($0, process)) })
        return paths.compactMap { configured in
            let path = OpenFile.whole(configured, process)
            let names = OpenFile.names(of: path)
            guard files.contains(where: { names.contains($0.target) || $0.isLock(of: names) }) else { return nil }
            let now = FileIdentity(path: path)
            if let now, files.contains(where: { $0.identity == now }) { return nil }
            var candidates: [OpenFile] = []
            for file in files where !file.isLock(of: names) && !others.contains(file.identity) && file.isData {
                if candidates.contains(where: { $0.identity == file.identity }) { continue }
                candidates.append(file)
            }
            let own = candidates.filter { names.contains($0.target) }
            return LostFile(
                process: process, path: path, isReplaced: now != nil, candidates: own.isEmpty ? candidates : own)
        }
    }

    /// Whether the process has the file open, or its lock; nil where the system does not tell.
    static func isServed(_ path: String, by process: pid_t) -> Bool? {
        guard let files = OpenFile.all(of: process) else { return nil }
        let names = OpenFile.names(of: OpenFile.whole(path, process))
        return files.contains { names.contains($0.target) || $0.isLock(of: names) }
    }
}

/// A file that a process has open, as `/proc` shows it.
struct OpenFile {
    /// By which it can be read, its name gone or not.
    let path: String
    /// What it was called last.
    let target: String
    /// Whether that name is gone.
    let isDeleted: Bool
    let identity: FileIdentity

    /// - Returns: nil where the system does not tell.
    static func all(of process: pid_t) -> [OpenFile]? {
        let folder = "/proc/\(process)/fd"
        guard let names = try? Directories.names(in: folder) else { return nil }
        return names.sorted { (Int($0) ?? 0) < (Int($1) ?? 0) }.compactMap { name in
            let path = "\(folder)/\(name)"
            guard let link = link(path), link.hasPrefix("/"), let identity = FileIdentity(path: path) else {
                return nil
            }
            let mark = " (deleted)"
            let isDeleted = link.hasSuffix(mark) && FileIdentity(path: link) != identity
            let target = isDeleted ? String(link.dropLast(mark.count)) : link
            return OpenFile(path: path, target: target, isDeleted: isDeleted, identity: identity)
        }
    }

    /// Whether it is the lock file of a data file of these names.
    func isLock(of names: Set<String>) -> Bool {
        target.hasSuffix(".lock") && names.contains(String(target.dropLast(5)))
    }

    /// Whether it begins as a Data.fs does.
    var isData: Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let file = try? DataFile(path), let magic = try? file.bytes(at: 0, count: 4)
        else { return false }
        return ["FS21", "FS30"].contains(String(decoding: magic, as: UTF8.self))
    }

    /// A path of the process, from the root on.
    static func whole(_ path: String, _ process: pid_t) -> String {
        guard !path.hasPrefix("/"), let folder = link("/proc/\(process)/cwd") else { return AbsolutePath.of(path) }
        return AbsolutePath.of(folder + "/" + path)
    }

    /// What `/proc` may call the file: links in its path are followed there.
    static func names(of path: String) -> Set<String> {
        let (folder, name) = AbsolutePath.split(path)
        var names: Set<String> = [path]
        if let folder = resolved(folder.isEmpty ? "/" : folder) { names.insert(AbsolutePath.of("\(folder)/\(name)")) }
        if let file = resolved(path) { names.insert(file) }
        return names
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func link(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { space in
                unsafe space.baseAddress.map { unsafe readlink(path, $0, space.count) } ?? -1
            }
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}

internal import Glibc
public import ZConfig

extension ConfigurationHost {
    /// This machine.
    ///
    /// - Parameter environment: its variables; whoever starts the program has them.
    public static func system(environment: [String: String]) -> ConfigurationHost {
        system { environment[$0] }
    }

    /// The same.
    /// - Parameter variable: one of its variables; nil when it is not set.
    public static func system(variable: @escaping @Sendable (String) -> String?) -> ConfigurationHost {
        var host = ConfigurationHost(
            readFile: { (path) throws(UnreadableFile) in try SystemFiles.contents(path) },
            variable: variable,
            homeDirectory: { user in
                if let user { return SystemFiles.homeDirectory(of: user) }
                return variable("HOME") ?? SystemFiles.homeDirectory(of: nil)
            },
            isDirectory: { SystemFiles.mode($0).map { $0 & S_IFMT == S_IFDIR } ?? false },
            exists: { SystemFiles.mode($0) != nil })
        host.obstacle = { path in
            guard SystemFiles.mode(path) == nil, errno != ENOENT else { return nil }
            return String(cString: strerror(errno))
        }
        return host
    }
}

private enum SystemFiles {
    /// No configuration is that long; a device given by mistake may be.
    private static let limit = 16 << 20

    static func contents(_ path: String) throws(UnreadableFile) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure() }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= limit else { throw UnreadableFile(why: "longer than \(limit) bytes") }
        }
    }

    private static func failure() -> UnreadableFile { UnreadableFile(why: String(cString: strerror(errno))) }

    /// Type and permissions, of what a link leads to. Nil: there is nothing.
    static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode : nil
    }

    /// Of the one who runs this for nil.
    static func homeDirectory(of user: String?) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 14) { strings in
            guard let space = strings.baseAddress else { return nil }
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            let status =
                if let user {
                    getpwnam_r(user, &entry, space, strings.count, &found)
                } else {
                    getpwuid_r(getuid(), &entry, space, strings.count, &found)
                }
            // The directory's name stands in `strings`: copied before that is gone.
            guard status == 0, found != nil, let directory = entry.pw_dir else { return nil }
            return String(cString: directory)
        }
    }
}

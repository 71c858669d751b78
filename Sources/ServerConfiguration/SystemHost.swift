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
    /// - Parameters:
    ///   - isInterrupted: asked while a file is a pipe, and waited for; then it cannot be read.
    ///   - variable: one of its variables; nil when it is not set.
    public static func system(
        isInterrupted: @escaping @Sendable () -> Bool = { false }, variable: @escaping @Sendable (String) -> String?
    ) -> ConfigurationHost {
        var host = ConfigurationHost(
            readFile: { (path) throws(UnreadableFile) in
                try ConfigurationText.read(path, isInterrupted: isInterrupted)
            },
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

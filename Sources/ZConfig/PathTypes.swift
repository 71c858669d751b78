/// Paths: `~` at the start is a home directory; what must exist is asked of the host.
extension ConfigurationHost {
    /// `~/x` and `~user/x` as Python's `os.path.expanduser` has it: a user that is not known stays as it is.
    public func expandingTilde(_ path: String) -> String {
        guard path.utf8.first == UInt8(ascii: "~") else { return path }
        let (tilde, rest) = path[...].unicodeScalars.split { $0 == "/" }
        let user = String(Substring(tilde.dropFirst()))
        guard var home = homeDirectory(user.isEmpty ? nil : user) else { return path }
        while home.utf8.last == UInt8(ascii: "/") { home.removeLast() }
        let expanded = home + String(Substring(rest))
        return expanded.isEmpty ? "/" : expanded
    }

    /// A path whose directory exists; the file itself may not. (ZConfig: `existing-dirpath`.)
    public var pathInExistingDirectory: ValueType<String> {
        path("a path in a directory that exists") { path in
            let directory = Self.directory(of: path)
            return directory.isEmpty || isDirectory(directory)
        }
    }

    /// A path of something that exists. (ZConfig: `existing-path`.)
    public var existingPath: ValueType<String> { path("the path of something that exists", exists) }

    /// A directory that exists, or that could be made. (zdaemon: `existing_parent_directory`.)
    public var directoryInExistingDirectory: ValueType<String> {
        path("a directory that exists or whose parent does") { isDirectory($0) || isDirectory(Self.directory(of: $0)) }
    }

    /// A path whose directory could be made if it does not exist. (zdaemon: `existing_parent_dirpath`.)
    public var pathBelowExistingDirectory: ValueType<String> {
        path("a path of which at least the directory's parent exists") { path in
            let parent = Self.directory(of: Self.directory(of: path))
            return parent.isEmpty || isDirectory(parent)
        }
    }

    /// Any path.
    public var anyPath: ValueType<String> { path("a path") { _ in true } }

    private func path(
        _ expectation: String, _ isValid: @escaping @Sendable (String) -> Bool
    ) -> ValueType<String> {
        ValueType(expectation) { text in
            let path = expandingTilde(text)
            return isValid(path) ? path : nil
        }
    }

    /// `os.path.dirname`: empty for a bare name.
    public static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        let head = path.utf8[...slash]
        var stripped = head
        while stripped.last == UInt8(ascii: "/") { stripped.removeLast() }
        return String(Substring(stripped.isEmpty ? head : stripped))
    }
}

/// What a configuration asks of the machine it is read on.
///
/// Nothing in this module opens a file or looks at the environment: it asks here, and a test answers what it likes.
public struct ConfigurationHost: Sendable {
    /// The bytes of a file. Relative paths are relative to the working directory of whoever answers.
    public var readFile: @Sendable (_ path: String) throws(UnreadableFile) -> [UInt8]
    /// The value of an environment variable, for `$(NAME)`.
    public var variable: @Sendable (_ name: String) -> String?
    /// The home directory of a user, for `~name/…`; of the current one for nil.
    public var homeDirectory: @Sendable (_ user: String?) -> String?
    /// Whether there is such a directory.
    public var isDirectory: @Sendable (_ path: String) -> Bool
    /// Whether there is anything of this path.
    public var exists: @Sendable (_ path: String) -> Bool
    /// Why it cannot be told whether there is anything of this path, in the words of the system; nil: it can.
    public var obstacle: @Sendable (_ path: String) -> String? = { _ in nil }

    public init(
        readFile: @escaping @Sendable (_ path: String) throws(UnreadableFile) -> [UInt8],
        variable: @escaping @Sendable (_ name: String) -> String?,
        homeDirectory: @escaping @Sendable (_ user: String?) -> String?,
        isDirectory: @escaping @Sendable (_ path: String) -> Bool,
        exists: @escaping @Sendable (_ path: String) -> Bool
    ) {
        self.readFile = readFile
        self.variable = variable
        self.homeDirectory = homeDirectory
        self.isDirectory = isDirectory
        self.exists = exists
    }
}

/// Why a file cannot be read, in the words of the system: `No such file or directory`.
public struct UnreadableFile: Error, Hashable {
    public let why: String

    public init(why: String) { self.why = why }
}

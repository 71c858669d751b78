/// A line of a configuration file.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    /// As the file was asked for: the path given, or an included one joined to the directory of the file including it.
    public let file: String
    /// From 1; 0 is the file as a whole.
    public let line: Int

    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// `etc/zeo.conf:12`, as compilers write it, so that editors can jump there.
    public var description: String { line == 0 ? file : "\(file):\(line)" }
}

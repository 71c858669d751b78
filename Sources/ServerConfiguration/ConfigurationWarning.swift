public import ZConfig

/// Something in a configuration that is accepted and does not do what its author may expect.
public struct ConfigurationWarning: Hashable, Sendable, CustomStringConvertible {
    /// Nil: the command line, or the environment.
    public let location: SourceLocation?
    public let text: String

    public var description: String { (location.map { "\($0): " } ?? "") + text }
}

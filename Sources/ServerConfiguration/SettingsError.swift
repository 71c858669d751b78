public import ZConfig

/// A configuration that no server can be started with.
public struct SettingsError: Error, Hashable {
    public enum Reason: Hashable, Sendable {
        case syntax(ConfigurationError)
        case value(key: String, ValueError)
        /// `nearest`: a key that may have been meant.
        case unknownKey(String, section: String, nearest: String?)
        case malformedKey(String)
        case repeatedKey(String, first: SourceLocation)
        case missingKey(String, section: String)
        case unknownSection(String, in: String, nearest: String?)
        case repeatedSection(String, first: SourceLocation)
        case missingSection(String, in: String)
        /// A storage that Python's server would serve.
        case cannotBeServed(String, because: String)
        case unnamedStorages(first: SourceLocation?)
        /// An unnamed storage is called `1`, and so is another.
        case secondStorage1
        /// Keys that do not go together, a value that no server can use.
        case contradiction(String)
        /// On the command line.
        case usage(String)
    }

    public let reason: Reason
    /// Nil: the command line.
    public let location: SourceLocation?

    public init(_ reason: Reason, at location: SourceLocation?) {
        self.reason = reason
        self.location = location
    }
}

extension SettingsError: CustomStringConvertible {
    public var description: String {
        if case .syntax(let error) = reason { return error.description }
        return (location.map { "\($0): " } ?? "") + reason.description
    }
}

extension SettingsError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .syntax(let error): "\(error)"
        case .value(let key, let error): "\(key): \(error)"
        case .unknownKey(let key, let section, let nearest):
            "'\(key)' is no key of \(section)" + (nearest.map { "; did you mean '\($0)'?" } ?? "")
        case .malformedKey(let key):
            "expected a key of letters, digits, '-', '_' and '.' that starts with a letter, found '\(key)'"
        case .repeatedKey(let key, let first): "'\(key)' is given a second time; the first is at \(first)"
        case .missingKey(let key, let section): "\(section) needs the key '\(key)'"
        case .unknownSection(let type, let place, let nearest):
            "<\(type)> is no section of \(place)" + (nearest.map { "; did you mean <\($0)>?" } ?? "")
        case .repeatedSection(let type, let first): "there is a second <\(type)>; the first is at \(first)"
        case .missingSection(let type, let place): "\(place) needs \(type)"
        case .cannotBeServed(let type, let why): "<\(type)> cannot be served: \(why)"
        case .unnamedStorages(let first):
            "a second storage without a name" + (first.map { "; the first is at \($0)" } ?? "")
                + "; clients ask for a storage by its name: <filestorage NAME>"
        case .secondStorage1: "a storage without a name is called '1', and there is another '1'"
        case .contradiction(let text), .usage(let text): text
        }
    }
}

/// A configuration text does not have the form that ZConfig promises.
public struct ConfigurationError: Error, Hashable {
    public enum Reason: Hashable, Sendable {
        case unreadable(String, why: String)
        case notUTF8
        /// The line starts as a section and does not end in `>`.
        case unclosedBracket(String)
        /// What is between `<` and `>` is not a type and at most one name.
        case malformedSectionHeader(String)
        /// `*` and `+` are words of schemas.
        case reservedSectionName(String)
        case unexpectedSectionEnd(found: String)
        case unbalancedSectionEnd(expected: String, opened: SourceLocation, found: String)
        /// The file ends inside a section that it opened.
        case unclosedSection(String, opened: SourceLocation)
        case repeatedSectionName(String, first: SourceLocation)
        /// The line is no section, no directive and has no key.
        case malformedLine(String)
        case unknownDirective(String)
        case missingArgument(directive: String)
        case redefinition(name: String, value: String, new: String)
        case notAName(String)
        case substitution(SubstitutionError, in: String)
        /// An include of what is no file: a network address, or a file of a Python package.
        case unsupportedInclude(String)
        /// A file that includes itself, directly or by way of others: the files on the way.
        case cycle([String])
        case tooDeep(limit: Int, what: String)
    }

    public let reason: Reason
    public let location: SourceLocation

    public init(_ reason: Reason, at location: SourceLocation) {
        self.reason = reason
        self.location = location
    }
}

extension ConfigurationError: CustomStringConvertible {
    public var description: String { "\(location): \(reason)" }
}

extension ConfigurationError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let path, let why): "cannot read \(path): \(why)"
        case .notUTF8: "expected text in UTF-8, found bytes that are none"
        case .unclosedBracket(let text): "expected '>' at the end of the line, found \(quoted(text))"
        case .malformedSectionHeader(let text): "expected <type> or <type name>, found \(quoted("<\(text)>"))"
        case .reservedSectionName(let name): "no section can be called \(quoted(name))"
        case .unexpectedSectionEnd(let found): "found </\(found)>, but no section is open"
        case .unbalancedSectionEnd(let expected, let opened, let found):
            "expected </\(expected)> for the section opened at \(opened), found </\(found)>"
        case .unclosedSection(let type, let opened):
            "expected </\(type)> for the section opened at \(opened), found the end of the file"
        case .repeatedSectionName(let name, let first):
            "a second section is called \(quoted(name)); the first is at \(first)"
        case .malformedLine(let text): "expected a key and a value, found \(quoted(text))"
        case .unknownDirective(let name): "expected %define, %import or %include, found \(quoted("%\(name)"))"
        case .missingArgument(let directive): "%\(directive) has no argument"
        case .redefinition(let name, let value, let new):
            "\(quoted(name)) is defined as \(quoted(value)) and cannot become \(quoted(new))"
        case .notAName(let name): "expected a name of letters, digits and _ after %define, found \(quoted(name))"
        case .substitution(let error, let text): "\(error), in \(quoted(text))"
        case .unsupportedInclude(let address):
            "%include \(address): expected the path of a file; other addresses are not supported"
        case .cycle(let files): "%include leads back to a file that is being read: \(files.joined(separator: " → "))"
        case .tooDeep(let limit, let what): "\(what) nested more than \(limit) deep"
        }
    }
}

/// In quotes, on one line, and short enough to be read.
func quoted(_ text: String) -> String {
    let limit = 80
    var shown = "'"
    for (count, scalar) in text.unicodeScalars.enumerated() {
        guard count < limit else { return shown + "…'" }
        shown += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return shown + "'"
}

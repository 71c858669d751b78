/// Why a `$` in a value cannot be replaced.
public enum SubstitutionError: Error, Hashable, Sendable {
    /// `$` with nothing behind it that could be a name: a `$` itself is written `$$`.
    case loneDollar
    /// `${` or `$(` without a name and the closing bracket.
    case unclosed(opening: String)
    case undefined(name: String)
    case unsetVariable(name: String)
}

extension SubstitutionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .loneDollar: "expected a name, '{', '(' or another '$' after '$' (a '$' itself is written '$$')"
        case .unclosed(let opening): "expected a name and the closing bracket after '\(opening)'"
        case .undefined(let name): "\(quoted(name)) is not defined; a %define above would do it"
        case .unsetVariable(let name): "the environment variable \(quoted(name)) is not set"
        }
    }
}

/// Names that `%define` gave a value, and the environment.
///
/// `$name` and `${name}` are definitions (in any case), `$(NAME)` is the environment (in this case), `$$` is a `$`. What
/// is put in is not looked at again.
///
/// Source: ZConfig 4.3, `ZConfig/substitution.py`. ZConfig before 3.5 has no `$(NAME)`.
struct Substitution {
    /// By lower-cased name.
    var definitions: [String: String] = [:]
    let variable: (String) -> String?

    static func isName(_ text: String) -> Bool {
        var rest = text[...].unicodeScalars
        return takeName(&rest) != nil && rest.isEmpty
    }

    func replace(_ text: String) throws(SubstitutionError) -> String {
        var result = ""
        var rest = text[...].unicodeScalars
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar].text
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                rest.removeFirst()
                result += "$"
            case "{":
                result += try defined(try Self.bracketed(&rest, "${", closing: "}"))
            case "(":
                let name = try Self.bracketed(&rest, "$(", closing: ")")
                guard let value = variable(name) else { throw .unsetVariable(name: name) }
                result += value
            default:
                guard let name = Self.takeName(&rest) else { throw .loneDollar }
                result += try defined(name)
            }
        }
        return result + rest.text
    }

    private func defined(_ name: String) throws(SubstitutionError) -> String {
        guard let value = definitions[name.lowercased()] else { throw .undefined(name: name) }
        return value
    }

    private static func bracketed(
        _ rest: inout Substring.UnicodeScalarView, _ opening: String, closing: Unicode.Scalar
    ) throws(SubstitutionError) -> String {
        rest.removeFirst()
        guard let name = takeName(&rest), rest.first == closing else { throw .unclosed(opening: opening) }
        rest.removeFirst()
        return name
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`.
    private static func takeName(_ rest: inout Substring.UnicodeScalarView) -> String? {
        let (name, tail) = rest.split { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_": false
            default: true
            }
        }
        guard let first = name.first, !("0"..."9").contains(first) else { return nil }
        rest = tail
        return name.text
    }
}

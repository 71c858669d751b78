/// A pattern for names: `*` any text, `?` one character, `{a,b}` either.
///
/// Matching takes time proportional to the pattern's times the name's length, whatever the pattern.
public struct GlobPattern: Hashable, Sendable {
    public let text: String
    private let alternatives: [[Token]]

    private enum Token: Hashable, Sendable {
        case any, one
        case character(Character)
    }

    /// The most names that braces may spell out.
    private static let alternativeLimit = 1000

    /// - Returns: nil when the text has no pattern in it, or braces that spell out more than 1,000 names.
    public init?(_ text: String) {
        guard text.contains(where: { "*?{".contains($0) }), let expanded = Self.expand(text) else { return nil }
        self.text = text
        alternatives = expanded.map { alternative in
            var tokens: [Token] = []
            for character in alternative {
                switch character {
                case "*": if tokens.last != .any { tokens.append(.any) }
                case "?": tokens.append(.one)
                default: tokens.append(.character(character))
                }
            }
            return tokens
        }
    }

    public func matches(_ name: String) -> Bool {
        let characters = Array(name)
        return alternatives.contains { Self.matches($0[...], characters[...]) }
    }

    /// Goes back only to the last `*`: an earlier one could not do better.
    private static func matches(_ pattern: ArraySlice<Token>, _ name: ArraySlice<Character>) -> Bool {
        var (pattern, name) = (pattern, name)
        var retry: (pattern: ArraySlice<Token>, name: ArraySlice<Character>)?
        while true {
            switch pattern.first {
            case .any?:
                pattern = pattern.dropFirst()
                retry = (pattern, name)
                continue
            case .one? where !name.isEmpty:
                pattern = pattern.dropFirst()
                name = name.dropFirst()
                continue
            case .character(let character)? where name.first == character:
                pattern = pattern.dropFirst()
                name = name.dropFirst()
                continue
            case nil where name.isEmpty:
                return true
            default:
                break
            }
            guard let last = retry, !last.name.isEmpty else { return false }
            name = last.name.dropFirst()
            pattern = last.pattern
            retry = (pattern, name)
        }
    }

    /// The texts that braces stand for; braces may nest. An unpaired brace is itself.
    private static func expand(_ text: String) -> [String]? {
        var pending = [text]
        var done: [String] = []
        while let next = pending.popLast() {
            guard let (before, options, after) = firstBraces(next) else {
                done.append(next)
                continue
            }
            guard pending.count + done.count + options.count <= alternativeLimit else { return nil }
            pending += options.reversed().map { before + $0 + after }
        }
        return done
    }

    private static func firstBraces(_ text: String) -> (before: String, options: [String], after: String)? {
        guard let open = text.firstIndex(of: "{") else { return nil }
        var depth = 0
        var options: [String] = []
        var current = ""
        var index = open
        while index < text.endIndex {
            let character = text[index]
            index = text.index(after: index)
            switch character {
            case "{":
                depth += 1
                if depth == 1 { continue }
            case "}":
                depth -= 1
                if depth == 0 {
                    options.append(current)
                    return (String(text[..<open]), options, String(text[index...]))
                }
            case "," where depth == 1:
                options.append(current)
                current = ""
                continue
            default: break
            }
            current.append(character)
        }
        return nil
    }
}

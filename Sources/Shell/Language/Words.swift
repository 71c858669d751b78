/// A line of input, taken apart.
public struct InputLine: Hashable, Sendable {
    /// The command and its arguments; empty for a blank line or a comment.
    public var words: [String] = []
    /// Of each word, whether any of it stood in quotes.
    public var areQuoted: [Bool] = []
    /// Where the output goes instead of the screen.
    public var redirection: Redirection?
    /// What the system's shell runs on the output; follows `|`.
    public var pipe: String?
    /// What follows a `!` at the start of the line: for the system's shell alone.
    public var system: String?

    public struct Redirection: Hashable, Sendable {
        public var path: String
        public var appends: Bool
    }

    public var isEmpty: Bool { words.isEmpty && system == nil }

    fileprivate mutating func append(_ word: String, isQuoted: Bool) {
        words.append(word)
        areQuoted.append(isQuoted)
    }

    /// Whether a word was written in quotes, as far as it was typed here at all.
    func isQuoted(_ word: String) -> Bool {
        zip(words, areQuoted).contains { $0.0 == word && $0.1 }
    }
}

/// A line that cannot be taken apart: what is wrong, and the byte (from 0) where.
public struct SyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    public var problem: String
    public var offset: Int

    public var description: String { "\(problem) (at character \(offset + 1))" }
}

/// Splits a line into words much as a system shell does.
///
/// - Single quotes keep everything; double quotes keep all but `$name`, `\"`, `\\` and `\$`.
/// - A backslash outside quotes keeps the next character.
/// - `$name` and `${name}` are replaced, never split again. `$` before anything else is itself.
/// - Brackets outside quotes keep what is in them, quotes and spaces too: `/folder/["a b"]` is one word as it stands.
///   So do parentheses and a dict's braces at the start of a word: `(1, 'a')`, `{'a': 1}`.
/// - A `#` at the start of a word begins a comment when a space, `!` or nothing follows; otherwise it is the `#` of an
///   oid, as in `#1a2b`.
/// - `|` hands the rest of the line to the system's shell; `>` and `>>` take a file name; `!` at the start of the line
///   hands all of it over.
public struct Words {
    private let scalars: [Unicode.Scalar]
    private let variable: (String) -> String?
    private var position = 0
    private var line = InputLine()
    /// The word being read has quotes in it.
    private var isQuoted = false
    /// Of every bracket that a search for the end of one has passed: just past the one that closes it; nil when it stays
    /// open. A line of nothing but open brackets is searched once, not from each of them.
    private var bracketEnds: [Int: Int?] = [:]

    /// - Parameter variable: the value of `$name`; nil when there is none.
    public static func split(
        _ text: String, variable: (String) -> String? = { _ in nil }
    ) throws(SyntaxError) -> InputLine {
        // The closure is only called within this function.
        try withoutActuallyEscaping(variable) { (variable) throws(SyntaxError) -> InputLine in
            var words = Words(scalars: Array(text.unicodeScalars), variable: variable)
            return try words.run()
        }
    }

    /// Whether the line goes on in the next one: it ends in a backslash that no backslash precedes.
    public static func continues(_ text: String) -> Bool {
        !text.utf8.reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
    }

    /// A word as it would be typed.
    static func quoted(_ word: String) -> String {
        let isPlain = word.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x20 && !"'\"\\$|><#!".unicodeScalars.contains(scalar)
        }
        if isPlain, !word.isEmpty { return word }
        let parts = word.split(separator: "'", omittingEmptySubsequences: false)
        return "'" + parts.joined(separator: "'\\''") + "'"
    }

    private init(scalars: [Unicode.Scalar], variable: @escaping (String) -> String?) {
        self.scalars = scalars
        self.variable = variable
    }

    private var next: Unicode.Scalar? { peek(0) }

    private func peek(_ distance: Int) -> Unicode.Scalar? {
        position + distance < scalars.count ? scalars[position + distance] : nil
    }

    private mutating func run() throws(SyntaxError) -> InputLine {
        skipSpace()
        if next == "!" {
            line.system = text(from: position + 1)
            return line
        }
        if next == "\\", peek(1) == "!" {
            line.system = text(from: position + 2)
            return line
        }
        // `\d` and its like, for hands that know psql: not an escaped letter.
        if next == "\\", let second = peek(1), second != " " {
            let start = position
            while let scalar = next, !scalar.properties.isWhitespace { position += 1 }
            line.append(string(scalars[start..<position]), isQuoted: false)
        }
        while true {
            skipSpace()
            guard let scalar = next else { return line }
            switch scalar {
            case "#" where beginsComment: return line
            case "|":
                guard !line.words.isEmpty else { throw error("nothing before the pipe") }
                let command = text(from: position + 1)
                guard !command.isEmpty else { throw error("nothing after the pipe") }
                line.pipe = command
                return line
            case ">": try redirect()
            default:
                isQuoted = false
                line.append(try word(), isQuoted: isQuoted)
            }
        }
    }

    private var beginsComment: Bool {
        guard let second = peek(1) else { return true }
        return second.properties.isWhitespace || second == "!"
    }

    private mutating func redirect() throws(SyntaxError) {
        let start = position
        position += 1
        let appends = next == ">"
        if appends { position += 1 }
        skipSpace()
        guard let scalar = next, scalar != "|", scalar != ">" else {
            throw SyntaxError(problem: "no file name after '>'", offset: start)
        }
        line.redirection = InputLine.Redirection(path: try word(), appends: appends)
    }

    private mutating func word() throws(SyntaxError) -> String {
        var word = String.UnicodeScalarView()
        while let scalar = next {
            switch scalar {
            case "|", ">": return String(word)
            case _ where scalar.properties.isWhitespace: return String(word)
            case "'":
                isQuoted = true
                word += try singleQuoted()
            case "\"":
                isQuoted = true
                word += try doubleQuoted()
            case "\\":
                // At the end of the line it means that the line goes on; here nothing came.
                if let kept = peek(1) { word.append(kept) }
                position += 2
            case "$": word += try expansion()
            case "[",
                "(" where word.isEmpty,
                "{" where word.isEmpty && beginsDict():
                let end = bracketEnd() ?? position + 1
                word.append(contentsOf: scalars[position..<end])
                position = end
            default:
                word.append(scalar)
                position += 1
            }
        }
        return String(word)
    }

    private mutating func singleQuoted() throws(SyntaxError) -> String.UnicodeScalarView {
        guard let end = scalars[(position + 1)...].firstIndex(of: "'") else { throw error("the ' is not closed") }
        defer { position = end + 1 }
        return string(scalars[position + 1..<end]).unicodeScalars
    }

    private mutating func doubleQuoted() throws(SyntaxError) -> String.UnicodeScalarView {
        let start = position
        var result = String.UnicodeScalarView()
        position += 1
        while let scalar = next {
            switch scalar {
            case "\"":
                position += 1
                return result
            case "$": result += try expansion()
            case "\\":
                if let kept = peek(1), "\"\\$".unicodeScalars.contains(kept) {
                    result.append(kept)
                    position += 2
                } else {
                    result.append(scalar)
                    position += 1
                }
            default:
                result.append(scalar)
                position += 1
            }
        }
        throw SyntaxError(problem: "the \" is not closed", offset: start)
    }

    private mutating func expansion() throws(SyntaxError) -> String.UnicodeScalarView {
        let start = position
        let isBraced = peek(1) == "{"
        var end = position + (isBraced ? 2 : 1)
        let nameStart = end
        while end < scalars.count, Self.isNamePart(scalars[end], isFirst: end == nameStart) { end += 1 }
        let name = string(scalars[nameStart..<end])
        guard !name.isEmpty, !isBraced || (end < scalars.count && scalars[end] == "}") else {
            if isBraced { throw error("not a variable's name in ${…}") }
            position += 1
            return "$".unicodeScalars
        }
        guard let value = variable(name) else {
            throw SyntaxError(problem: "no variable named '\(name)'", offset: start)
        }
        position = isBraced ? end + 1 : end
        return value.unicodeScalars
    }

    private static func isNamePart(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !isFirst
        default: false
        }
    }

    /// Just past the bracket that closes the one here, strings in it skipped; nil when it stays open.
    private mutating func bracketEnd() -> Int? {
        if let known = bracketEnds[position] { return known }
        var open: [Int] = []
        var quote: Unicode.Scalar?
        var index = position
        while index < scalars.count {
            let scalar = scalars[index]
            if let mark = quote {
                if scalar == "\\" { index += 1 } else if scalar == mark { quote = nil }
            } else {
                switch scalar {
                case "'", "\"": quote = scalar
                case "[", "(", "{": open.append(index)
                case "]", ")", "}":
                    if let start = open.popLast() { bracketEnds[start] = .some(index + 1) }
                    if open.isEmpty { return index + 1 }
                default: break
                }
            }
            index += 1
        }
        for start in open { bracketEnds[start] = .some(nil) }
        return nil
    }

    /// `{}` or `{KEY: …}`, and not a pattern's `{a,b}`.
    private mutating func beginsDict() -> Bool {
        guard let end = bracketEnd() else { return false }
        return end == position + 2 || scalars[position..<end].contains(":")
    }

    private mutating func skipSpace() {
        while let scalar = next, scalar.properties.isWhitespace { position += 1 }
    }

    private func error(_ problem: String) -> SyntaxError { SyntaxError(problem: problem, offset: position) }

    private func string(_ part: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: part)
        return String(view)
    }

    /// The rest of the line, without space around it.
    private func text(from start: Int) -> String {
        var part = scalars[start...]
        part = part.drop { $0.properties.isWhitespace }
        while part.last?.properties.isWhitespace == true { part.removeLast() }
        return string(part)
    }
}

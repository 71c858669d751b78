internal import LineEditing

/// The word that the cursor stands at the end of, and the words before it: a line taken apart as far as it is typed.
struct WordAtCursor {
    /// The words before, without quotes.
    private(set) var before: [String] = []
    /// The word so far, without quotes.
    private(set) var text = ""
    /// How many bytes of the line the word takes as typed.
    private(set) var length = 0
    /// The word follows `>`.
    private(set) var isFileName = false
    /// The quote that the word begins with and that is still open.
    private var quote: Unicode.Scalar?

    /// Nil where nothing of ours can stand: after a `|`, after `!`, in a comment.
    init?(_ line: String, cursor: Int) {
        let typed = String(decoding: Array(line.utf8.prefix(cursor)), as: UTF8.self)
        guard !typed.trimmed.hasPrefix("!") else { return nil }
        var start = typed.unicodeScalars.startIndex
        let scalars = typed.unicodeScalars
        var index = start
        var isInWord = false
        var depth = 0
        while index < scalars.endIndex {
            let scalar = scalars[index]
            if let open = quote {
                if scalar == open { quote = nil } else { text.unicodeScalars.append(scalar) }
            } else if scalar == "\\" {
                if !isInWord { start = index }
                isInWord = true
                let next = scalars.index(after: index)
                if next < scalars.endIndex { text.unicodeScalars.append(scalars[next]) }
                index = next < scalars.endIndex ? next : index
            } else if scalar.properties.isWhitespace, depth == 0 {
                if isInWord {
                    if isFileName { isFileName = false } else { before.append(text) }
                }
                (text, isInWord) = ("", false)
            } else if scalar == "|", depth == 0 {
                return nil
            } else if scalar == ">", depth == 0 {
                if isInWord { before.append(text) }
                (text, isInWord, isFileName) = ("", false, true)
            } else {
                if !isInWord { start = index }
                isInWord = true
                if scalar == "[" { depth += 1 }
                if scalar == "]" { depth = max(0, depth - 1) }
                if scalar == "'" || scalar == "\"", depth == 0 {
                    quote = scalar
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
            index = scalars.index(after: index)
        }
        length = isInWord ? typed[start...].utf8.count : 0
        // Quotes that closed again are as good as none.
        if isInWord, quote != nil, scalars[start] != quote { quote = nil }
    }

    /// A candidate, quoted as the word was begun.
    func candidate(_ choice: Completion.Choice) -> Completions.Candidate {
        var insertion: String
        if let quote {
            insertion = String(quote) + WordQuoting.inside(choice.text, quote)
            if choice.isWhole { insertion.unicodeScalars.append(quote) }
        } else {
            insertion = WordQuoting.escaped(choice.text)
        }
        return Completions.Candidate(
            insertion, display: choice.display ?? TerminalText.escaped(choice.text), note: choice.note,
            isWhole: choice.isWhole)
    }
}

/// Texts as words that `Words` reads back.
enum WordQuoting {
    /// With a backslash before what would end the word or mean something else; brackets keep what they hold.
    static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var depth = 0
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if scalar == "[" { depth += 1 }
            let isKept = depth > 0 && text.unicodeScalars.contains("]")
            let isFirst = index == 0 && (scalar == "!" || scalar == "#" && !isOid(text))
            if !isKept, isFirst || isSpecial(scalar) { result.append("\\") }
            if scalar == "]" { depth = max(0, depth - 1) }
            result.append(scalar)
        }
        return String(result)
    }

    /// Between quotes: in double quotes `"`, `\` and `$` take a backslash; single quotes cannot hold one of their own.
    static func inside(_ text: String, _ quote: Unicode.Scalar) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if quote == "\"", "\"\\$".unicodeScalars.contains(scalar) { result.append("\\") }
            if quote == "'", scalar == "'" { result.append(contentsOf: "'\\'".unicodeScalars) }
            result.append(scalar)
        }
        return String(result)
    }

    private static func isOid(_ text: String) -> Bool {
        text.unicodeScalars.dropFirst().first.map { !$0.properties.isWhitespace && $0 != "!" } ?? false
    }

    private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || "'\"\\|>$".unicodeScalars.contains(scalar)
    }
}

/// What hands used to psql, sqlite3 and others type, in our words. It only maps; it adds nothing.
enum Translation {
    /// - Throws: `ShellFailure` for a form that stands for nothing here.
    static func words(_ words: [String], in session: Session) throws -> [String] {
        guard let first = words.first else { return words }
        let rest = Array(words.dropFirst())
        if first == "?" || first == "\\?" || first == "\\h" { return ["help"] + rest }
        // `ls ?`, unless `?` is a glob: then there would be more words, or the command would take no help.
        if rest == ["?"], CommandTable.find(first) != nil { return ["help", first] }
        if first == "\\x" {
            return ["set-option", "output", rest.first ?? (isVertical(session) ? "auto" : "vertical")]
        }
        if first.hasPrefix("\\") { return try mapped(first, rest, psql, like: "psql") }
        if first.hasPrefix("."), first.count > 1, sqlite[first] != nil || rest.isEmpty {
            return try mapped(first, rest, sqlite, like: "sqlite3")
        }
        return words
    }

    private static func isVertical(_ session: Session) -> Bool { session.settings.format == .vertical }

    private static func mapped(
        _ word: String, _ rest: [String], _ table: [String: String], like program: String
    ) throws -> [String] {
        guard let ours = table[word] else {
            throw ShellFailure.usage(
                "'\(word)' is not one of the \(program) forms known here",
                advice: "known: " + table.keys.sorted().joined(separator: " "))
        }
        return ours.split(separator: " ").map(String.init) + rest
    }

    private static let psql = [
        "\\d": "ls -l", "\\dt": "classes", "\\du": "users", "\\l": "info", "\\conninfo": "info", "\\timing": "timing",
        "\\i": "source", "\\q": "quit", "\\s": "history", "\\c": "connect", "\\connect": "connect",
        "\\set": "set-option", "\\pset": "set-option",
    ]

    private static let sqlite = [
        ".help": "help", ".quit": "quit", ".exit": "quit", ".mode": "set-option output", ".read": "source",
        ".open": "connect", ".timer": "timing", ".tables": "ls", ".dump": "cat", ".databases": "info",
        ".dbinfo": "info",
        ".schema": "classes",
    ]
}

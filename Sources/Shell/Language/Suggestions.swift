/// What an unknown command may have been meant to be.
enum Suggestions {
    /// - Parameter line: the whole line, for hints that need more than the first word.
    static func unknown(_ name: String, _ line: String) -> ShellFailure {
        if let path = zopePath(line) {
            return ShellFailure.usage("'\(name)' is not a command", advice: "did you mean cd \(path) ?")
        }
        if name.hasPrefix("/") || name.hasPrefix("#") {
            return ShellFailure.usage("'\(name)' is a path, not a command", advice: "did you mean cd \(name) ?")
        }
        if let known = thesaurus[name.lowercased()] {
            return ShellFailure.usage("unknown command '\(name)'", advice: known)
        }
        let near = nearest(name)
        let advice =
            near.isEmpty ? "'help' lists the commands" : "did you mean \(near.joined(separator: ", ")) ?"
        return ShellFailure.usage("unknown command '\(name)'", advice: advice)
    }

    /// Advice as it is typed where one is: commands that it quotes are the prompt's, `'help dates'`, and elsewhere begin with
    /// the program's name. A script may have them as its lines, but for help.
    static func advice(_ text: String, in mode: Session.Mode) -> String {
        guard mode != .interactive else { return text }
        var result = ""
        var rest = text[...]
        while let quote = rest.firstIndex(of: "'") {
            let before = rest[..<quote].last ?? result.last
            result += rest[...quote]
            rest = rest[rest.index(after: quote)...]
            let word = String(rest.prefix { $0.isLetter || $0 == "-" })
            let isQuoted = rest.dropFirst(word.count).first.map { $0 == "'" || $0 == " " } ?? false
            guard before.map({ !$0.isLetter && !$0.isNumber }) ?? true, isQuoted, let command = CommandTable.find(word)
            else { continue }
            switch command.scope {
            case .anywhere where mode == .oneShot, .withoutStorage: result += "zeoshell "
            case .anywhere, .sessionOnly: break
            }
        }
        return result + rest
    }

    /// `app.acl_users.users`, `app['Plone']`, `root()["x"]` → `/acl_users/users`, … ; nil for anything else.
    static func zopePath(_ line: String) -> String? {
        var rest = line.trimmed[...]
        var path = ""
        if rest.hasPrefix("app") {
            rest = rest.dropFirst(3)
        } else if rest.hasPrefix("root()") {
            rest = rest.dropFirst(6)
            path = "/"
        } else {
            return nil
        }
        if rest.isEmpty { return path.isEmpty ? "/" : "//" }
        while let first = rest.first {
            if first == ".", let name = identifier(rest.dropFirst()) {
                path += "/" + name
                rest = rest.dropFirst(1 + name.count)
            } else if first == "[", let (key, after) = stringKey(rest.dropFirst()) {
                path += "/" + key
                rest = after
            } else if first == "(" || first == " " || first == "=" {
                // A call, or more of a Python line: the path up to here is the hint.
                break
            } else {
                return nil
            }
        }
        return path.isEmpty ? nil : path
    }

    private static func identifier(_ text: Substring) -> String? {
        let name = text.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        return name.isEmpty ? nil : String(name)
    }

    private static func stringKey(_ text: Substring) -> (String, Substring)? {
        guard let quote = text.first, quote == "'" || quote == "\"" else { return nil }
        let body = text.dropFirst()
        guard let end = body.firstIndex(of: quote) else { return nil }
        let after = body[body.index(after: end)...]
        guard after.first == "]" else { return nil }
        return (String(body[..<end]), after.dropFirst())
    }

    /// At most three commands whose names differ in few places.
    static func nearest(_ name: String) -> [String] {
        let allowed = name.count <= 3 ? 1 : 2
        let typed = Array(name.lowercased())
        var found: [(distance: Int, name: String)] = []
        for command in CommandTable.all {
            let best = command.names.map { candidate in
                candidate.hasPrefix(name) && name.count > 1 ? 0 : distance(typed, Array(candidate))
            }.min()
            if let best, best <= allowed { found.append((best, command.name)) }
        }
        return found.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
    }

    /// At most three of these names that a mistyped one may have been meant to be, the nearest first.
    static func nearest(_ name: String, among names: some Sequence<String>) -> [String] {
        // No name is that long, nor near to anything that is.
        guard name.count <= 60 else { return [] }
        let typed = Array(name.lowercased())
        let allowed = max(1, typed.count / 3)
        return names.map { (distance: distance(typed, Array($0.lowercased())), name: $0) }
            .map { typed.count > 1 && $0.name.lowercased().hasPrefix(name.lowercased()) ? (0, $0.name) : $0 }
            .filter { $0.0 <= allowed }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }.prefix(3).map(\.1)
    }

    /// Insertions, deletions, replacements and swaps of neighbours that make one of the other.
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let cost = left[row] == right[column] ? 0 : 1
                var best = min(current[column] + 1, last[column + 1] + 1, last[column] + cost)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }

    /// Words of Unix, psql, SQL and Zope that people may type.
    private static let thesaurus: [String: String] = [
        "dir": "ls lists children", "ll": "ls -l lists children with more about them", "la": "ls -a lists all",
        "type": "cat shows an object", "more": "cat shows an object", "less": "cat shows an object",
        "view": "cat shows an object", "print": "cat shows an object", "describe": "stat tells about an object",
        "desc": "stat tells about an object", "select": "get shows a value, find searches", "search": "find searches",
        "where": "find PATH --where searches", "whoami": "users lists the users",
        "insert": "set stages a value", "update": "set stages a value",
        "delete": "rm removes an object, unset a value", "del": "rm removes an object, unset a value",
        "touch": "set stages a value", "add": "cp, mkdir and import make objects",
        "transactions": "log lists transactions", "undolog": "log lists transactions",
        "undoinfo": "log lists transactions", "tail": "log lists transactions, newest first",
        "head": "log lists transactions", "sync": "refresh looks at what is newest",
        "reload": "refresh looks at what is newest",
        "df": "info tells about the storage, du what takes the space",
        "analyze": "du --by class counts records and bytes by class", "space": "du tells what takes the space",
        "fsdump": "dump --plain lists transactions and records", "fstail": "log --limit 10 lists the last transactions",
        "bye": "quit leaves", "q": "quit leaves", "logout": "quit leaves", "exit()": "quit leaves",
        "open": "connect ADDRESS opens a storage", "dir()": "ls lists children",
    ]
}

extension ShellFailure {
    /// With its advice as it is typed where one is.
    func advising(in mode: Session.Mode) -> ShellFailure {
        var failure = self
        failure.advice = advice.map { Suggestions.advice($0, in: mode) }
        return failure
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmed: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return String(self[start..<end])
    }
}

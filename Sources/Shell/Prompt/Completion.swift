internal import LineEditing
internal import ZODB

/// What could stand at the cursor: commands, options, their values, paths, times, files.
struct Completion {
    private let session: Session
    private static let limit = 200

    init(_ session: Session) { self.session = session }

    func completions(_ line: String, _ cursor: Int) -> Completions {
        guard let word = WordAtCursor(line, cursor: cursor) else { return .none }
        let found = candidates(word)
        return Completions(
            replacing: word.length, candidates: found.candidates.map { word.candidate($0) }, isPartial: found.isPartial)
    }

    /// A text that could stand for the word, as it would be without quotes.
    struct Choice {
        var text: String
        var display: String?
        var note = ""
        var isWhole = true
    }

    private typealias Found = (candidates: [Choice], isPartial: Bool)

    private func candidates(_ word: WordAtCursor) -> Found {
        if word.isFileName { return files(word.text) }
        guard let first = word.before.first else { return matching(Self.commandNames, word.text) }
        guard let name = try? Translation.words([first], in: session).first,
            let (command, arguments) = CommandTable.find(leading: [name] + word.before.dropFirst())
        else {
            return ([], false)
        }
        if let values = optionValues(word.before.last ?? "") { return matching(values, word.text) }
        if word.text.hasPrefix("-") { return matching(HelpText.optionNames(of: command), word.text) }
        let operands = command.operands
        let place = arguments.count { !$0.hasPrefix("-") }
        guard let kind = operands.isEmpty ? nil : operands[min(place, operands.count - 1)] else { return ([], false) }
        switch kind {
        case .path: return paths(word.text)
        case .when: return times(word.text)
        case .command: return matching(Self.commandNames, word.text)
        case .helpTopic: return matching(Self.commandNames + HelpTopic.allCases.map(\.rawValue), word.text)
        case .file: return files(word.text)
        case .address: return addresses(word.text)
        case .words(let words): return matching(words, word.text)
        case .value where word.text.hasPrefix("@"):
            let found = files(String(word.text.dropFirst()))
            return (
                found.candidates.map { choice in
                    var choice = choice
                    choice.text = "@" + choice.text
                    return choice
                }, found.isPartial
            )
        case .other, .value: return ([], false)
        }
    }

    /// Of names of two words the first is a command, too.
    private static var commandNames: [String] {
        CommandTable.all.flatMap { $0.names }.filter { !$0.contains(" ") }.sorted()
    }

    private func matching(_ names: [String], _ prefix: String) -> Found {
        (names.filter { $0.hasPrefix(prefix) }.map { Choice(text: $0) }, false)
    }

    private func optionValues(_ option: String) -> [String]? {
        switch option {
        case "-o", "--output": OutputFormat.allCases.map(\.rawValue)
        case "--color": ColorChoice.allCases.map(\.rawValue)
        case "--progress": ProgressChoice.allCases.map(\.rawValue)
        case "--since", "--until": Self.timeWords
        default: nil
        }
    }

    private static let timeWords = ["now", "today", "yesterday", "1h", "1d", "1w", "1_month_ago", "1_year_ago"]

    private func paths(_ prefix: String) -> Found {
        guard let complete = session.completePath else { return ([], false) }
        let (names, isPartial) = complete(prefix, Self.limit)
        // The only one that goes on gets the slash that comes next.
        let goesOn = names.count == 1 && !isPartial && names[0].isContainer && !names[0].path.hasSuffix("/")
        let choices = names.map {
            Choice(
                text: $0.path + (goesOn ? "/" : ""),
                display: TerminalText.escaped($0.name) + ($0.isContainer ? "/" : ""),
                note: TerminalText.escaped($0.note), isWhole: !$0.isContainer)
        }
        return (choices, isPartial)
    }

    /// Words for times, and the newest transactions with what they were.
    private func times(_ prefix: String) -> Found {
        var (choices, isPartial) = matching(Self.timeWords, prefix)
        guard let storage = (try? session.storage) as? any TransactionLogStorage,
            let log = try? storage.transactionLog()
        else { return (choices, isPartial) }
        let people = CellText(isForPeople: true, zone: .system)
        var left = 50
        while left > 0, let transaction = try? log.next() {
            left -= 1
            guard transaction.tid.hex.hasPrefix(prefix) else { continue }
            let description = people.text(TransactionText.cell(transaction.description))
            let note = TimeText.short(transaction.tid, .system) + " " + description
            choices.append(
                Choice(text: transaction.tid.hex, note: TerminalText.cut(TerminalText.escaped(note), to: 60)))
        }
        isPartial = left == 0
        return (choices, isPartial)
    }

    /// Services by name, and files.
    private func addresses(_ prefix: String) -> Found {
        let services = (try? Services(session.environment))?.names ?? []
        var found = files(prefix)
        found.candidates = matching(services, prefix).candidates + found.candidates
        return found
    }

    private func files(_ prefix: String) -> Found {
        let slash = prefix.lastIndex(of: "/").map { prefix.index(after: $0) } ?? prefix.startIndex
        let directory = String(prefix[..<slash])
        let names = DirectoryListing.names(
            in: directory, prefix: String(prefix[slash...]), limit: Self.limit)
        let choices = names.map {
            Choice(text: directory + $0, display: TerminalText.escaped($0), isWhole: !$0.hasSuffix("/"))
        }
        return (choices, names.count == Self.limit)
    }
}

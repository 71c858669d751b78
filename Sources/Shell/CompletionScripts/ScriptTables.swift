internal import CommandReference

/// Tables that the scripts of bash and zsh share: functions that answer in `REPLY`.
enum ScriptTables {
    /// `COMMAND OPTION` or `* OPTION`, and what follows the option: `file`, `words a b`, `other`.
    static func values(_ grammar: CommandGrammar) -> [(pattern: String, answer: String)] {
        var lines: [(pattern: String, answer: String)] = []
        for command in grammar.typable {
            for option in command.options {
                guard let value = option.value else { continue }
                lines.append(
                    (option.names.map { quoted("\(command.name) \($0)") }.joined(separator: "|"), kind(of: value)))
            }
        }
        for option in grammar.shared.flatMap(\.entries) {
            guard let value = option.value else { continue }
            lines.append((option.names.map { "*" + quoted(" \($0)") }.joined(separator: "|"), kind(of: value)))
        }
        return lines
    }

    static func kind(of value: OptionEntry.Value) -> String {
        switch value {
        case .choices(let words): "words " + words.joined(separator: " ")
        case .file: "file"
        case .directory: "directory"
        case .other: "other"
        }
    }

    /// `COMMAND NUMBER`, and what the operand of that number is; the last one's kind is that of all further ones.
    static func operands(_ commands: [CommandGrammar.Command]) -> [(pattern: String, answer: String)] {
        commands.flatMap { command in
            command.operands.enumerated().compactMap { index, operand -> (pattern: String, answer: String)? in
                guard let kind = kind(of: operand) else { return nil }
                let isLast = index == command.operands.count - 1
                return (quoted(command.name + " ") + (isLast ? "*" : "\(index)"), kind)
            }
        }
    }

    /// nil for what only a database knows.
    static func kind(of operand: OperandKind) -> String? {
        switch operand {
        case .file: "file"
        case .address: "address"
        case .command: "command"
        case .helpTopic: "topic"
        case .words(let words): "words " + words.joined(separator: " ")
        case .path, .when, .value, .other: nil
        }
    }

    static func function(_ name: String, _ cases: [(pattern: String, answer: String)]) -> [String] {
        ["\(name)() {", "    case \"$1 $2\" in"] + cases.map { "        \($0.pattern)) REPLY=\(quoted($0.answer)) ;;" }
            + ["        *) REPLY='' ;;", "    esac", "}", ""]
    }

    /// For sh, bash and zsh.
    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

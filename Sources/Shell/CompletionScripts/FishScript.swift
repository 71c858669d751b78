internal import CommandReference

/// The completion script for fish.
enum FishScript {
    static func text(_ grammar: CommandGrammar) -> String {
        let commands = grammar.typable
        let (pairs, singles) = (commands.filter { $0.name.contains(" ") }, commands.filter { !$0.name.contains(" ") })
        var lines = ["# Completion of zeoshell for fish, made by: zeoshell completion fish", ""]
        lines.append("set -g __zeoshell_commands " + singles.map(\.name).joined(separator: " "))
        lines.append("set -g __zeoshell_pairs " + pairs.map { quoted($0.name) }.joined(separator: " "))
        lines.append(
            "set -g __zeoshell_alone "
                + commands.filter { !$0.wantsAddress }.map { quoted($0.name) }.joined(separator: " "))
        lines.append("set -g __zeoshell_valued " + valued(grammar).map(quoted).joined(separator: " "))
        lines.append(body)
        for command in singles {
            lines.append(
                "complete -c zeoshell -n __zeoshell_wants_command -a \(command.name) -d \(quoted(command.summary))")
        }
        for command in pairs {
            let words = command.name.split(separator: " ")
            lines.append(
                "complete -c zeoshell -n '__zeoshell_is \(words[0]); and __zeoshell_operand 0' -a \(words[1]) -d "
                    + quoted(command.summary))
        }
        for command in commands {
            for option in command.options { lines.append(line(option, "__zeoshell_is \(quoted(command.name))")) }
            for (index, operand) in command.operands.enumerated() {
                guard let values = values(of: operand) else { continue }
                let isLast = index == command.operands.count - 1
                let place = (command.wantsAddress ? index + 1 : index).description + (isLast ? " more" : "")
                lines.append(
                    "complete -c zeoshell -n \(quoted("__zeoshell_is \(quoted(command.name)); and __zeoshell_operand \(place)")) \(values)"
                )
            }
        }
        for section in grammar.shared {
            let names = commands.filter { $0.sections.contains(section.title) }.map { quoted($0.name) }
            for option in section.entries {
                lines.append(line(option, "__zeoshell_is \(names.joined(separator: " "))"))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Options of any command that another word follows.
    private static func valued(_ grammar: CommandGrammar) -> [String] {
        let options = grammar.typable.flatMap { command in
            command.options.filter { $0.value != nil }.flatMap { $0.names.map { "\(command.name) \($0)" } }
        }
        return options + grammar.shared.flatMap(\.entries).filter { $0.value != nil }.flatMap(\.names)
    }

    private static func line(_ option: OptionEntry, _ condition: String) -> String {
        let names = option.names.map { name in
            name.hasPrefix("--")
                ? "-l \(name.dropFirst(2))" : name.count == 2 ? "-s \(name.dropFirst())" : "-o \(name.dropFirst())"
        }
        let value =
            switch option.value {
            case nil: ""
            case .choices(let words): " -x -a \(quoted(words.joined(separator: " ")))"
            case .file: " -r -F"
            case .directory: " -x -a '(__fish_complete_directories (commandline -ct))'"
            case .other: " -x"
            }
        return
            "complete -c zeoshell -n \(quoted(condition)) \(names.joined(separator: " "))\(value) -d \(quoted(option.help))"
    }

    private static func values(of operand: OperandKind) -> String? {
        switch operand {
        case .file: "-F"
        case .address: "-F -a '(__zeoshell_services)'"
        case .command: "-a '$__zeoshell_commands'"
        case .helpTopic: "-a '$__zeoshell_commands " + HelpTopic.allCases.map(\.rawValue).joined(separator: " ") + "'"
        case .words(let words): "-a " + quoted(words.joined(separator: " "))
        case .path, .when, .value, .other: nil
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "'"
        for character in text {
            if character == "'" || character == "\\" { result += "\\" }
            result.append(character)
        }
        return result + "'"
    }

    private static let body = #"""

        # Sets __zeoshell_command, __zeoshell_operands and __zeoshell_configured from the words before the cursor.
        function __zeoshell_scan
            set -g __zeoshell_command ''
            set -g __zeoshell_operands 0
            set -g __zeoshell_configured 0
            set -l words (commandline -opc)
            set -l option ''
            set -l ended 0
            set -l i 2
            while test $i -le (count $words)
                set -l word $words[$i]
                set -l next (math $i + 1)
                if test -n "$option"
                    set option ''
                else if test $ended = 0 -a "$word" = --
                    set ended 1
                else if test $ended = 0; and string match -q -- '-?*' $word
                    if string match -q -- '-C*' $word; or string match -q -- '--configure*' $word
                        set __zeoshell_configured 1
                    end
                    if not string match -q -- '*=*' $word
                        if contains -- $word $__zeoshell_valued; or contains -- "$__zeoshell_command $word" $__zeoshell_valued
                            set option $word
                        end
                    end
                else if test -z "$__zeoshell_command" -a $next -le (count $words); and contains -- "$word $words[$next]" $__zeoshell_pairs
                    set __zeoshell_command "$word $words[$next]"
                    set i $next
                else if test -z "$__zeoshell_command"; and contains -- $word $__zeoshell_commands
                    set __zeoshell_command $word
                else
                    set __zeoshell_operands (math $__zeoshell_operands + 1)
                end
                set i (math $i + 1)
            end
        end

        function __zeoshell_is
            __zeoshell_scan
            contains -- "$__zeoshell_command" $argv
        end

        # The number of the next operand, -C counted as the address: N, or with "more" N and what follows.
        function __zeoshell_operand
            __zeoshell_scan
            set -l number $__zeoshell_operands
            if test $__zeoshell_configured = 1; and not contains -- "$__zeoshell_command" $__zeoshell_alone
                set number (math $number + 1)
            end
            if test "$argv[2]" = more
                test $number -ge $argv[1]
            else
                test $number -eq $argv[1]
            end
        end

        function __zeoshell_wants_command
            __zeoshell_scan
            test -z "$__zeoshell_command" -a $__zeoshell_operands -lt 2
        end

        function __zeoshell_wants_address
            __zeoshell_scan
            test $__zeoshell_operands = 0 -a $__zeoshell_configured = 0
            and not contains -- "$__zeoshell_command" $__zeoshell_alone
        end

        function __zeoshell_services
            set -l words (commandline -opc)
            $words[1] services -o plain --fields name 2> /dev/null
        end

        complete -c zeoshell -e
        complete -c zeoshell -f
        complete -c zeoshell -n __zeoshell_wants_address -F -a '(__zeoshell_services)'
        """#
}

internal import CommandReference

/// The completion script for zsh.
enum ZshScript {
    static func text(_ grammar: CommandGrammar) -> String {
        let commands = grammar.typable
        var lines = ["#compdef zeoshell", "# Completion of zeoshell for zsh, made by: zeoshell completion zsh", ""]
        lines += ["__zeoshell_options() {", "    case $1 in"]
        for command in commands {
            lines.append("        \(quoted(command.name))) reply=(")
            for option in grammar.options(of: command) {
                for name in option.names { lines.append("            \(described(name, option.help))") }
            }
            lines.append("        ) ;;")
        }
        lines += ["        *) reply=('--help:what there is' '--version:the version') ;;", "    esac", "}", ""]
        lines += ScriptTables.function("__zeoshell_value", ScriptTables.values(grammar))
        lines += ScriptTables.function("__zeoshell_operand", ScriptTables.operands(commands))
        lines += list(
            "__zeoshell_commands", commands.filter { !$0.name.contains(" ") }.map { described($0.name, $0.summary) })
        lines += list("__zeoshell_pairs", commands.filter { $0.name.contains(" ") }.map { quoted($0.name) })
        lines += list("__zeoshell_alone", commands.filter { !$0.wantsAddress }.map { quoted($0.name) })
        lines += list("__zeoshell_topics", HelpTopic.allCases.map { described($0.rawValue, "a topic") })
        return lines.joined(separator: "\n") + "\n" + body
    }

    private static func quoted(_ text: String) -> String { ScriptTables.quoted(text) }

    /// `'name:what it is'`
    private static func described(_ name: String, _ text: String) -> String { quoted("\(name):\(text)") }

    private static func list(_ name: String, _ words: [String]) -> [String] {
        ["typeset -ga \(name)", "\(name)=("] + words.map { "    " + $0 } + [")", ""]
    }

    private static let body = #"""
        __zeoshell_addresses() {
            local -a names
            names=(${(f)"$("${words[1]}" services -o plain --fields name 2> /dev/null)"})
            (( $#names )) && compadd -- $names
            _files
        }

        __zeoshell_kind() { # KIND WORDS
            case $1 in
                file) _files ;;
                directory) _files -/ ;;
                address) __zeoshell_addresses ;;
                command) _describe -t commands command __zeoshell_commands ;;
                topic)
                    _describe -t commands command __zeoshell_commands
                    _describe -t topics topic __zeoshell_topics
                    ;;
                words) compadd -- ${=2#words } ;;
            esac
        }

        _zeoshell() {
            local REPLY word option='' command='' value=${words[CURRENT]}
            local -a reply
            local -i operands=0 configured=0 ended=0 i
            for ((i = 2; i < CURRENT; i++)); do
                word=${words[i]}
                if [[ -n $option ]]; then option=''; continue; fi
                if ((!ended)) && [[ $word == -- ]]; then ended=1; continue; fi
                if ((!ended)) && [[ $word == -?* ]]; then
                    [[ $word == -C* || $word == --configure* ]] && configured=1
                    __zeoshell_value "$command" "$word"
                    [[ -n $REPLY && $word != *=* ]] && option=$word
                elif [[ -z $command ]] && ((i < CURRENT - 1)) && (( ${__zeoshell_pairs[(Ie)$word ${words[i + 1]}]} )); then
                    command="$word ${words[i + 1]}"
                    ((i++))
                elif [[ -z $command ]] && (( ${__zeoshell_commands[(I)${(b)word}:*]} )); then
                    command=$word
                else
                    ((operands++))
                fi
            done
            if [[ -n $option ]]; then
                __zeoshell_value "$command" "$option"
                __zeoshell_kind "${REPLY%% *}" "$REPLY"
            elif ((!ended)) && [[ $value == --*=* ]]; then
                __zeoshell_value "$command" "${value%%=*}"
                compset -P '*='
                __zeoshell_kind "${REPLY%% *}" "$REPLY"
            elif ((!ended)) && [[ $value == -* ]]; then
                __zeoshell_options "$command"
                _describe -o -t options option reply
            elif [[ -z $command ]]; then
                ((operands < 2)) && _describe -t commands command __zeoshell_commands
                ((operands || configured)) || __zeoshell_addresses
            else
                if ((operands == 0)); then
                    reply=(${${(M)__zeoshell_pairs:#$command *}#$command })
                    (( $#reply )) && compadd -- $reply
                fi
                (( ${__zeoshell_alone[(Ie)$command]} || configured )) || ((operands--))
                if ((operands < 0)); then
                    __zeoshell_addresses
                else
                    __zeoshell_operand "$command" "$operands"
                    __zeoshell_kind "${REPLY%% *}" "$REPLY"
                fi
            fi
        }

        if [[ ${funcstack[1]} == _zeoshell ]]; then
            _zeoshell "$@"
        else
            compdef _zeoshell zeoshell
        fi

        """#
}

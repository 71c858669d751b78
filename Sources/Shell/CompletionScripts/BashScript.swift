internal import CommandReference

/// The completion script for bash.
enum BashScript {
    static func text(_ grammar: CommandGrammar) -> String {
        let commands = grammar.typable
        var lines = ["# Completion of zeoshell for bash, made by: zeoshell completion bash", ""]
        lines += ["__zeoshell_options() {", "    case $1 in"]
        for command in commands {
            let names = grammar.options(of: command).flatMap(\.names).joined(separator: " ")
            lines.append("        \(quoted(command.name))) REPLY=\(quoted(names)) ;;")
        }
        lines += ["        *) REPLY='--help --version' ;;", "    esac", "}", ""]
        lines += ScriptTables.function("__zeoshell_value", ScriptTables.values(grammar))
        lines += ScriptTables.function("__zeoshell_operand", ScriptTables.operands(commands))
        let names = commands.map(\.name)
        lines.append("__zeoshell_commands=\(quoted(names.filter { !$0.contains(" ") }.joined(separator: " ")))")
        lines.append("__zeoshell_pairs=\(quoted("|" + names.filter { $0.contains(" ") }.joined(separator: "|") + "|"))")
        lines.append("__zeoshell_topics=\(quoted(HelpTopic.allCases.map(\.rawValue).joined(separator: " ")))")
        lines.append(
            "__zeoshell_alone=\(quoted("|" + commands.filter { !$0.wantsAddress }.map(\.name).joined(separator: "|") + "|"))"
        )
        return lines.joined(separator: "\n") + "\n" + body
    }

    private static func quoted(_ text: String) -> String { ScriptTables.quoted(text) }

    private static let body = #"""

        __zeoshell_add() { # WORDS
            local word
            for word in $1; do
                [[ $word == "$value"* ]] && COMPREPLY+=("$prefix$word")
            done
        }

        __zeoshell_files() { # -f or -d
            local name
            while IFS= read -r name; do COMPREPLY+=("$prefix$name"); done < <(compgen "$1" -- "$value")
            compopt -o filenames 2> /dev/null
        }

        __zeoshell_addresses() {
            __zeoshell_files -f
            __zeoshell_add "$("${words[0]}" services -o plain --fields name 2> /dev/null)"
        }

        __zeoshell_kind() { # KIND [WORDS]
            case $1 in
                file) __zeoshell_files -f ;;
                directory) __zeoshell_files -d ;;
                address) __zeoshell_addresses ;;
                command) __zeoshell_add "$__zeoshell_commands" ;;
                topic) __zeoshell_add "$__zeoshell_commands $__zeoshell_topics" ;;
                words) __zeoshell_add "${2#words }" ;;
            esac
        }

        _zeoshell() {
            local REPLY word option='' command='' prefix='' value count i
            local operands=0 configured=0 ended=0
            local -a words
            COMPREPLY=()
            # bash itself cuts words at : and =, which addresses and options are full of.
            IFS=$' \t' read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
            [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')
            count=${#words[@]}
            value=${words[count - 1]}
            for ((i = 1; i < count - 1; i++)); do
                word=${words[i]}
                if [[ $option ]]; then option=''; continue; fi
                if ((!ended)) && [[ $word == -- ]]; then ended=1; continue; fi
                if ((!ended)) && [[ $word == -?* ]]; then
                    [[ $word == -C* || $word == --configure* ]] && configured=1
                    __zeoshell_value "$command" "$word"
                    [[ $REPLY && $word != *=* ]] && option=$word
                elif [[ -z $command && $__zeoshell_pairs == *"|$word ${words[i + 1]}|"* ]] && ((i < count - 2)); then
                    command="$word ${words[++i]}"
                elif [[ -z $command && " $__zeoshell_commands " == *" $word "* ]]; then
                    command=$word
                else
                    ((++operands))
                fi
            done
            if [[ $option ]]; then
                __zeoshell_value "$command" "$option"
                __zeoshell_kind "${REPLY%% *}" "$REPLY"
            elif ((!ended)) && [[ $value == --*=* ]]; then
                __zeoshell_value "$command" "${value%%=*}"
                prefix=${value%%=*}= value=${value#*=}
                __zeoshell_kind "${REPLY%% *}" "$REPLY"
            elif ((!ended)) && [[ $value == -* ]]; then
                __zeoshell_options "$command"
                __zeoshell_add "$REPLY"
            elif [[ -z $command ]]; then
                ((operands < 2)) && __zeoshell_add "$__zeoshell_commands"
                ((operands || configured)) || __zeoshell_addresses
            else
                if ((operands == 0)); then
                    local pair
                    while IFS= read -r pair; do
                        [[ $pair == "$command "* ]] && __zeoshell_add "${pair#"$command "}"
                    done <<< "${__zeoshell_pairs//|/$'\n'}"
                fi
                [[ $__zeoshell_alone == *"|$command|"* ]] || ((configured)) || ((operands -= 1))
                if ((operands < 0)); then
                    __zeoshell_addresses
                else
                    __zeoshell_operand "$command" "$operands"
                    __zeoshell_kind "${REPLY%% *}" "$REPLY"
                fi
            fi
            # What bash takes for words of their own is there already.
            local there=${words[count - 1]}
            there=${there%"${there##*[:=]}"}
            [[ $COMP_WORDBREAKS == *[:=]* && $there ]] && COMPREPLY=("${COMPREPLY[@]#"$there"}")
            return 0
        }

        complete -F _zeoshell zeoshell

        """#
}

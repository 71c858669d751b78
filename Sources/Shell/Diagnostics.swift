/// What goes to standard error: errors and remarks, in the form that was asked for.
enum Diagnostics {
    static func write(_ text: String) {
        // Nobody to tell when even this fails.
        try? Output.write(Array(text.utf8), to: 2)
    }

    static func write(_ failure: ShellFailure, command: String?, format: OutputFormat) {
        write(text(failure, command: command, format: format) + "\n")
    }

    static func text(_ failure: ShellFailure, command: String?, format: OutputFormat) -> String {
        guard format.isJSON else { return TerminalText.escaped(failure.message(command: command)) }
        var members = [("code", failure.code)]
        if let command { members.append(("command", command)) }
        if let place = failure.place { members.append(("where", place)) }
        members += failure.details.filter { !$0.value.isEmpty }.map { ($0.name, $0.value) }
        members.append(("message", failure.what))
        if let advice = failure.advice { members.append(("advice", advice)) }
        let error = JSONText.object(members.map { ($0.0, JSONText.string($0.1)) })
        return JSONText.object([("error", error)])
    }

    static func write(_ message: Report.Message, command: String?, format: OutputFormat) {
        if format.isJSON {
            let member = JSONText.object([("message", JSONText.string(message.text))])
            write(JSONText.object([(message.severity.rawValue, member)]) + "\n")
        } else {
            let prefix =
                message.severity == .warning ? "zeoshell: " + (command.map { $0 + ": " } ?? "") + "warning: " : ""
            write(prefix + TerminalText.escaped(message.text) + "\n")
        }
    }

    static func note(_ text: String, format: OutputFormat) {
        write(Report.Message(text), command: nil, format: format)
    }
}

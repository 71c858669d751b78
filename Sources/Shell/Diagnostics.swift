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
        guard format.isJSON else { return TerminalText.escaped(clipped(failure).message(command: command)) }
        var members = [("code", failure.code)]
        if let command { members.append(("command", command)) }
        if let place = failure.place { members.append(("where", place)) }
        members += failure.details.filter { !$0.value.isEmpty }.map { ($0.name, $0.value) }
        members.append(("message", failure.what))
        if let advice = failure.advice { members.append(("advice", advice)) }
        let error = JSONText.object(members.map { ($0.0, JSONText.string($0.1)) })
        return JSONText.object([("error", error)])
    }

    /// Nobody reads a path of a megabyte, and what is wrong with it would scroll away; programs get all of it.
    private static func clipped(_ failure: ShellFailure) -> ShellFailure {
        var failure = failure
        failure.place = failure.place.map(clipped)
        failure.what = clipped(failure.what)
        failure.advice = failure.advice.map(clipped)
        return failure
    }

    /// The beginning and the end of a text that would fill a screen.
    static func clipped(_ text: String) -> String {
        let (limit, kept) = (600, 240)
        guard text.unicodeScalars.count > limit else { return text }
        let scalars = text.unicodeScalars
        return String(scalars.prefix(kept)) + "…" + String(scalars.suffix(kept))
    }

    static func write(_ message: Report.Message, command: String?, format: OutputFormat) {
        if format.isJSON {
            let member = JSONText.object([("message", JSONText.string(message.text))])
            write(JSONText.object([(message.severity.rawValue, member)]) + "\n")
        } else {
            let prefix =
                message.severity == .warning ? "zeoshell: " + (command.map { $0 + ": " } ?? "") + "warning: " : ""
            write(prefix + TerminalText.escaped(clipped(message.text)) + "\n")
        }
    }

    static func note(_ text: String, format: OutputFormat) {
        write(Report.Message(text), command: nil, format: format)
    }
}

internal import ArgumentParser

struct PwdCommand: ShellCommand {
    static let name = "pwd"
    static let summary = "tell where we are"
    static let group = CommandGroup.move
    static let scope = CommandScope.sessionOnly

    func run(in session: Session) throws -> Report {
        .document(Report.Document(text: session.path, json: JSONText.string(session.path)))
    }
}

internal import ArgumentParser
internal import ObjectGraph

struct CdCommand: ShellCommand {
    static let name = "cd"
    static let summary = "go to an object; with @WHEN, to the past"
    static let synopsis = "[PATH]"
    static let group = CommandGroup.move
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Without a path: to /. With PATH@WHEN the session looks at the past from then on, as the prompt shows; cd @now and
        refresh return from it.
        """
    static let examples = [
        CommandExample("cd /Plone/news", "to an object by its path"),
        CommandExample("cd #1a2b", "by its oid"),
        CommandExample("cd -", "back to the place before"),
        CommandExample("cd /Plone@yesterday", "to the state of a day ago"),
    ]

    @Argument(help: "Where to go.") var path: String?

    func run(in session: Session) throws -> Report {
        let text = path ?? "/"
        let place = try session.place(text)
        do {
            // A place that cannot be read is none to be at.
            try session.read(place)
        } catch {
            throw ShellFailure(error, at: text)
        }
        session.go(to: place)
        return .nothing
    }
}

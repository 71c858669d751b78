internal import ArgumentParser
internal import ZODB

struct ModeCommand: ShellCommand {
    static let name = "mode"
    static let summary = "allow changes, or stop allowing them"
    static let synopsis = "[rw | ro]"
    static let group = CommandGroup.transaction
    static let scope = CommandScope.sessionOnly
    static let operands: [OperandKind] = [.other]
    static let discussion = """
        A session begins read-only, unless it was started with --rw. A Data.fs that is opened for writing is locked: the
        server that serves it has to be stopped first, or better, be connected to.
        """
    static let examples = [
        CommandExample("mode", "which it is"),
        CommandExample("mode rw", "allow changes"),
        CommandExample("mode ro", "no more"),
    ]

    @Argument(help: "rw or ro; tells which it is when left out.") var mode: String?

    func run(in session: Session) throws -> Report {
        _ = try session.storage
        switch mode {
        case nil: break
        case "rw" where session.writingMode == .overlay, "ro" where session.writingMode == .overlay:
            throw ShellFailure(
                "overlay", .refused, "this is an overlay: what was committed to it would be lost",
                advice: "'connect' opens the storage itself")
        case "rw":
            try session.destination?.requireWritable()
            if !session.isWritable { try session.reopen(writable: true) }
        case "ro":
            try session.requireNothingStaged("mode ro")
            if session.isWritable { try session.reopen(writable: false) }
        default: throw ShellFailure.usage("the mode is rw or ro", advice: "mode rw")
        }
        let mode = session.writingMode
        return .document(
            Report.Document(text: mode.title, json: JSONText.object([("mode", JSONText.string(mode.rawValue))])))
    }
}

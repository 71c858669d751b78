internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct CatCommand: ShellCommand {
    static let name = "cat"
    static let summary = "show an object: its state, or the source of a script"
    static let synopsis = "[--state] [--full] PATH…"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        The state reads like Python; nothing is executed to show it. Long strings and deep values are cut, which … shows;
        --full cuts nothing. Scripts, templates and queries show their source; --state shows their state. A value inside
        a record is shown alone. With -o json: the record in the notation of docs/formats/pickle.md, never cut.
        """
    static let examples = [
        CommandExample("cat /Plone/news", "the state"),
        CommandExample("cat /index_html", "a template: its source"),
        CommandExample("cat /Plone/.__ac_local_roles__", "one attribute"),
        CommandExample("cat /Plone/news@yesterday", "as it was a day ago"),
        CommandExample("cat #1a2b -o json", "as JSON"),
    ]

    @Flag(help: "The state, also of what has a source.") var state = false
    @Flag(help: "Cut nothing.") var full = false
    @Argument(help: "What to show; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let writer = ObjectText(
            workspace: workspace, showsSource: !state, isComplete: full,
            zone: session.settings.usesUTC ? .utc : .system,
            width: session.terminal.outputIsTerminal ? session.terminal.size.columns : 100)
        let documents = ClosureCursor { () throws(StorageError) in
            try operands.next { place throws(StorageError) in try writer.document(place) }
        }
        return Report(.documents(documents, isList: operands.isMany)) { operands.conclusion }
    }
}

/// Objects and values written out.
struct ObjectText {
    let workspace: Workspace
    /// Scripts and their like by their source.
    var showsSource = true
    var isComplete = false
    let zone: LocalTime
    let width: Int

    func document(_ place: Place) throws(StorageError) -> Report.Document {
        let subject = try workspace.subject(of: place.node)
        return Report.Document(title: place.description, text: try text(subject), json: try json(subject))
    }

    private func text(_ subject: Subject) throws(StorageError) -> String {
        guard subject.isObject else { return try state(subject) }
        if showsSource, let source = subject.source { return try heading(subject, source) + "\n" + source.text }
        var text = try heading(subject, nil) + "\n"
        if let arguments = subject.record.newArguments {
            text += "made with " + subject.document.text(arguments, try options(subject)) + "\n"
        }
        return text + (try state(subject))
    }

    /// The value itself, as Python text.
    func state(_ subject: Subject) throws(StorageError) -> String {
        subject.document.text(subject.slot, try options(subject))
    }

    /// The record, or the value.
    func json(_ subject: Subject) throws(StorageError) -> String {
        let isPython2 = try isPython2(subject)
        var json = Pickle.JSONText()
        if subject.isObject {
            subject.record.writeJSON(isPython2: isPython2, to: &json)
        } else {
            subject.document.writeJSON(subject.slot, isPython2: isPython2, to: &json)
        }
        return json.text
    }

    /// Whether plain strings are Python 2's.
    private func isPython2(_ subject: Subject) throws(StorageError) -> Bool {
        if let generation = subject.document.generation { return generation == .python2 }
        return try workspace.generation() == .python2
    }

    private func options(_ subject: Subject) throws(StorageError) -> PickleText.Options {
        var options = isComplete ? PickleText.Options.complete : PickleText.Options()
        options.isPython2 = try isPython2(subject)
        options.width = max(40, width)
        return options
    }

    /// `# Folder (OFS.Folder.Folder) #b, written 2026-10-01 10:00:12 +0200`
    private func heading(_ subject: Subject, _ source: SourceText?) throws(StorageError) -> String {
        let facts = try workspace.facts(of: subject)
        var line = "# \(facts.kind)"
        if let name = facts.className?.description { line += " (\(name))" }
        line += " \(subject.record.oid.path), "
        line += subject.record.serial.isStaged ? "staged" : "written " + TimeText.local(subject.record.serial, zone)
        guard let source else { return line }
        if let parameters = source.parameters, !parameters.isEmpty { line += "\n# parameters: \(parameters)" }
        return line
    }
}

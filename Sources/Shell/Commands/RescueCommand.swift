internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct RescueCommand: EditingCommand {
    static let name = "rescue"
    static let summary = "find out what keeps people out of a site, and stage its cure"
    static let synopsis = "[EMERGENCY] [PATH] [-r] [--explain] [--all] [--user NAME] [--gone-class CLASS]…"
    static let operands: [OperandKind] = [.other, .path]
    static let answers = true
    static let discussion = """
        Alone it looks for every emergency and says which there are; it changes nothing. With the name of one it says what
        it found and stages the edits that would end it: 'diff' shows them, 'commit' writes them, 'abort' forgets them.
        Whatever it stages can be done by hand with set, unset, rm and passwd.
        It looks at PATH (/ when left out) and what is next to it, with -r at everything below. Only what is certainly
        wrong is cured; --all takes what may be wrong as well.
        Exit code 1 when something is wrong and is not staged. The emergencies:

        """ + Emergency.allCases.map { "  \(padded($0.rawValue))\($0.title)" }.joined(separator: "\n")
    static let examples = [
        CommandExample("rescue", "what is wrong here?"),
        CommandExample("rescue access-rule", "every URL is answered with 404"),
        CommandExample("rescue access-rule /site --explain", "only look"),
        CommandExample("rescue no-manager --user bob", "bob becomes a manager"),
        CommandExample("rescue broken-objects / -r --gone-class Products.Old.Thing.Thing", "a product was removed"),
    ]

    private static func padded(_ name: String) -> String { name + String(repeating: " ", count: 17 - name.utf8.count) }

    @Argument(help: "Which emergency, and where: a path.") var what: [String] = []
    @Flag(name: .shortAndLong, help: "Look at everything below.") var recursive = false
    @Flag(help: "Say what was found and what would be staged; stage nothing.") var explain = false
    @Flag(help: "Also what may be wrong, and may be meant so.") var all = false
    @Option(help: ArgumentHelp("For no-manager: who is to be a manager.", valueName: "name")) var user: String?
    @Option(
        name: .customLong("gone-class"),
        help: ArgumentHelp("For broken-objects: a class that is gone, as Zope's log has it.", valueName: "module.class")
    )
    var goneClasses: [String] = []
    @OptionGroup var editing: EditOptions

    func run(in session: Session) throws -> Report {
        let (emergency, path) = try request()
        guard let emergency else { return try overview(session, path) }
        if explain { return try explanation(emergency, session, path) }
        guard session.isWritable else {
            let report = try explanation(emergency, session, path)
            return Report(report.body) {
                var conclusion = report.conclusion()
                if conclusion.isNegative {
                    conclusion.failures.append(ShellFailure(.readOnly(session.databaseName), at: session.databaseName))
                }
                return conclusion
            }
        }
        return try session.edit(editing) { try edit(session) }
    }

    /// The operands: an emergency, a path, both in this order, or nothing.
    private func request() throws -> (Emergency?, String?) {
        var rest = what[...]
        var emergency: Emergency?
        if let first = rest.first, let named = Emergency(rawValue: first) {
            emergency = named
            rest = rest.dropFirst()
        } else if let first = rest.first, !first.hasPrefix("/"), !first.hasPrefix("#"), !first.hasPrefix(".") {
            throw ShellFailure.usage(
                "no emergency called '\(first)'",
                advice: "there are: " + Emergency.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard rest.count <= 1 else { throw ShellFailure.usage("one path, not \(rest.count)") }
        return (emergency, rest.first)
    }

    private func scope(_ session: Session, _ path: String?) throws -> RescueScope {
        var scope = RescueScope(try session.place(path ?? "/"), now: session.now())
        (scope.isRecursive, scope.user, scope.goneClasses) = (recursive, user, Set(goneClasses))
        return scope
    }

    private func findings(_ emergency: Emergency, _ scope: RescueScope, _ session: Session) throws -> [Finding] {
        let progress = session.progress
        let cursor = try session.workspace.findings(of: emergency, in: scope) {
            progress.update("looking for \(emergency.rawValue)", $0, "objects")
        }
        var findings: [Finding] = []
        while let finding = try cursor.next() { findings.append(finding) }
        return findings
    }

    // MARK: All of them

    private func overview(_ session: Session, _ path: String?) throws -> Report {
        let scope = try scope(session, path)
        var rows: [[Cell]] = []
        var isInTrouble = false
        for emergency in Emergency.allCases {
            let found = try findings(emergency, scope, session)
            let certain = found.filter(\.isCertain)
            if !certain.isEmpty { isInTrouble = true }
            let first = certain.first ?? found.first
            let state: Cell = certain.isEmpty ? .text(found.isEmpty ? "no" : "perhaps") : .alert("yes")
            let about = first.map { $0.what + (found.count > 1 ? " (and \(found.count - 1) more)" : "") }
            rows.append([
                .text(emergency.rawValue), state, .integer(certain.count), .integer(found.count),
                first.map { .text($0.place.description) } ?? .none, .text(about ?? emergency.title),
            ])
        }
        let columns = [
            Report.Column("emergency", tone: .name), Report.Column("found"),
            Report.Column("certain", visibility: .detail), Report.Column("findings", visibility: .detail),
            Report.Column("path", tone: .path), Report.Column("about", isFlexible: true),
        ]
        return Report(.table(Report.Table(columns, ArrayCursor(rows)))) {
            let advice =
                isInTrouble
                ? "'rescue NAME --explain' tells more, 'rescue NAME' stages the cure"
                : "nothing is certainly wrong at \(scope.place)"
                    + (scope.isRecursive ? " or below" : "; -r looks below")
            return Report.Conclusion(messages: [Report.Message(advice)], isNegative: isInTrouble)
        }
    }

    // MARK: One of them

    private func explanation(_ emergency: Emergency, _ session: Session, _ path: String?) throws -> Report {
        let found = try findings(emergency, try scope(session, path), session)
        let text = FindingText(width: session.textWidth)
        let intent = found.map { finding in
            finding.remedy == nil ? FindingText.Cure.unknown : isWanted(finding) ? .planned : .doubtful
        }
        let documents = [text.heading(emergency)] + zip(found, intent).map { text.document($0, $1) }
        return Report(.documents(ArrayCursor(documents), isList: true)) {
            Report.Conclusion(
                messages: found.isEmpty ? [Report.Message("nothing of the kind found")] : [], isNegative: !found.isEmpty
            )
        }
    }

    private func isWanted(_ finding: Finding) -> Bool { finding.remedy != nil && (finding.isCertain || all) }

    func edit(_ session: Session) throws -> Report {
        let (emergency, path) = try request()
        guard let emergency else { return .nothing }
        let text = FindingText(width: session.textWidth)
        var documents: [Report.Document] = []
        var stagedCount = 0
        var leftCount = 0
        for finding in try findings(emergency, try scope(session, path), session) {
            if let remedy = finding.remedy, isWanted(finding) {
                try session.stage(remedy, at: finding.place)
                stagedCount += 1
                documents.append(text.document(finding, .staged))
            } else {
                leftCount += finding.isCertain ? 1 : 0
                documents.append(text.document(finding, finding.remedy == nil ? .unknown : .doubtful))
            }
        }
        let message: String
        if stagedCount > 0 {
            message = "staged; 'diff' shows the edits, 'commit' writes them, 'abort' forgets them"
        } else {
            message = documents.isEmpty ? "nothing of the kind found" : "nothing staged"
        }
        return Report(.documents(ArrayCursor(documents), isList: true)) {
            Report.Conclusion(
                messages: [Report.Message(message)],
                isNegative: leftCount > 0 || stagedCount == 0 && !documents.isEmpty)
        }
    }
}

extension Session {
    /// Stages the edits of a remedy.
    /// - Throws: `ShellFailure`.
    func stage(_ remedy: Remedy, at place: Place) throws {
        try change(place) { (workspace) throws(EditError) in try workspace.stage(remedy) }
    }

    /// Columns for running text.
    var textWidth: Int { terminal.outputIsTerminal ? min(terminal.size.columns, 100) : 100 }
}

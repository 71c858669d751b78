internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct EditCommand: EditingCommand {
    static let name = "edit"
    static let summary = "edit an object's attributes, or a text, in your editor"
    static let synopsis = "PATH"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Opens $VISUAL, $EDITOR or vi with the attributes as NAME = VALUE; of a text of several lines, with the text. Then
        asks: y stages what was changed, d shows it, e edits again, q forgets it. Attributes left as they are keep their
        bytes, also those that no literal spells. With -y nothing is asked.
        """
    static let examples = [
        CommandExample("edit /Plone/news", "all attributes"),
        CommandExample("edit /index_html/._text", "the source of a template"),
    ]

    @Argument(help: "What to edit.") var path: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        guard session.questions != nil || editing.isConfirmed else {
            throw ShellFailure(
                "not-confirmed", .refused, "nobody is there to be asked whether to stage it",
                advice: "-y answers beforehand; 'set' needs no editor")
        }
        let place = try session.place(path)
        guard place.at == session.at else {
            throw ShellFailure("read-only", .refused, at: path, "the past cannot be changed")
        }
        let subject = try session.read(place)
        let workspace = try session.workspace
        let sheet = try ObjectSheet(subject, place.description, workspace)
        let editor = TextEditor(session.environment)
        let before = workspace.savepoint()
        var text = sheet.text
        while true {
            let isEmptyAlready = text.allSatisfy(\.isWhitespace)
            text = try editor.edit(text)
            // An editor that failed, or a full disk, leaves an empty file behind.
            guard isEmptyAlready || !text.allSatisfy(\.isWhitespace) else {
                throw ShellFailure(
                    "editor", .refused, at: place.description, "the text came back empty: nothing was changed",
                    advice: "'unset' removes attributes, set PATH '' empties a text")
            }
            let changes: [ObjectSheet.Change]
            do {
                try requireShown(subject.record, text, at: place, session)
                changes = try sheet.changes(text) { number in
                    let oid = ObjectID(rawValue: number)
                    return (try? workspace.editable(oid)) == nil ? nil : .object(oid)
                }
                guard !changes.isEmpty else { return .nothing }
                try apply(changes, to: place, session)
            } catch let problem as ObjectSheet.Problem {
                text = ObjectSheet.marked(text, problem)
                try again("line \(problem.line): \(problem.text)", session)
                continue
            } catch let refusal as Outdated {
                throw refusal.failure
            } catch let failure as ShellFailure {
                workspace.roll(back: before)
                try again(failure.message(command: nil), session)
                continue
            }
            switch try choice(session) {
            case .stage:
                // The question may have stood for long, too.
                try restage(changes, text, shown: subject.record, at: place, session, from: before)
                return .nothing
            case .editAgain: workspace.roll(back: before)
            case .forget:
                workspace.roll(back: before)
                return .nothing
            }
        }
    }

    private func apply(_ changes: [ObjectSheet.Change], to place: Place, _ session: Session) throws {
        for change in changes {
            switch change {
            case .set(let name?, let value):
                try session.change(place) { (workspace) throws(EditError) in
                    try workspace.set(.attribute(name), of: place, to: value)
                }
            case .set(nil, let value):
                guard let parent = place.parent else { continue }
                try session.change(parent) { (workspace) throws(EditError) in try workspace.set(place, to: value) }
            case .unset(let name):
                try session.change(place) { (workspace) throws(EditError) in
                    try workspace.unset(.attribute(name), of: place)
                }
            }
        }
    }

    // MARK: A server that comes back meanwhile

    /// The text was made of what the server does not have: that ends it, whoever is there to be asked.
    private struct Outdated: Error {
        var failure: ShellFailure
    }

    /// What the editor showed may have come from a cache file, which has no checksums, and the server be back by now: what
    /// was edited has to be what the server has, byte for byte.
    private func requireShown(_ shown: ObjectRecord, _ text: String, at place: Place, _ session: Session) throws {
        let workspace = try session.workspace
        workspace.rereadIfNeeded()
        let reading = workspace.rereadings
        guard reading != session.reading else { return }
        var failure: ShellFailure
        do {
            guard try workspace.object(shown.oid, at: place.at).document.source != shown.document.source else {
                session.reading = reading
                return
            }
            failure = ShellFailure(
                "read-again", .conflict, at: place.description,
                "the server came back, and has other bytes of the object than the cache that the editor showed: nothing was staged"
            )
        } catch {
            failure = ShellFailure(error, at: place.description)
        }
        if let path = try? TextEditor(session.environment).keep(text) {
            failure.advice =
                "what you wrote is kept in \(path); 'edit \(Words.quoted(place.description))' shows what the server has"
        } else {
            // Better on the screen than lost.
            Diagnostics.write(TerminalText.escaped(text, keepsLines: true) + "\n")
            failure.advice =
                "what you wrote is shown above; 'edit \(Words.quoted(place.description))' shows what the server has"
        }
        throw Outdated(failure: failure)
    }

    /// Stages once more what was staged before the server was back: on what the server has.
    private func restage(
        _ changes: [ObjectSheet.Change], _ text: String, shown: ObjectRecord, at place: Place, _ session: Session,
        from before: Savepoint
    ) throws {
        let workspace = try session.workspace
        workspace.rereadIfNeeded()
        guard workspace.rereadings != session.reading else { return }
        workspace.roll(back: before)
        do {
            try requireShown(shown, text, at: place, session)
        } catch let refusal as Outdated {
            throw refusal.failure
        }
        try apply(changes, to: place, session)
    }

    // MARK: The menu

    private enum Choice {
        case stage, editAgain, forget
    }

    private func choice(_ session: Session) throws -> Choice {
        guard !editing.isConfirmed, let questions = session.questions else { return .stage }
        while true {
            switch try questions.answer("y stage, d diff, e edit again, q forget [y/d/e/q]").lowercased() {
            case "y", "yes": return .stage
            case "e": return .editAgain
            case "q", "n", "": return .forget
            case "d":
                let text = try StagedChanges(session).text(lineLimit: 1000)
                Diagnostics.write(TerminalText.escaped(text, keepsLines: true) + "\n")
            default: continue
            }
        }
    }

    /// What was edited cannot be staged: edited again, or forgotten.
    private func again(_ problem: String, _ session: Session) throws {
        guard !editing.isConfirmed, let questions = session.questions else {
            throw ShellFailure.usage(problem, advice: "nothing was changed")
        }
        Diagnostics.write(TerminalText.escaped(problem) + "\n")
        let answer = try questions.answer("e edit again, q forget [e/q]").lowercased()
        guard answer == "e" || answer == "y" else {
            throw ShellFailure("not-confirmed", .refused, "forgotten: nothing was changed")
        }
    }
}

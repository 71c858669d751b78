internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct RevertCommand: EditingCommand {
    static let name = "revert"
    static let summary = "bring back an object as it was"
    static let synopsis = "PATH@WHEN… [-r] [-y] [--expect N]"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Stages the object's state of then; 'diff' shows what that changes, 'commit' writes it. Later transactions that changed
        other objects do not matter: that is the difference from 'undo'.
        A container comes with what makes it up: the nodes and buckets of its BTrees, its counters, its blobs. Its children
        are objects of their own and stay as they are, with -r they come too, and what is below them, except objects
        that say that their parent is elsewhere. What was deleted since and is referred to again comes back with it.
        An object that its container has lost is put back there. Of an attribute, a key or an element only that value comes
        back, whatever else has changed in the object.
        What was put into a container since then goes: that is asked about, with its names.
        """
    static let examples = [
        CommandExample("revert /Plone/news@yesterday", "the object as it was this time yesterday"),
        CommandExample("revert /Plone/news@~1", "its revision before the present one"),
        CommandExample("revert /Plone/news@2h -r", "with all that is below"),
        CommandExample("revert /Plone/news/.title@yesterday", "the title alone"),
    ]

    @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Also what is below it.") var isRecursive = false
    @OptionGroup var editing: EditOptions
    @Argument(help: "Objects, each with the time to go back to.") var paths: [String]

    func edit(_ session: Session) throws -> Report {
        try session.seekServer()
        let workspace = try session.workspace
        var broughtBack = 0
        for text in paths {
            var path = try Session.parse(text)
            guard path.when != nil else {
                throw ShellFailure.usage(
                    "\(text): as of when?", advice: "revert \(Words.quoted(text))@yesterday, or @~1")
            }
            let old = try place(text, session)
            path.when = nil
            guard old.node.isObject else {
                try revertValue(old, path, session)
                continue
            }
            let result = try stage(old, text, workspace, session)
            broughtBack += result.broughtBack.count
            try confirmLosses(result, old.at, session)
            if !path.steps.isEmpty { try putBack(old, path, text, session) }
        }
        try session.requireServersBytes()
        return broughtBack == 0
            ? .nothing : .message("\(counted(broughtBack, "object")) that no longer existed brought back")
    }

    private func place(_ text: String, _ session: Session) throws -> Place {
        do {
            let place = try session.place(text)
            try session.read(place)
            return place
        } catch {
            var failure = ShellFailure(error, at: text)
            if failure.code == "no-such-path" { failure.what += " then; 'unset' and 'rm' take away what is there now" }
            throw failure
        }
    }

    /// Entries that were made since, and that the container of then does not have.
    private func confirmLosses(_ result: Reversion.Result, _ tid: TransactionID, _ session: Session) throws {
        guard !editing.isConfirmed else { return }
        let reversion = Reversion(try session.workspace)
        var lost: [String] = []
        for place in result.places {
            for node in try reversion.lostEntries(of: place.node.oid) {
                var path = place.path
                if let component = node.component { path.steps.append(.child(component)) }
                lost.append(path.description)
            }
        }
        guard !lost.isEmpty else { return }
        let names = lost.prefix(Self.shown).joined(separator: ", ") + (lost.count > Self.shown ? ", …" : "")
        try Confirmation(session: session).require(
            "This takes away \(counted(lost.count, "item")) that \(lost.count == 1 ? "was" : "were") not there at "
                + "\(TimeText.local(tid, session.settings.usesUTC ? .utc : .system)): \(names). Stage it?",
            isGiven: editing.isConfirmed)
    }

    private static let shown = 10

    private func stage(
        _ old: Place, _ text: String, _ workspace: Workspace, _ session: Session
    ) throws -> Reversion.Result {
        let progress = session.progress
        do throws(Reversion.Loss) {
            return try Reversion(workspace) { progress.update("reading", $0, "objects") }
                .stage(old, isRecursive: isRecursive) { oid, place in session.note(place.description, of: oid) }
        } catch {
            throw Self.failure(error, text, old.at)
        }
    }

    /// A value inside an object: that alone, whatever else has changed in the object since.
    private func revertValue(_ old: Place, _ path: ObjectPath, _ session: Session) throws {
        let subject = try session.read(old)
        let value: PickleValue
        do throws(PickleValueError) {
            value = try PickleValue(subject.slot, in: subject.document)
        } catch {
            throw ShellFailure("unsupported", .refused, at: path.description, "cannot be copied: \(error)")
        }
        let target = try EditTarget(path.description, session)
        try session.change(target.container) { (workspace) throws(EditError) in
            try workspace.set(target.component, of: target.container, to: value)
        }
    }

    /// Where the path no longer leads to the object, its container gets it back.
    private func putBack(_ old: Place, _ path: ObjectPath, _ text: String, _ session: Session) throws {
        let target = try EditTarget(path.description, session)
        if let now = target.place {
            guard now.node.target != old.node.target else { return }
            throw ShellFailure(
                "exists", .refused, at: text,
                "today another object is there, \(now.node.oid.path); then it was \(old.node.oid.path)",
                advice:
                    "'rm' or 'mv' it first; revert \(old.node.oid.path)@\(old.at.hex) brings back the object by itself")
        }
        try session.change(target.container) { (workspace) throws(EditError) in
            if case .name(let name) = target.component {
                try workspace.addChild(
                    .object(old.node.oid), as: name, to: target.container, metaType: old.node.metaType)
            } else {
                try workspace.set(target.component, of: target.container, to: .object(old.node.oid))
            }
        }
    }

    private static func failure(_ loss: Reversion.Loss, _ path: String, _ tid: TransactionID) -> ShellFailure {
        switch loss {
        case .object(let oid, let referrer, let error):
            let from = referrer.map { ", which \($0.path) referred to," } ?? ""
            var failure = ShellFailure(error, at: path)
            failure.what = "\(oid.path)\(from) cannot be read as of then: \(error)"
            failure.advice = "it was packed away, or never there; a backup may have it: cp BACKUP.fs:PATH PATH"
            return failure
        case .blob(let oid, let serial, let error):
            var failure = ShellFailure(error, at: path)
            failure.what = "the bytes of blob \(oid.path) as of \(serial.hex) are gone: \(error)"
            return failure
        case .storage(let error): return ShellFailure(error, at: path)
        }
    }
}

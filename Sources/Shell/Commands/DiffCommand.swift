internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct DiffCommand: ShellCommand {
    static let name = "diff"
    static let summary = "show what is staged, or how two states or objects differ"
    static let synopsis = "[PATH | PATH@WHEN | PATH@WHEN PATH@WHEN | PATH PATH]"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Without a path: what the staged edits change, object by object; of an object that was edited, its edits.
        Attribute by attribute, and inside dicts, lists and instances entry by entry; texts line by line. A path alone: its
        last revision and the one before. A path with a time: then and now. Of a container only its own record is
        compared, not what its children refer to.
        Exit code 1 when there are differences, 0 when there are none.
        """
    static let examples = [
        CommandExample("diff /Plone/news", "what the last change was"),
        CommandExample("diff /Plone/news@yesterday", "since yesterday"),
        CommandExample("diff /Plone/news@2026-10-01 /Plone/news@2026-10-07", "between two times"),
        CommandExample("diff /Plone/news /Plone/events", "two objects"),
    ]

    @Argument(help: "The object, or its state at a time; all staged edits when left out.") var first: String?
    @Argument(help: "What to compare it with.") var second: String?

    func run(in session: Session) throws -> Report {
        guard let first else { return try staged(session) }
        let (before, after) = try sides(first, session)
        let printer = try DifferencePrinter(try session.workspace)
        let (document, isDifferent) = printer.document(before, after)
        return Report(.documents(ArrayCursor([document]), isList: false)) {
            Report.Conclusion(messages: isDifferent ? [] : [Report.Message("no difference")], isNegative: isDifferent)
        }
    }

    private typealias Side = DifferencePrinter.Side

    private func staged(_ session: Session) throws -> Report {
        _ = try session.storage
        let changes = try StagedChanges(session)
        let isDifferent = !changes.isEmpty
        return Report(.documents(try changes.differences(), isList: true)) {
            Report.Conclusion(
                messages: isDifferent ? [] : [Report.Message("nothing is staged")], isNegative: isDifferent)
        }
    }

    private func sides(_ first: String, _ session: Session) throws -> (Side, Side) {
        if let second { return (try side(first, session), try side(second, session)) }
        var path = try Session.parse(first)
        if path.when != nil {
            path.when = nil
            return (try side(first, session), try side(path.description, session))
        }
        return try lastChange(first, path, session)
    }

    private func side(_ text: String, _ session: Session) throws -> Side {
        do {
            return Side(path: text, subject: try session.read(try session.place(text)))
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    /// The last revision and the one before it; nothing where the object did not exist, or does not any more.
    private func lastChange(_ first: String, _ path: ObjectPath, _ session: Session) throws -> (Side, Side) {
        if let edits = try edits(path, session) { return edits }
        let storage = try session.storage(as: (any HistoryStorage).self, to: "tell an object's history")
        let place = try session.place(first)
        // Of a value, the revisions of the object that it lies in.
        let revisions = RevisionCursor(storage, of: place.node.oid)
        var count = 0
        while count < 2, let entry = try revisions.next() {
            if entry.transaction.tid <= place.at { count += 1 }
        }
        let after = Side(path: first, subject: try subject(path, session))
        guard count > 1 else {
            if after.subject == nil { throw ShellFailure(.noSuchObject(place.node.oid), at: first) }
            return (Side(path: first), after)
        }
        var earlier = path
        earlier.when = .revisionsBack(1)
        return (Side(path: earlier.description, subject: try subject(earlier, session)), after)
    }

    /// The object before and after the edits that are staged for it; nil when there are none.
    private func edits(_ path: ObjectPath, _ session: Session) throws -> (Side, Side)? {
        let workspace = try session.workspace
        guard session.past == nil, let place = try? session.resolver(for: path).resolve(path),
            let staged = workspace.stagedObject(place.node.oid)
        else { return nil }
        let name = place.node.isObject ? place.description : place.node.oid.path
        return (
            Side(path: name, subject: staged.base.map { Subject(of: $0) }),
            Side(path: name, subject: Subject(of: staged.record))
        )
    }

    /// nil for what is not there.
    private func subject(_ path: ObjectPath, _ session: Session) throws -> Subject? {
        do {
            return try session.read(try session.resolver(for: path).resolve(path))
        } catch PathError.notFound {
            return nil
        } catch PathError.unreadable(_, .noSuchObject), PathError.unreadable(_, .noRevision),
            PathError.storage(.noSuchObject), PathError.storage(.noRevision)
        {
            return nil
        } catch {
            throw ShellFailure(error, at: path.description)
        }
    }
}

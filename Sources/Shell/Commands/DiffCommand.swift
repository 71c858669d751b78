internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct DiffCommand: ShellCommand {
    static let name = "diff"
    static let summary = "show how two states of an object, or two objects, differ"
    static let synopsis = "PATH | PATH@WHEN | PATH@WHEN PATH@WHEN | PATH PATH"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.path]
    static let discussion = """
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

    @Argument(help: "The object, or its state at a time.") var first: String
    @Argument(help: "What to compare it with.") var second: String?

    func run(in session: Session) throws -> Report {
        let (before, after) = try sides(session)
        let printer = try DifferencePrinter(try session.workspace)
        let (document, isDifferent) = printer.document(before, after)
        return Report(.documents(ArrayCursor([document]), isList: false)) {
            Report.Conclusion(messages: isDifferent ? [] : [Report.Message("no difference")], isNegative: isDifferent)
        }
    }

    private typealias Side = DifferencePrinter.Side

    private func sides(_ session: Session) throws -> (Side, Side) {
        if let second { return (try side(first, session), try side(second, session)) }
        var path = try Session.parse(first)
        if path.when != nil {
            path.when = nil
            return (try side(first, session), try side(path.description, session))
        }
        return try lastChange(path, session)
    }

    private func side(_ text: String, _ session: Session) throws -> Side {
        do {
            return Side(path: text, subject: try session.read(try session.place(text)))
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    /// The last revision and the one before it; nothing where the object did not exist, or does not any more.
    private func lastChange(_ path: ObjectPath, _ session: Session) throws -> (Side, Side) {
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

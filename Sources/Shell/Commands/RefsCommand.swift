internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct RefsCommand: ShellCommand {
    static let name = "refs"
    static let summary = "list the references out of an object"
    static let synopsis = "[PATH]"
    static let group = CommandGroup.search
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Every place in the object's state that refers to another object, with the way to it. A strong reference keeps its
        target alive; a weak one and one into another database do not. The class is the one that the target's own record
        says; a target that is missing is marked, with the class that the reference says.
        """
    static let examples = [
        CommandExample("refs /Plone/news", "what it refers to"),
        CommandExample("refs #1a2b -o jsonl", "of an object known by its oid"),
    ]

    @Argument(help: "The object; where we are when left out.") var path: String?

    func run(in session: Session) throws -> Report {
        let place = try session.place(path)
        let workspace = try session.workspace
        do {
            try session.read(place)
        } catch {
            throw ShellFailure(error, at: path)
        }
        let references = try workspace.references(from: place)
        var index = 0
        var ready: [[Cell]] = []
        let depth = place.path.steps.count
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            if ready.isEmpty {
                try session.interruption.check()
                let batch = references[index..<min(index + 64, references.count)]
                index += batch.count
                workspace.prefetch(batch.filter { $0.target != nil }.map(\.place.node))
                for reference in batch { ready.append(try Self.row(reference, in: workspace, below: depth)) }
                ready.reverse()
            }
            return ready.popLast()
        }
        return Report(.table(Report.Table(Self.columns, rows, total: references.count)))
    }

    private static let columns = [
        Report.Column("attribute", tone: .name), Report.Column("oid"), Report.Column("class", isFlexible: true),
        Report.Column("kind"), Report.Column("note", isFlexible: true), Report.Column("path", visibility: .detail),
        Report.Column("database", visibility: .detail),
    ]

    private static func row(
        _ found: OutgoingReference, in workspace: Workspace, below depth: Int
    ) throws(StorageError) -> [Cell] {
        let reference = found.reference
        var className = reference.className
        var note = Cell.none
        if found.target != nil {
            let facts = try workspace.facts(of: found.place.node)
            className = facts.className ?? className
            if let problem = facts.problem { note = ProblemText.cell(problem) }
        } else if let database = reference.database {
            note = .text("in database \(database)")
        }
        return [
            .text(ReferenceText.attribute(found, below: depth)), .oid(reference.oid),
            className.map { .text($0.description) } ?? .none, .text(ReferenceText.kind(reference)), note,
            .text(found.place.description), reference.database.map { .text($0) } ?? .none,
        ]
    }
}

/// A reference in words.
enum ReferenceText {
    /// The way to the reference inside its object.
    static func attribute(_ found: OutgoingReference, below depth: Int) -> String {
        ObjectPath(origin: .current, steps: Array(found.place.path.steps.dropFirst(depth))).description
    }

    static func kind(_ reference: PersistentReference) -> String {
        switch reference.kind {
        case .strong: "strong"
        case .weak: "weak"
        case .crossDatabase: "cross"
        }
    }
}

internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct TreeCommand: ShellCommand {
    static let name = "tree"
    static let summary = "draw what is below an object"
    static let synopsis = "[-L N] [-a] [PATH…]"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        An object met once more is named again, and not entered again. Of a large container the first 100 children are
        drawn; --children chooses another number.
        """
    static let examples = [
        CommandExample("tree -L 2 /Plone", "two levels"),
        CommandExample("tree -a /Plone/news", "attributes too"),
    ]

    @Option(name: [.customShort("L"), .customLong("levels")], help: ArgumentHelp("How deep (3).", valueName: "n"))
    var levels = 3
    @Flag(name: [.customShort("a"), .customLong("attributes")], help: "Attributes too.")
    var showsAttributes = false
    @Option(help: ArgumentHelp("How many children of each; 0: all.", valueName: "n")) var children = 100
    @Argument(help: "What to draw; where we are when left out.") var paths: [String] = []

    func validate() throws {
        if !(0...10_000).contains(levels) { throw ValidationError("-L takes a number from 0 up") }
        if children < 0 { throw ValidationError("--children takes a number from 0 up") }
    }

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let tree = ObjectTree(try session.workspace, of: self)
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while true {
                if let row = try tree.next() { return row }
                guard let place = try operands.next() else { return nil }
                tree.start(place)
            }
        }
        let columns = [
            Report.Column("tree"), Report.Column("kind", tone: .dim, isFlexible: true),
            Report.Column("path", visibility: .detail), Report.Column("depth", visibility: .detail),
            Report.Column("oid", visibility: .detail),
        ]
        return Report(.table(Report.Table(columns, rows))) { operands.conclusion }
    }
}

/// Places below a place, each with the lines that lead to it.
private final class ObjectTree {
    /// An open level: its children, the next one read ahead to know which is the last.
    private struct Level {
        var children: any Cursor<Place>
        var next: Place?
        var count = 0
        /// What precedes the lines of this level.
        var indent: String
    }

    private let workspace: Workspace
    private let command: TreeCommand
    private var start: Place?
    private var levels: [Level] = []
    private var seen: Set<Node.Target> = []

    init(_ workspace: Workspace, of command: TreeCommand) { (self.workspace, self.command) = (workspace, command) }

    func start(_ place: Place) { start = place }

    func next() throws(StorageError) -> [Cell]? {
        if let start {
            self.start = nil
            seen = []
            let isNew = isNew(start)
            let row = row(start, label: start.description, isRepeated: false)
            if isNew { try enter(start, indent: "") }
            return row
        }
        while var level = levels.popLast() {
            try workspace.interruption.check()
            guard let place = level.next else { continue }
            if command.children > 0, level.count == command.children {
                return [.text(level.indent + "└── …"), .text("more"), .none, .integer(levels.count + 1), .none]
            }
            level.count += 1
            level.next = try level.children.next()
            let isLast = level.next == nil
            let indent = level.indent
            levels.append(level)
            let isNew = isNew(place)
            let row = row(place, label: indent + (isLast ? "└── " : "├── ") + place.node.label, isRepeated: !isNew)
            if isNew { try enter(place, indent: indent + (isLast ? "    " : "│   ")) }
            return row
        }
        return nil
    }

    /// Values too: a list may contain itself.
    private func isNew(_ place: Place) -> Bool { seen.insert(place.node.target).inserted }

    private func row(_ place: Place, label: String, isRepeated: Bool) -> [Cell] {
        let node = place.node
        var kind = node.metaType ?? node.className?.name ?? ""
        var isBroken = node.problem != nil
        var isUnknown = node.problem?.isUnknown ?? false
        // What is to be entered is read all the same, and values are at hand.
        if !isBroken, !node.isObject || levels.count < command.levels, let facts = try? workspace.facts(of: node) {
            isBroken = facts.problem != nil
            isUnknown = facts.problem?.isUnknown ?? false
            if !isBroken { kind = facts.kind }
        }
        if isBroken {
            kind = ([isUnknown ? "? not in the cache" : "missing or damaged", kind] as [String]).joined(
                separator: kind.isEmpty ? "" : ": ")
        }
        if isRepeated { kind += kind.isEmpty ? "as above" : ", as above" }
        return [
            .text(label), isBroken ? .alert(kind) : kind.isEmpty ? .none : .text(kind), .text(place.description),
            .integer(levels.count), node.isObject ? .oid(node.oid) : .none,
        ]
    }

    private func enter(_ place: Place, indent: String) throws(StorageError) {
        guard levels.count < command.levels, place.node.reference == nil else { return }
        do throws(StorageError) {
            let subject = try workspace.subject(of: place.node)
            let nodes =
                command.showsAttributes ? try workspace.children(of: subject) : try workspace.items(of: subject)
            var children: any Cursor<Place> = ClosureCursor { () throws(StorageError) in
                try nodes.next().map { place.child($0) }
            }
            if levels.count + 1 < command.levels { children = ReadAhead(children, workspace) }
            levels.append(Level(children: children, next: try children.next(), indent: indent))
        } catch {
            guard error.leavesOthersReadable else { throw error }
        }
    }
}

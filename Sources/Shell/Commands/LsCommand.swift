internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct LsCommand: ShellCommand {
    static let name = "ls"
    static let summary = "list the children of an object"
    static let synopsis = "[-latSRd] [PATH…]"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Children are the items of a container: a folder's objects, a mapping's keys, a BTree's keys, a list's elements.
        Attributes are hidden like dotfiles; -a shows them. A pattern lists what it matches, not the children of that.
        Names come as the object keeps them. A missing or damaged object is listed as that, with who refers to it, and
        ends nothing. -t and -S read every child first.
        """
    static let examples = [
        CommandExample("ls -l /Plone", "with kind, size, time, oid, title"),
        CommandExample("ls -a /Plone/news", "attributes too"),
        CommandExample("ls -lS /Plone --limit 20", "the 20 largest"),
        CommandExample("ls -R /Plone -o jsonl", "everything below, an object a line"),
        CommandExample("ls '/Plone/**/*.html'", "what a pattern matches"),
    ]

    @Flag(
        name: [.customShort("l"), .customLong("long")],
        help: "Tell kind, size, time, oid and title; with --wide the class too.")
    var isLong = false
    @Flag(name: [.customShort("a"), .customLong("attributes")], help: "Attributes too.")
    var showsAttributes = false
    @Flag(name: [.customShort("t"), .customLong("by-time")], help: "The last written first.")
    var isByTime = false
    @Flag(name: [.customShort("S"), .customLong("by-size")], help: "The largest first.")
    var isBySize = false
    @Flag(name: [.customShort("R"), .customLong("recursive")], help: "Everything below, each object once.")
    var isRecursive = false
    @Flag(name: [.customShort("d"), .customLong("itself")], help: "The object itself, not its children.")
    var isItself = false
    @Argument(help: "What to list; where we are when left out.") var paths: [String] = []

    func validate() throws {
        if isByTime, isBySize { throw ValidationError("-t and -S exclude each other") }
        if isRecursive, isItself { throw ValidationError("-R and -d exclude each other") }
    }

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths, areRead: !isItself)
        let workspace = try session.workspace
        let listing = Listing(
            isByPath: operands.isMany || isRecursive, isLong: isLong, workspace: workspace)
        let children = Children(operands, workspace, of: self)
        var rows: any Cursor<[Cell]>
        var remark: String?
        if isByTime || isBySize {
            let ranking = Ranking(workspace, by: isByTime ? .time : .size)
            rows = ClosureCursor(deferred: { () throws(StorageError) in
                try ranking.sort(children) { session.progress.update("reading", $0, "objects") }
                if ranking.isCut { remark = "only the first \(grouped(Ranking.limit)) are shown" }
                return listing.rows(ArrayCursor(ranking.places))
            })
        } else {
            rows = listing.rows(children)
        }
        var table = Report.Table(listing.columns, rows, compactColumn: listing.compactColumn)
        // Worth a second load only where the number is shown when rows are left out.
        if session.terminal.outputIsTerminal { table.total = children.total(session, paths) }
        let isTold = session.mode == .interactive
        return Report(.table(table)) {
            var conclusion = operands.conclusion
            if let remark { conclusion.messages.append(Report.Message(remark)) }
            if isTold, children.isEmpty, !conclusion.isNegative, conclusion.failures.isEmpty {
                conclusion.messages.append(Report.Message(showsAttributes ? "empty" : "no items; -a shows attributes"))
            }
            return conclusion
        }
    }
}

/// What a listing lists: of each operand its children, what is below it, or itself.
private final class Children: Cursor {
    private let operands: Operands
    private let workspace: Workspace
    private let command: LsCommand
    private var current: (any Cursor<Place>)?
    private(set) var isEmpty = true

    init(_ operands: Operands, _ workspace: Workspace, of command: LsCommand) {
        (self.operands, self.workspace, self.command) = (operands, workspace, command)
    }

    func next() throws(StorageError) -> Place? {
        while true {
            try workspace.interruption.check()
            if let place = try current?.next() {
                isEmpty = false
                return place
            }
            current = try operands.next { place throws(StorageError) in try places(of: place) }
            guard current != nil else { return nil }
        }
    }

    private func places(of place: Place) throws(StorageError) -> any Cursor<Place> {
        if command.isItself || (operands.isMatch && !command.isRecursive) { return ArrayCursor([place]) }
        if command.isRecursive {
            var options = Walk.Options()
            options.attributes = command.showsAttributes
            let walk = Walk(workspace, from: place, options)
            // The first is the place itself.
            _ = try walk.next()
            return walk
        }
        let subject = try workspace.subject(of: place.node)
        let nodes =
            command.showsAttributes ? try workspace.children(of: subject) : try workspace.items(of: subject)
        return ClosureCursor { () throws(StorageError) in try nodes.next().map { place.child($0) } }
    }

    /// How many there are, where that is known without counting.
    func total(_ session: Session, _ paths: [String]) -> Int? {
        guard !operands.isMany, !command.isRecursive, !command.isItself, !command.showsAttributes,
            let place = try? session.place(paths.first), let subject = try? workspace.subject(of: place.node)
        else { return nil }
        return (try? workspace.knownCount(of: subject)).flatMap { $0 }
    }
}

/// The first places by time or size, of any number: in bounded memory.
private final class Ranking {
    enum Order { case time, size }

    /// So many places are kept.
    static let limit = 100_000

    private let workspace: Workspace
    private let order: Order
    private var ranked: [(rank: UInt64, number: Int, place: Place)] = []
    private(set) var isCut = false

    var places: [Place] { ranked.map(\.place) }

    init(_ workspace: Workspace, by order: Order) { (self.workspace, self.order) = (workspace, order) }

    /// - Parameter progress: told how many have been read.
    func sort(_ places: any Cursor<Place>, progress: (Int) -> Void) throws(StorageError) {
        let places = ReadAhead(places, workspace)
        var count = 0
        while let place = try places.next() {
            count += 1
            ranked.append((rank(try workspace.facts(of: place.node)), count, place))
            if count.isMultiple(of: 64) { progress(count) }
            if ranked.count >= Self.limit * 2 { cut() }
        }
        cut()
    }

    private func rank(_ facts: Facts) -> UInt64 {
        switch order {
        case .time: facts.serial?.rawValue ?? 0
        case .size: UInt64(max(0, facts.contentSize ?? facts.size ?? 0))
        }
    }

    private func cut() {
        ranked.sort { ($0.rank, $1.number) > ($1.rank, $0.number) }
        guard ranked.count > Self.limit else { return }
        isCut = true
        ranked.removeLast(ranked.count - Self.limit)
    }
}

internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct GrepCommand: ShellCommand {
    static let name = "grep"
    static let summary = "search the texts of objects: attributes, scripts, files"
    static let synopsis = "[-i] [-l] [-F] PATTERN [PATH…]"
    static let group = CommandGroup.search
    static let operands: [OperandKind] = [.other, .path]
    static let discussion = """
        The pattern is a regular expression; -F takes it as it is. Every string in the state of
        every object below the path is looked at, line by line: attributes, keys and values of mappings and BTrees, the
        source of scripts, templates and queries, the bytes of files. Of a binary value only that it matches is told.
        Exit code 1 when nothing matches.
        """
    static let examples = [
        CommandExample("grep -i smtp /Plone", "wherever it is mentioned"),
        CommandExample("grep -l 'REQUEST\\.form' /", "the objects alone"),
        CommandExample("grep -F 'price * 2' / -o jsonl", "as it is, for a script"),
    ]

    @Flag(name: [.customShort("i"), .customLong("ignore-case")], help: "Upper and lower case are the same.")
    var ignoresCase = false
    @Flag(name: [.customShort("l"), .customLong("objects")], help: "The objects alone, each once.")
    var showsObjects = false
    @Flag(name: [.customShort("F"), .customLong("fixed")], help: "The pattern is a text, no expression.")
    var isFixed = false
    @Argument(help: "What to look for.") var pattern: String
    @Argument(help: "Where to look; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let pattern = try textPattern()
        let operands = try session.places(paths)
        let matches = Matches(operands, try session.workspace, pattern, session.progress)
        matches.isOncePerObject = showsObjects
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in try matches.next() }
        return Report(.table(Report.Table(showsObjects ? Matches.objectColumns : Matches.columns, rows))) {
            var conclusion = operands.conclusion
            if matches.count == 0 { conclusion.isNegative = true }
            return conclusion
        }
    }

    private func textPattern() throws -> TextPattern {
        guard !isFixed else { return TextPattern(text: pattern, ignoringCase: ignoresCase) }
        do {
            return try TextPattern(expression: pattern, ignoringCase: ignoresCase)
        } catch {
            throw ShellFailure.usage(
                "'\(pattern)' is no regular expression: \(error)", advice: "-F takes it as it is")
        }
    }
}

/// The rows of a search, line by line.
private final class Matches {
    private let operands: Operands
    private let workspace: Workspace
    private let pattern: TextPattern
    private let progress: Progress
    private var matches: (any Cursor<GrepMatch>)?
    private var last: ObjectID?
    var isOncePerObject = false
    private(set) var count = 0

    static let columns = [
        Report.Column("path", tone: .path), Report.Column("attribute", tone: .name), Report.Column("line"),
        Report.Column("text", isFlexible: true), Report.Column("key", visibility: .detail),
        Report.Column("oid", visibility: .detail),
    ]
    static let objectColumns = [
        Report.Column("path", tone: .path), Report.Column("class", visibility: .detail),
        Report.Column("oid", visibility: .detail),
    ]

    init(_ operands: Operands, _ workspace: Workspace, _ pattern: TextPattern, _ progress: Progress) {
        (self.operands, self.workspace, self.pattern, self.progress) = (operands, workspace, pattern, progress)
    }

    func next() throws(StorageError) -> [Cell]? {
        while true {
            if let match = try matches?.next() {
                let object = Self.object(match)
                if isOncePerObject, object.node.oid == last { continue }
                last = object.node.oid
                count += 1
                return isOncePerObject ? try objectRow(object) : Self.row(match, object)
            }
            guard let place = try operands.next() else { return nil }
            last = nil
            matches = workspace.grep(pattern, below: place) { [progress] in
                progress.update("searching", $0, "objects")
            }
        }
    }

    /// The object in which the text lies: of a key, the one that has it.
    private static func object(_ match: GrepMatch) -> Place {
        var place = match.place
        if match.isKey, place.node.isObject, let parent = place.parent { place = parent }
        while !place.node.isObject, let parent = place.parent { place = parent }
        return place
    }

    private func objectRow(_ object: Place) throws(StorageError) -> [Cell] {
        let className = try workspace.subject(of: object.node).className
        return [
            .text(object.description), className.map { .text($0.description) } ?? .none, .oid(object.node.oid),
        ]
    }

    private static func row(_ match: GrepMatch, _ object: Place) -> [Cell] {
        let steps = match.place.path.steps.dropFirst(object.path.steps.count)
        let isBinary = match.line.unicodeScalars.contains { $0.value < 0x20 && $0 != "\t" && $0 != "\u{c}" }
        return [
            .text(object.description), .text(ObjectPath(origin: .current, steps: Array(steps)).description),
            isBinary ? .none : .integer(match.lineNumber),
            isBinary ? .remarked("", remark: "binary data matches") : .text(match.line), .boolean(match.isKey),
            .oid(object.node.oid),
        ]
    }
}

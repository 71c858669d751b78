internal import ArgumentParser
internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct FindCommand: ShellCommand {
    static let name = "find"
    static let summary = "find objects by class, name, size, time or attribute"
    static let synopsis = "[PATH…] [--class GLOB] [--name GLOB] [--where TEST] [--size [+|-]N] [--since WHEN]"
    static let group = CommandGroup.search
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Everything below each path, the path first, each object once; objects that only attributes lead to come last.
        Without a test all are listed. A class goes by its whole name or by the last part of it. Sizes are bytes of a
        file's content, else of the record: +50M is more than that, -1k less, 10 exactly. A test is an attribute, an
        operator (== != < <= > >=, ~ for a part of a text) and a Python literal; an attribute alone asks whether there is one.
        Several --class or --name: one must fit; several --where or --size: all.
        Exit code 1 when nothing is found.
        """
    static let examples = [
        CommandExample("find / --class '*.File' --size +50M", "large files"),
        CommandExample("find /Plone --where \"title ~ draft\"", "by an attribute"),
        CommandExample("find / --since yesterday -o jsonl", "what changed, for a script"),
        CommandExample("find / --name '*.bak' -0 | xargs -0 -n 1 echo", "paths for xargs"),
    ]

    @Option(
        name: .customLong("class"),
        help: ArgumentHelp("A class: its name, the last part of it, or a pattern.", valueName: "glob"))
    var classNames: [String] = []
    @Option(
        name: .customLong("name"), help: ArgumentHelp("The last step of the path, or a pattern.", valueName: "glob"))
    var lastSteps: [String] = []
    @Option(
        name: .customLong("where"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A test of an attribute: title == 'News'.", valueName: "test"))
    var tests: [String] = []
    @Option(
        name: .customLong("size"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("More than (+50M), less than (-1k) or exactly so many bytes.", valueName: "size"))
    var sizes: [String] = []
    @Option(help: ArgumentHelp("Written then or later.", valueName: "when")) var since: String?
    @Argument(help: "Where to look; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let query = try query(session)
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let progress = session.progress
        let names = lastSteps.map { (text: $0, pattern: GlobPattern($0)) }
        var options = Walk.Options()
        options.attributes = true
        var found: (any Cursor<Place>)?
        var count = 0
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while true {
                while let place = try found?.next() {
                    if !names.isEmpty, !names.contains(where: { Self.fits(place, $0.text, $0.pattern) }) { continue }
                    count += 1
                    return Self.row(place, try workspace.facts(of: place.node))
                }
                guard let place = try operands.next() else { return nil }
                found = workspace.find(query, below: place, options) { progress.update("searching", $0, "objects") }
            }
        }
        return Report(.table(Report.Table(Self.columns, rows))) {
            var conclusion = operands.conclusion
            if count == 0 {
                conclusion.isNegative = true
                if conclusion.failures.isEmpty { conclusion.messages.append(Report.Message("nothing found")) }
            }
            return conclusion
        }
    }

    private static func fits(_ place: Place, _ name: String, _ pattern: GlobPattern?) -> Bool {
        guard let component = place.node.component else { return false }
        return pattern?.matches(component.plainText) ?? (component.plainText == name)
    }

    private func query(_ session: Session) throws -> FindQuery {
        var query = FindQuery()
        query.classNames = classNames
        for test in tests {
            do throws(PathSyntaxError) {
                query.conditions.append(try FindQuery.Condition(parsing: test))
            } catch {
                throw ShellFailure.usage("--where '\(test)': \(error.reason)", advice: "--where \"title == 'News'\"")
            }
        }
        for size in sizes {
            guard let bound = SizeBound(size) else {
                throw ShellFailure.usage("--size \(size) is no size", advice: "+50M, -1k, 100")
            }
            query.minimumSize = max(query.minimumSize ?? 0, bound.range.lowerBound)
            query.maximumSize = min(query.maximumSize ?? .max, bound.range.upperBound)
        }
        if let since {
            guard let tid = try session.whenParser.parse(since).transaction() else {
                throw ShellFailure.usage("--since \(since): there is no object whose revisions to count")
            }
            query.since = tid
        }
        return query
    }

    private static let columns = [
        Report.Column("path", tone: .path), Report.Column("class", isFlexible: true), Report.Column("oid"),
        Report.Column("size"), Report.Column("time"), Report.Column("note", isFlexible: true),
        Report.Column("serial", visibility: .detail),
    ]

    private static func row(_ place: Place, _ facts: Facts) -> [Cell] {
        let path = place.description
        return [
            facts.problem == nil ? .text(path) : .alert(path), facts.className.map { .text($0.description) } ?? .none,
            place.node.isObject ? .oid(place.node.oid) : .none,
            (facts.contentSize ?? facts.size).map { .size($0) } ?? .none, facts.serial.map { .time($0) } ?? .none,
            facts.problem.map { ProblemText.cell($0, referrer: place.node.referrer) } ?? .none,
            facts.serial.map { .tid($0) } ?? .none,
        ]
    }
}

/// `+50M`: more than that; `-1k`: less; `10`: exactly. Units are powers of 1024.
struct SizeBound: Hashable {
    let range: ClosedRange<Int>

    /// - Returns: nil for what is no size.
    init?(_ text: String) {
        let sign = text.first.flatMap { $0 == "+" || $0 == "-" ? $0 : nil }
        let rest = sign == nil ? text[...] : text.dropFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits) else { return nil }
        var unit = rest.dropFirst(digits.count).lowercased()
        if unit.count > 1, unit.hasSuffix("b") { unit.removeLast() }
        guard let power = ["", "k", "m", "g", "t"].firstIndex(of: unit == "b" ? "" : unit) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (10 * power))
        guard !overflow, bytes < .max else { return nil }
        switch sign {
        case "+": range = bytes + 1 ... .max
        case "-" where bytes == 0: return nil
        case "-": range = 0...bytes - 1
        default: range = bytes...bytes
        }
    }
}

/// Why an object cannot be read, in the words of a listing.
enum ProblemText {
    static func cell(_ problem: StorageError, referrer: ObjectID? = nil) -> Cell {
        let from = referrer.map { "; \($0.path) refers to it" } ?? ""
        return switch problem {
        case .noSuchObject: .alert("no such object" + from)
        case .noRevision: .alert("did not exist then" + from)
        case .corrupt(_, let format): .alert(format.description)
        default: .alert(problem.description)
        }
    }
}

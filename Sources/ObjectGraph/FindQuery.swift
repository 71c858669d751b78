public import Pickle
public import ZODB

/// What `find` looks for; an object has to meet every part that is set.
public struct FindQuery {
    /// Classes, one of which it must be: `OFS.Image.File`, or only `File`, each perhaps with `*` and `?`; none for any.
    public var classNames: [String] = []
    /// Bytes: of a file's content, of any other object's record.
    public var minimumSize: Int?
    public var maximumSize: Int?
    /// Changed in this transaction or later.
    public var since: TransactionID?
    public var conditions: [Condition] = []

    public init() {}

    var isEmpty: Bool {
        classNames.isEmpty && minimumSize == nil && maximumSize == nil && since == nil && conditions.isEmpty
    }

    /// `title == 'News'`: a value of the object, compared with a literal.
    public struct Condition: Hashable, Sendable {
        public enum Comparison: String, CaseIterable, Sendable {
            case equal = "==", notEqual = "!=", atMost = "<=", atLeast = ">=", less = "<", greater = ">"
            /// The text holds the other.
            case contains = "~"
            /// There is such a value; written as nothing at all.
            case exists = ""

            static let written = allCases.filter { $0 != .exists }
        }

        /// The way from the object to the value: `.title`, `.data["x"]`; a bare name is an item or an attribute.
        public let path: [Component]
        public let comparison: Comparison
        public let value: PythonLiteral
    }
}

extension FindQuery.Condition {
    /// Reads `title == 'News'`, `.size>1000`, `title ~ News`, `enabled=True`; a word without quotes is a text. `title`
    /// alone asks whether there is one.
    public init(parsing text: String) throws(PathSyntaxError) {
        let bytes = Array(text.utf8)
        guard let (start, end, comparison) = Self.comparison(in: bytes) else {
            self.init(path: try Self.way(text.trimmed), comparison: .exists, value: .none)
            return
        }
        let left = String(decoding: bytes[..<start], as: UTF8.self).trimmed
        let right = String(decoding: bytes[end...], as: UTF8.self).trimmed
        guard !left.isEmpty, !right.isEmpty else {
            throw PathSyntaxError(reason: "something is missing beside \(comparison.rawValue)", offset: start)
        }
        let path = try Self.way(left)
        if let literal = try? PythonLiteral(parsing: right) {
            self.init(path: path, comparison: comparison, value: literal)
        } else {
            // A word; anything that begins like a literal and is none is a mistake.
            guard let first = right.utf8.first, !"'\"([{".utf8.contains(first) else {
                throw PathSyntaxError(reason: "\(right) is no Python value", offset: end)
            }
            self.init(path: path, comparison: comparison, value: .string(Array(right.utf8)))
        }
    }

    private static func way(_ text: String) throws(PathSyntaxError) -> [Component] {
        let path = try ObjectPath(parsing: text)
        let components: [Component] = path.steps.compactMap { step in
            if case .child(let component) = step { component } else { nil }
        }
        guard path.origin == .current, path.when == nil, !components.isEmpty, components.count == path.steps.count
        else {
            throw PathSyntaxError(
                reason: "\(text) is neither a value of an object nor a comparison (== != < <= > >= ~)", offset: 0)
        }
        return components
    }

    /// The first comparison outside brackets.
    private static func comparison(in bytes: [UInt8]) -> (start: Int, end: Int, FindQuery.Condition.Comparison)? {
        var depth = 0
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "]"): depth -= 1
            default: break
            }
            guard depth == 0 else { continue }
            for comparison in Comparison.written where bytes[index...].starts(with: comparison.rawValue.utf8) {
                return (index, index + comparison.rawValue.utf8.count, comparison)
            }
            if bytes[index] == UInt8(ascii: "=") { return (index, index + 1, .equal) }
        }
        return nil
    }

    func holds(for found: PythonLiteral) -> Bool {
        switch comparison {
        case .exists: return true
        case .equal: return value.matches(found)
        case .notEqual: return !value.matches(found)
        case .contains:
            guard let needle = value.stringBytes, let text = found.stringBytes else { return false }
            return String(decoding: text, as: UTF8.self).contains(String(decoding: needle, as: UTF8.self))
        case .less, .atMost, .greater, .atLeast: break
        }
        // The found value on the left: `size > 1000`.
        let order: Int
        if let numbers = found.compareNumbers(value) {
            order = numbers
        } else if let left = found.stringBytes, let right = value.stringBytes {
            order = left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
        } else {
            return false
        }
        return switch comparison {
        case .less: order < 0
        case .atMost: order <= 0
        case .greater: order > 0
        default: order >= 0
        }
    }
}

extension String {
    /// Without spaces at either end.
    fileprivate var trimmed: String {
        let start = drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}

extension Workspace {
    /// The objects at and below a place that meet a query, as the cursor advances.
    ///
    /// - Parameter progress: called now and then with the number of objects seen.
    public func find(
        _ query: FindQuery, below place: Place, _ options: Walk.Options = Walk.Options(),
        progress: @escaping (Int) -> Void = { _ in }
    ) -> any Cursor<Place> {
        let walk = Walk(self, from: place, options)
        let classes = query.classNames.map { (text: $0, pattern: GlobPattern($0)) }
        var seen = 0
        return GeneratingCursor { [self] () throws(StorageError) -> Place? in
            while let place = try walk.next() {
                seen += 1
                if seen.isMultiple(of: 256) { progress(seen) }
                if try meets(place, query, classes) { return place }
            }
            return nil
        }
    }

    private typealias ClassTest = (text: String, pattern: GlobPattern?)

    private func meets(_ place: Place, _ query: FindQuery, _ classes: [ClassTest]) throws(StorageError) -> Bool {
        if query.isEmpty { return true }
        // What cannot be read can be found by the class that its reference names, and by nothing else.
        guard place.node.problem == nil, let subject = try readable(place.node) else {
            var rest = query
            rest.classNames = []
            return rest.isEmpty && Self.matches(place.node.className, classes)
        }
        guard Self.matches(subject.className, classes) else { return false }
        if let since = query.since, subject.record.serial < since { return false }
        if query.minimumSize != nil || query.maximumSize != nil {
            let facts = try facts(of: subject)
            let size = facts.contentSize ?? facts.size ?? 0
            guard size >= query.minimumSize ?? 0, size <= query.maximumSize ?? .max else { return false }
        }
        for condition in query.conditions {
            guard let found = try value(condition.path, of: subject) else { return false }
            if condition.comparison == .exists { continue }
            // A value that no literal spells equals none.
            guard let literal = PythonLiteral(found.slot, in: found.document), condition.holds(for: literal) else {
                return false
            }
        }
        return true
    }

    /// The value at the end of a way; nil when there is none.
    private func value(_ path: [Component], of subject: Subject) throws(StorageError) -> Subject? {
        var subject = subject
        for component in path {
            guard let node = try child(component, of: subject), let next = try readable(node) else { return nil }
            subject = next
        }
        return subject
    }

    private static func matches(_ className: GlobalName?, _ classes: [ClassTest]) -> Bool {
        guard !classes.isEmpty else { return true }
        guard let className else { return false }
        let full = className.description
        return classes.contains { wanted in
            if let pattern = wanted.pattern { return pattern.matches(full) || pattern.matches(className.name) }
            return wanted.text == full || wanted.text == className.name
        }
    }
}

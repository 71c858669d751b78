internal import Pickle
public import ZODB

/// What `grep` looks for in a line of text.
public struct TextPattern {
    private let find: (Substring) -> Range<Substring.Index>?
    /// Bytes that every match contains, where there are such.
    fileprivate let needle: [UInt8]?

    /// A piece of text as it is.
    public init(text: String, ignoringCase: Bool = false) {
        // A text is a valid expression once every character that may mean something has its backslash.
        let escaped = text.map { $0.isLetter || $0.isNumber || $0 == " " || !$0.isASCII ? "\($0)" : "\\\($0)" }.joined()
        if ignoringCase, let expression = try? Regex(escaped).ignoresCase() {
            find = { $0.firstMatch(of: expression)?.range }
            needle = nil
        } else {
            find = { $0.firstRange(of: text) }
            // Beyond ASCII one text may be written in several ways.
            needle = text.utf8.allSatisfy { $0 < 0x80 } ? Array(text.utf8) : nil
        }
    }

    /// A regular expression in Swift's syntax, which is nearly everybody's.
    /// - Throws: what is wrong with it.
    public init(expression: String, ignoringCase: Bool = false) throws {
        let expression = try Regex(expression).ignoresCase(ignoringCase)
        find = { $0.firstMatch(of: expression)?.range }
        needle = nil
    }

    /// The first match in a line.
    public func range(in line: Substring) -> Range<Substring.Index>? { find(line) }

    /// False when a string certainly has no match: looked up in the record's bytes, before any text is made of them.
    fileprivate func mayMatch(_ slot: PickleDocument.Slot, in document: PickleDocument) -> Bool {
        guard let needle, let range = document.contentRange(of: slot) else { return true }
        return document.source.contains(needle, in: range)
    }
}

/// A line of text that matches, and where it stands.
public struct GrepMatch: Sendable {
    /// The string's place: `/site/page/._text`, `/x/.data["k"]`.
    public let place: Place
    /// The key of the entry matches, not its value.
    public let isKey: Bool
    /// Counted from 1 within the string.
    public let lineNumber: Int
    public let line: String
    /// The first match in `line`.
    public let range: Range<String.Index>
}

extension Workspace {
    /// Lines of strings that match, in the objects at and below a place: whatever is text in their states, the source of
    /// scripts and templates with it. As the cursor advances.
    ///
    /// - Parameter progress: called now and then with the number of objects seen.
    public func grep(
        _ pattern: TextPattern, below place: Place, depth: Int? = nil, progress: @escaping (Int) -> Void = { _ in }
    ) -> any Cursor<GrepMatch> {
        var options = Walk.Options()
        (options.attributes, options.values, options.depth) = (true, true, depth)
        let walk = Walk(self, from: place, options)
        var found: ArraySlice<GrepMatch> = []
        var seen = 0
        return GeneratingCursor { [self] () throws(StorageError) -> GrepMatch? in
            while true {
                if let match = found.popFirst() { return match }
                guard let place = try walk.next() else { return nil }
                seen += 1
                if seen.isMultiple(of: 256) { progress(seen) }
                guard place.node.problem == nil, let subject = try readable(place.node) else { continue }
                found = try matches(pattern, in: subject, at: place)[...]
            }
        }
    }

    private func matches(
        _ pattern: TextPattern, in subject: Subject, at place: Place
    ) throws(StorageError) -> [GrepMatch] {
        var matches: [GrepMatch] = []
        let document = subject.document
        if !subject.isObject {
            // Values come with the object whose record they lie in; only a BTree's stand in records of their own.
            guard place.parent?.node.isObject ?? true, BTreeState.Kind(subject.record) != nil else { return [] }
            if let component = place.node.component {
                Self.append(component.plainText, pattern, place, isKey: true, to: &matches)
            }
            if let text = document.displayText(subject.slot) { Self.append(text, pattern, place, to: &matches) }
        } else {
            // The key of an object in a BTree stands in a record that is neither's.
            if let component = place.node.component, let parent = place.parent, parent.node.isObject,
                let tree = try readable(parent.node), BTreeState.Kind(tree.record) != nil
            {
                Self.append(component.plainText, pattern, place, isKey: true, to: &matches)
            }
            if BTreeState.Kind(subject.record) != nil { return matches }
        }
        var values = RecordValues(subject)
        var count = 0
        while let value = values.next() {
            count += 1
            if count.isMultiple(of: 4096) { try interruption.check() }
            for (slot, isKey) in [(value.key, true), (value.slot, false)] {
                guard let slot, pattern.mayMatch(slot, in: document), let text = document.displayText(slot),
                    Self.matches(text, pattern)
                else { continue }
                let valuePlace = values.place(of: value.index, from: place)
                Self.append(text, pattern, valuePlace, isKey: isKey, to: &matches)
            }
        }
        return matches
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }

    /// Whether any line matches: the place is made only for those.
    private static func matches(_ text: String, _ pattern: TextPattern) -> Bool {
        lines(text).contains { pattern.range(in: $0) != nil }
    }

    private static func append(
        _ text: String, _ pattern: TextPattern, _ place: Place, isKey: Bool = false, to matches: inout [GrepMatch]
    ) {
        for (index, line) in lines(text).enumerated() {
            guard let range = pattern.range(in: line) else { continue }
            let copy = String(line)
            let start = line.distance(from: line.startIndex, to: range.lowerBound)
            let length = line.distance(from: range.lowerBound, to: range.upperBound)
            let lower = copy.index(copy.startIndex, offsetBy: start)
            matches.append(
                GrepMatch(
                    place: place, isKey: isKey, lineNumber: index + 1, line: copy,
                    range: lower..<copy.index(lower, offsetBy: length)))
        }
    }
}

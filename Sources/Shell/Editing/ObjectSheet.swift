internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

/// What `edit` shows in an editor: `NAME = VALUE` for each attribute of an object, or a value alone, or a text as it is.
///
/// What comes back is compared with what was shown, as text: a value whose text is the same is not touched, whatever it
/// is. Only what was changed has to be a literal.
struct ObjectSheet {
    /// What is to be done to the object.
    enum Change {
        case set(String?, PickleValue)
        case unset(String)
    }

    /// A line that cannot be read.
    struct Problem: Error {
        /// From 1.
        var line: Int
        var text: String
    }

    private enum Form {
        case attributes([(name: String, text: String, old: PickleNode)])
        case value(String, PickleNode)
        /// A string, shown without quotes and escapes.
        case plainText(String, PickleNode)
    }

    private let form: Form
    private let style: PickleStyle
    private let heading: [String]

    /// A value whose text is longer is not shown.
    private static let textLimit = 200_000

    /// - Throws: `ShellFailure` for what has no attributes, such as a BTree.
    init(_ subject: Subject, _ path: String, _ workspace: Workspace) throws {
        let style = try workspace.style(of: subject.record)
        self.style = style
        let document = subject.document
        func text(_ slot: PickleDocument.Slot) -> String {
            var options = PickleText.Options.complete
            (options.isPython2, options.width) = (style.isPython2, 100)
            let text = document.text(slot, options)
            return text.utf8.count <= Self.textLimit
                ? text : "<\(grouped(text.utf8.count)) characters, kept as they are>"
        }
        guard subject.isObject else {
            let node = subject.value
            if let bytes = document.stringBytes(subject.slot), let plain = String(validating: bytes, as: UTF8.self),
                plain.contains("\n")
            {
                form = .plainText(plain, node)
                heading = []
            } else {
                form = .value(text(subject.slot), node)
                heading = ["# \(path)", "# A Python literal. Lines that begin with '# ' are not read."]
            }
            return
        }
        var attributes: [(name: String, text: String, old: PickleNode)] = []
        for attribute in subject.attributes {
            let name = String(decoding: attribute.name, as: UTF8.self)
            guard Self.isName(name), !attributes.contains(where: { $0.name == name }) else { continue }
            attributes.append((name, text(attribute.value), document[attribute.value]))
        }
        guard !attributes.isEmpty else {
            throw ShellFailure(
                "unsupported", .refused, at: path, "it has no attributes that could be edited",
                advice: "'set' sets a single entry")
        }
        form = .attributes(attributes)
        heading = [
            "# \(path)  \(subject.className?.description ?? "?") \(subject.record.oid.path)",
            "# NAME = VALUE, Python literals. A line taken away removes the attribute, a new one adds it; what is left",
            "# as it is keeps its bytes, also what is no literal. Lines that begin with '# ' are not read.",
        ]
    }

    /// What the editor is given.
    var text: String {
        switch form {
        case .plainText(let text, _): text
        case .value(let text, _): (heading + [text]).joined(separator: "\n") + "\n"
        case .attributes(let attributes):
            (heading + attributes.map { "\($0.name) = \($0.text)" }).joined(separator: "\n") + "\n"
        }
    }

    /// What is different in the text that came back.
    /// - Parameter reference: makes a value of `#0x1a`.
    func changes(_ edited: String, reference: @escaping PickleValueParser.Resolver) throws(Problem) -> [Change] {
        switch form {
        case .plainText(let text, let old):
            var edited = edited
            // Editors end a file with a line end.
            if !text.hasSuffix("\n"), edited.hasSuffix("\n") { edited.removeLast() }
            guard edited != text else { return [] }
            return [.set(nil, PickleValue(.string(Array(edited.utf8)), style, replacing: old))]
        case .value(let text, let old):
            let lines = Self.lines(edited)
            let value = lines.filter { !Self.isComment($0.text) }
            let joined = value.map(\.text).joined(separator: "\n").trimmed
            guard joined != text.trimmed else { return [] }
            return [.set(nil, try parse(joined, old, firstLine: value.first?.number ?? 1, reference))]
        case .attributes(let attributes): return try changes(edited, attributes, reference)
        }
    }

    private func changes(
        _ edited: String, _ attributes: [(name: String, text: String, old: PickleNode)],
        _ reference: @escaping PickleValueParser.Resolver
    ) throws(Problem) -> [Change] {
        var blocks: [(name: String, text: String, line: Int)] = []
        for (line, number) in Self.lines(edited).map({ ($0.text, $0.number) }) where !Self.isComment(line) {
            if let (name, rest) = Self.header(line) {
                guard !blocks.contains(where: { $0.name == name }) else {
                    throw Problem(line: number, text: "\(name) is there twice")
                }
                blocks.append((name, rest, number))
            } else if !blocks.isEmpty {
                blocks[blocks.count - 1].text += "\n" + line
            } else if !line.trimmed.isEmpty {
                throw Problem(line: number, text: "NAME = VALUE is expected")
            }
        }
        var changes: [Change] = []
        for block in blocks {
            let old = attributes.first { $0.name == block.name }
            let text = block.text.trimmed
            if let old, old.text.trimmed == text { continue }
            changes.append(.set(block.name, try parse(text, old?.old, firstLine: block.line, reference)))
        }
        for attribute in attributes where !blocks.contains(where: { $0.name == attribute.name }) {
            changes.append(.unset(attribute.name))
        }
        return changes
    }

    private func parse(
        _ text: String, _ old: PickleNode?, firstLine: Int, _ reference: @escaping PickleValueParser.Resolver
    ) throws(Problem) -> PickleValue {
        do throws(PickleValueError) {
            return try PickleValueParser.value(parsing: text, style, replacing: old, reference: reference)
        } catch {
            guard case .malformed(let reason, let offset) = error else {
                throw Problem(line: firstLine, text: error.description)
            }
            let before = text.utf8.prefix(offset).count { $0 == UInt8(ascii: "\n") }
            throw Problem(line: firstLine + before, text: reason)
        }
    }

    /// The text with a remark in front of the line that cannot be read; remarks of before are taken out.
    static func marked(_ text: String, _ problem: Problem) -> String {
        var lines = Self.lines(text).map(\.text)
        let index = min(max(problem.line - 1, 0), lines.count)
        lines.insert(marker + TerminalText.escaped(problem.text), at: index)
        let removed = lines.enumerated().filter { $0.offset == index || !$0.element.hasPrefix(marker) }
        return removed.map(\.element).joined(separator: "\n")
    }

    private static let marker = "# >>> the next line cannot be read: "

    private static func lines(_ text: String) -> [(text: String, number: Int)] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { (String($1), $0 + 1) }
    }

    private static func isComment(_ line: String) -> Bool { line.hasPrefix("# ") || line == "#" }

    /// `name = …` at the start of a line.
    private static func header(_ line: String) -> (name: String, rest: String)? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        var name = line[..<equals]
        while name.last == " " { name.removeLast() }
        guard isName(String(name)) else { return nil }
        return (String(name), String(line[line.index(after: equals)...]))
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, first == "_" || first.properties.isAlphabetic else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        }
    }
}

internal import ZODB

/// A file of lines `KEY = VALUE`, of which those of one `[NAME]` belong together: the services, and the configuration,
/// which has no names.
///
/// White space around a line, a key and a value does not count; lines that begin with `#` or `;` say nothing.
struct SettingsFile {
    struct Line: Hashable {
        var key: String
        var value: String
        var number: Int
    }

    struct Section: Hashable {
        /// Empty for what stands before the first name.
        var name: String
        var number: Int
        var lines: [Line] = []
    }

    let path: String
    private(set) var sections = [Section(name: "", number: 0)]

    /// Nobody writes so much by hand.
    private static let limit = 1 << 20

    /// Reads a file; nil when there is none.
    /// - Throws: `ShellFailure` when it cannot be read, or is no such text.
    init?(_ path: String, kind: String) throws {
        let bytes: [UInt8]
        do {
            guard let found = try FilePaths.readIfPresent(path, limit: Self.limit) else { return nil }
            bytes = found
        } catch {
            throw ShellFailure(error, at: kind)
        }
        try self.init(bytes, path: path, kind: kind)
    }

    /// - Throws: `ShellFailure` with the line.
    init(_ bytes: [UInt8], path: String, kind: String) throws {
        self.path = path
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            func failure(_ what: String) -> ShellFailure {
                ShellFailure(kind, .usage, at: "\(path):\(index + 1)", what, advice: "see 'help \(kind)'")
            }
            guard let text = String(validating: line, as: UTF8.self)?.trimmed else {
                throw failure("not UTF-8: this is a text file")
            }
            guard !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f }) else {
                throw failure("holds a control character: this is a text file")
            }
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("[") {
                guard text.hasSuffix("]"), case let name = String(text.dropFirst().dropLast()).trimmed, !name.isEmpty
                else {
                    throw failure("'\(text)' is no [NAME]")
                }
                sections.append(Section(name: name, number: index + 1))
                continue
            }
            guard let equals = text.firstIndex(of: "=") else { throw failure("neither [NAME] nor KEY = VALUE") }
            sections[sections.count - 1].lines.append(
                Line(
                    key: String(text[..<equals]).trimmed, value: String(text[text.index(after: equals)...]).trimmed,
                    number: index + 1))
        }
    }

    /// `~/x` in a value, and what is relative to the directory of this file.
    func path(_ text: String, _ environment: Environment) -> String {
        if text == "~" || text.hasPrefix("~/"), let home = environment["HOME"] { return home + text.dropFirst(1) }
        guard !text.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return text }
        return String(path[...slash]) + text
    }
}

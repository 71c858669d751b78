/// Writes rows one after the other, none kept longer than needed.
protocol RowRenderer {
    mutating func begin(_ output: Output) throws
    mutating func row(_ row: [Cell], to output: Output) throws
    mutating func end(_ output: Output) throws
}

extension RowRenderer {
    func begin(_ output: Output) throws {}
    func end(_ output: Output) throws {}
}

/// Values separated by tabs, no header. Tabs and line ends in values are escaped: a row is a line.
struct PlainRenderer: RowRenderer {
    var isRaw = false
    var isTerminal: Bool

    func row(_ row: [Cell], to output: Output) throws {
        let texts = row.map { cell in
            let text = CellText.machine.text(cell)
            if isRaw { return text }
            return isTerminal ? TerminalText.escaped(text) : Self.escapedLines(text)
        }
        try output.write(texts.joined(separator: "\t") + "\n")
    }

    static func escapedLines(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 9 || $0 == 10 || $0 == 13 }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t", "\n", "\r": result += TerminalText.escape(scalar)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// A header and values separated by tabs; backslash, tab and line ends escaped, so that every value can be had back.
struct TSVRenderer: RowRenderer {
    var columns: [Report.Column]
    var isTerminal: Bool

    func begin(_ output: Output) throws {
        try output.write(columns.map(\.name).joined(separator: "\t") + "\n")
    }

    func row(_ row: [Cell], to output: Output) throws {
        let texts = row.map { cell in
            var text = CellText.machine.text(cell)
            if text.utf8.contains(UInt8(ascii: "\\")) {
                text = text.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
            }
            return isTerminal ? TerminalText.escaped(text) : PlainRenderer.escapedLines(text)
        }
        try output.write(texts.joined(separator: "\t") + "\n")
    }
}

/// RFC 4180: a header, commas, quotes where needed, lines that end in CR LF.
struct CSVRenderer: RowRenderer {
    var columns: [Report.Column]
    var isTerminal: Bool

    func begin(_ output: Output) throws {
        try output.write(columns.map { Self.quoted($0.name) }.joined(separator: ",") + "\r\n")
    }

    func row(_ row: [Cell], to output: Output) throws {
        let texts = row.map { cell in
            let text = CellText.machine.text(cell)
            return Self.quoted(isTerminal ? TerminalText.escaped(text) : text)
        }
        try output.write(texts.joined(separator: ",") + "\r\n")
    }

    private static func quoted(_ text: String) -> String {
        let special: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: "\""), 10, 13]
        guard text.utf8.contains(where: special.contains) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

/// One array of objects, an object a line.
struct JSONRenderer: RowRenderer {
    var columns: [Report.Column]
    private var isEmpty = true

    init(columns: [Report.Column]) { self.columns = columns }

    func begin(_ output: Output) throws { try output.write("[") }

    mutating func row(_ row: [Cell], to output: Output) throws {
        try output.write((isEmpty ? "\n" : ",\n") + JSONCells.object(columns, row))
        isEmpty = false
    }

    func end(_ output: Output) throws { try output.write(isEmpty ? "]\n" : "\n]\n") }
}

/// An object a line, and nothing around them.
struct JSONLinesRenderer: RowRenderer {
    var columns: [Report.Column]

    func row(_ row: [Cell], to output: Output) throws {
        try output.write(JSONCells.object(columns, row) + "\n")
    }
}

/// One column's values, each followed by a NUL: for `xargs -0`.
struct NulRenderer: RowRenderer {
    var column: Int

    func row(_ row: [Cell], to output: Output) throws {
        guard column < row.count else { return }
        try output.write(CellText.machine.text(row[column]) + "\0")
    }
}

/// Base 64 of bytes that come in pieces.
struct Base64Encoder {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private var pending: [UInt8] = []

    mutating func encode(_ bytes: [UInt8]) -> [UInt8] {
        pending += bytes
        let whole = pending.count / 3 * 3
        var result: [UInt8] = []
        result.reserveCapacity(whole / 3 * 4)
        for index in stride(from: 0, to: whole, by: 3) { result += Self.group(pending[index..<index + 3]) }
        pending.removeFirst(whole)
        return result
    }

    mutating func finish() -> [UInt8] {
        guard !pending.isEmpty else { return [] }
        let missing = 3 - pending.count
        let group = Self.group((pending + [UInt8](repeating: 0, count: missing))[...])
        pending = []
        return group.dropLast(missing) + [UInt8](repeating: UInt8(ascii: "="), count: missing)
    }

    private static func group(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let bits = bytes.reduce(0) { $0 << 8 | Int($1) }
        return [18, 12, 6, 0].map { alphabet[bits >> $0 & 63] }
    }
}

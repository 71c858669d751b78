/// What a terminal of the kind of a vt100 shows after some output: enough of one to see what a person would see.
struct Screen {
    private(set) var rows: [[Character]]
    private(set) var row = 0
    private(set) var column = 0
    private(set) var size: (rows: Int, columns: Int)
    /// Bytes of a character or a control sequence that has not ended yet.
    private var pending: [UInt8] = []

    init(rows: Int, columns: Int) {
        size = (rows, columns)
        self.rows = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    /// The lines, without spaces at their ends.
    var lines: [String] {
        rows.map { row in String(String(row).reversed().drop { $0 == " " }.reversed()) }
    }

    /// The lines that hold anything.
    var text: String { lines.filter { !$0.isEmpty }.joined(separator: "\n") }

    /// The line that the cursor stands in.
    var currentLine: String { lines[row] }

    mutating func resize(rows: Int, columns: Int) {
        var resized = Screen(rows: rows, columns: columns)
        for (index, line) in self.rows.suffix(rows).enumerated() {
            resized.rows[index] = Array((line + Array(repeating: " ", count: columns)).prefix(columns))
        }
        resized.row = min(row, rows - 1)
        resized.column = min(column, columns - 1)
        self = resized
    }

    mutating func show(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            pending.append(byte)
            if isComplete {
                interpret(pending)
                pending = []
            }
        }
    }

    private var isComplete: Bool {
        guard let first = pending.first else { return false }
        switch first {
        case 0x1b:
            guard pending.count > 1 else { return false }
            switch pending[1] {
            case UInt8(ascii: "["): return pending.count > 2 && (0x40...0x7e).contains(pending.last ?? 0)
            case UInt8(ascii: "("), UInt8(ascii: ")"): return pending.count == 3
            default: return true
            }
        case 0xc2...0xdf: return pending.count == 2
        case 0xe0...0xef: return pending.count == 3
        case 0xf0...0xf4: return pending.count == 4
        default: return true
        }
    }

    private mutating func interpret(_ sequence: [UInt8]) {
        switch sequence[0] {
        case 0x0d: column = 0
        case 0x0a: lineFeed()
        case 0x08: column = max(0, column - 1)
        case 0x09: column = min(size.columns - 1, (column / 8 + 1) * 8)
        case 0x1b where sequence.count > 2 && sequence[1] == UInt8(ascii: "["): control(sequence.dropFirst(2))
        case 0..<0x20: break
        default: put(Character(String(decoding: sequence, as: UTF8.self)))
        }
    }

    private mutating func put(_ character: Character) {
        if column == size.columns {
            column = 0
            lineFeed()
        }
        rows[row][column] = character
        column += 1
    }

    private mutating func lineFeed() {
        if row + 1 < size.rows {
            row += 1
        } else {
            rows.removeFirst()
            rows.append(Array(repeating: " ", count: size.columns))
        }
    }

    private mutating func control(_ body: ArraySlice<UInt8>) {
        guard let last = body.last else { return }
        let numbers = String(decoding: body.dropLast(), as: UTF8.self).split(
            separator: ";", omittingEmptySubsequences: false
        ).map { Int($0) ?? 0 }
        let first = numbers.first ?? 0
        let count = max(1, first)
        column = min(column, size.columns - 1)
        switch UnicodeScalar(last) {
        case "A": row = max(0, row - count)
        case "B": row = min(size.rows - 1, row + count)
        case "C": column = min(size.columns - 1, column + count)
        case "D": column = max(0, column - count)
        case "G": column = min(size.columns - 1, count - 1)
        case "H":
            (row, column) = (min(size.rows, count) - 1, min(size.columns, max(1, numbers.dropFirst().first ?? 1)) - 1)
        case "K": clear(in: row, from: first == 0 ? column : 0, to: first == 1 ? column + 1 : size.columns)
        case "J":
            if first == 0 { clear(in: row, from: column, to: size.columns) }
            for other in (first == 0 ? row + 1 : 0)..<size.rows { clear(in: other, from: 0, to: size.columns) }
        case "P":
            rows[row].removeSubrange(column..<min(size.columns, column + count))
            rows[row] += Array(repeating: " ", count: size.columns - rows[row].count)
        case "@":
            rows[row].insert(contentsOf: Array(repeating: " ", count: count), at: column)
            rows[row].removeLast(rows[row].count - size.columns)
        default: break
        }
    }

    private mutating func clear(in row: Int, from start: Int, to end: Int) {
        for column in start..<end { rows[row][column] = " " }
    }
}

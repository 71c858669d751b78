/// Columns under a header, as wide as their values, cut to the screen.
///
/// Widths are taken from the first rows: those of the first moments, at most a few screens full. Later rows stream.
struct TableRenderer: RowRenderer {
    private let columns: [Report.Column]
    private let rendering: Rendering
    private let text: CellText
    private var sample: [[Cell]] = []
    private var widths: [Int]?
    private var alignsRight: [Bool] = []
    private let isLive: Bool
    private let start = ContinuousClock.now

    private static let sampleSize = 200
    private static let sampleTime = Duration.milliseconds(300)
    private static let gap = "  "

    /// - Parameter isLive: rows are shown as they come; the room is shared out before it is known what for.
    init(columns: [Report.Column], rendering: Rendering, isLive: Bool = false) {
        self.columns = columns
        self.rendering = rendering
        self.isLive = isLive
        text = CellText(isForPeople: true, zone: rendering.zone)
    }

    mutating func row(_ row: [Cell], to output: Output) throws {
        if let widths {
            try write(row, widths, to: output)
            return
        }
        sample.append(row)
        if isLive || sample.count >= Self.sampleSize || start.duration(to: .now) > Self.sampleTime {
            try settle(output)
        }
    }

    mutating func end(_ output: Output) throws {
        if widths == nil, !sample.isEmpty { try settle(output) }
    }

    private mutating func settle(_ output: Output) throws {
        let shown = sample.map { $0.map { TerminalText.escaped(text.text($0)) } }
        var widths = columns.indices.map { column in
            shown.reduce(columns[column].title.count) { max($0, TerminalText.width(of: $1[column])) }
        }
        alignsRight = columns.indices.map { column in
            let cells = sample.map { $0[column] }.filter { $0 != .none }
            return !cells.isEmpty && cells.allSatisfy(CellText.isNumeric)
        }
        if isLive { share(&widths) }
        if rendering.isTerminal, !rendering.isWide { fit(&widths) }
        self.widths = widths
        let header = columns.indices.map { pad(columns[$0].title, $0, widths, .heading) }
        try output.write(trimmed(header.joined(separator: Self.gap)) + "\n")
        for row in sample { try write(row, widths, to: output) }
        sample = []
    }

    /// Gives the flexible columns equal parts of what the others leave.
    private func share(_ widths: inout [Int]) {
        let flexible = columns.indices.filter { columns[$0].isFlexible }
        guard !flexible.isEmpty else { return }
        let fixed = columns.indices.filter { !columns[$0].isFlexible }.reduce(0) { $0 + widths[$1] }
        let left = rendering.width - fixed - Self.gap.count * max(0, columns.count - 1)
        for column in flexible { widths[column] = max(8, left / flexible.count) }
    }

    /// Takes room from the widest of the flexible columns, then of the others, until the line fits.
    private func fit(_ widths: inout [Int]) {
        let gaps = Self.gap.count * max(0, columns.count - 1)
        for candidates in [columns.indices.filter { columns[$0].isFlexible }, Array(columns.indices)] {
            while widths.reduce(gaps, +) > rendering.width {
                guard let widest = candidates.max(by: { widths[$0] < widths[$1] }), widths[widest] > 8 else { break }
                widths[widest] -= 1
            }
        }
    }

    private func write(_ row: [Cell], _ widths: [Int], to output: Output) throws {
        let cells = columns.indices.map { column in
            var tone = columns[column].tone
            if case .alert = row[column] { tone = .alert }
            return pad(TerminalText.escaped(text.text(row[column])), column, widths, tone)
        }
        try output.write(trimmed(cells.joined(separator: Self.gap)) + "\n")
    }

    private func pad(_ text: String, _ column: Int, _ widths: [Int], _ tone: Tone) -> String {
        let isCut = rendering.isTerminal && !rendering.isWide
        let shown = isCut ? TerminalText.cut(text, to: widths[column]) : text
        let padding = String(repeating: " ", count: max(0, widths[column] - TerminalText.width(of: shown)))
        let styled = rendering.style.text(shown, tone)
        return alignsRight[column] ? padding + styled : styled + padding
    }

    private func trimmed(_ line: String) -> String {
        String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
    }
}

/// `name  value`, a line each; a row below the other, with a rule between.
struct VerticalRenderer: RowRenderer {
    private let columns: [Report.Column]
    private let rendering: Rendering
    private let text: CellText
    private var count = 0

    init(columns: [Report.Column], rendering: Rendering) {
        self.columns = columns
        self.rendering = rendering
        text = CellText(isForPeople: true, zone: rendering.zone)
    }

    mutating func row(_ row: [Cell], to output: Output) throws {
        count += 1
        try output.write(rendering.style.text("-[ \(count) ]" + String(repeating: "-", count: 20), .dim) + "\n")
        try facts(row, to: output)
    }

    /// The lines of one row.
    func facts(_ row: [Cell], to output: Output) throws {
        let room = columns.map(\.title.count).max() ?? 0
        for (column, cell) in zip(columns, row) where cell != .none {
            let padding = String(repeating: " ", count: room - column.title.count + 2)
            var tone = column.tone
            if case .alert = cell { tone = .alert }
            var shown = TerminalText.escaped(text.text(cell))
            if rendering.isTerminal, !rendering.isWide, column.isFlexible {
                shown = TerminalText.cut(shown, to: max(8, rendering.width - room - 2))
            }
            let title = rendering.style.text(column.title, .dim)
            try output.write(title + padding + rendering.style.text(shown, tone) + "\n")
        }
    }
}

/// One column's values side by side, down the columns, as `ls` shows names. Laid out a few hundred at a time.
struct CompactRenderer: RowRenderer {
    private let column: Int
    private let rendering: Rendering
    private var pending: [Cell] = []

    init(column: Int, rendering: Rendering) {
        self.column = column
        self.rendering = rendering
    }

    mutating func row(_ row: [Cell], to output: Output) throws {
        pending.append(row[column])
        if pending.count == 500 { try end(output) }
    }

    mutating func end(_ output: Output) throws {
        let names = pending.map { TerminalText.escaped(CellText.machine.text($0)) }
        let cells = zip(pending, names).map { cell, name in
            if case .alert = cell { (name, Tone.alert) } else { (name, Tone.plain) }
        }
        pending = []
        guard !names.isEmpty else { return }
        let layout = Self.layout(names.map(TerminalText.width), width: rendering.width)
        for row in 0..<layout.rows {
            var line = ""
            for (place, index) in stride(from: row, to: cells.count, by: layout.rows).enumerated() {
                let isLast = index + layout.rows >= cells.count
                let room = isLast ? 0 : layout.widths[place] - TerminalText.width(of: cells[index].0)
                line += rendering.style.text(cells[index].0, cells[index].1) + String(repeating: " ", count: room)
            }
            try output.write(line + "\n")
        }
    }

    /// As many columns as fit, each as wide as its widest value and a gap of two.
    private static func layout(_ widths: [Int], width: Int) -> (rows: Int, widths: [Int]) {
        for rows in 1...max(1, widths.count) {
            let columns = stride(from: 0, to: widths.count, by: rows).map { start in
                (widths[start..<min(start + rows, widths.count)].max() ?? 0) + 2
            }
            if columns.reduce(-2, +) <= width || rows == widths.count { return (rows, columns) }
        }
        return (max(1, widths.count), [0])
    }
}

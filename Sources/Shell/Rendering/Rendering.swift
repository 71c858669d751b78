internal import ZODB

/// How a report is written.
public enum OutputFormat: String, CaseIterable, Hashable, Sendable {
    case table, plain, json, jsonl, csv, tsv, vertical, raw

    /// For people: local times, sizes with units, empty cells left empty.
    var isForPeople: Bool { self == .table || self == .vertical }
    var isJSON: Bool { self == .json || self == .jsonl }
}

/// Everything that a renderer must know besides the report.
public struct Rendering: Sendable {
    public var format: OutputFormat
    /// Someone looks at a screen: control characters are escaped in every format, lines are cut to `width`.
    public var isTerminal: Bool
    /// Columns of the screen.
    public var width: Int
    /// Do not cut lines.
    public var isWide: Bool
    public var usesColor: Bool
    public var zone: LocalTime
    /// The columns to show, in order; nil for all.
    public var fields: [String]?
    /// How many rows to show; nil for all.
    public var limit: Int?
    /// Write the rows' paths, each followed by a NUL, and nothing else.
    public var isNulSeparated: Bool

    public init(
        format: OutputFormat, isTerminal: Bool = false, width: Int = 80, isWide: Bool = false, usesColor: Bool = false,
        zone: LocalTime = .system, fields: [String]? = nil, limit: Int? = nil, isNulSeparated: Bool = false
    ) {
        self.format = format
        self.isTerminal = isTerminal
        self.width = width
        self.isWide = isWide
        self.usesColor = usesColor
        self.zone = zone
        self.fields = fields
        self.limit = limit
        self.isNulSeparated = isNulSeparated
    }

    /// Writes the body of `report`.
    /// - Returns: how many rows were left out because of `limit`; nil when at least one, but nobody knows how many.
    /// - Throws: what the report's cursors throw, `Output.Closed`, and `ShellFailure` for an unknown field.
    @discardableResult
    public func write(_ report: Report, to output: Output) throws -> Omission {
        switch report.body {
        case .nothing: return .none
        case .table(let table): return try write(table, to: output)
        case .record(let fields): try write(fields, to: output)
        case .result(let line, let fields):
            guard format == .plain || format == .raw, self.fields == nil, !isNulSeparated else {
                try write(fields, to: output)
                break
            }
            try PlainRenderer(isRaw: false, isTerminal: isTerminal).row([.text(line)], to: output)
        case .detailed(let fields, let name, let table): return try write(fields, name, table, to: output)
        case .documents(let documents, let isList): try write(documents, isList: isList, to: output)
        case .liveDocuments(let documents): try writeLive(documents, to: output)
        case .values(let values, let isList): try write(values, isList: isList, to: output)
        case .bytes(let bytes):
            try write(to: output) { write in while let chunk = try bytes.next() { try write(chunk) } }
        case .stream(let body): try write(to: output, body)
        }
        return .none
    }

    /// What `limit` left out.
    public enum Omission: Hashable, Sendable {
        case none
        case rows(Int)
        case someRows
    }
}

extension Rendering {
    private func write(_ table: Report.Table, to output: Output) throws -> Omission {
        let shown = try selection(table.columns)
        let columns = shown.map { table.columns[$0] }
        var renderer: any RowRenderer =
            if isNulSeparated {
                NulRenderer(column: pathIndex(columns))
            } else if format == .table, let compact = table.compactColumn, fields == nil, isTerminal,
                let index = columns.firstIndex(where: { $0.name == compact })
            {
                CompactRenderer(column: index, rendering: self)
            } else {
                switch format {
                case .table: TableRenderer(columns: columns, rendering: self, isLive: table.isLive)
                case .plain, .raw: PlainRenderer(isRaw: format == .raw && !isTerminal, isTerminal: isTerminal)
                case .tsv: TSVRenderer(columns: columns, isTerminal: isTerminal)
                case .csv: CSVRenderer(columns: columns, isTerminal: isTerminal)
                case .json where table.isLive: JSONLinesRenderer(columns: columns)
                case .json: JSONRenderer(columns: columns)
                case .jsonl: JSONLinesRenderer(columns: columns)
                case .vertical: VerticalRenderer(columns: columns, rendering: self)
                }
            }
        try renderer.begin(output)
        var count = 0
        var omission = Omission.none
        do {
            // The next one may be long in coming.
            while !(table.isLive && count == limit), let row = try table.rows.next() {
                if let limit, count == limit {
                    omission = table.total.map { .rows(max(1, $0 - count)) } ?? .someRows
                    break
                }
                count += 1
                try renderer.row(shown.map { $0 < row.count ? row[$0] : .none }, to: output)
                if table.isLive { try output.flush() }
            }
        } catch {
            // What was found before the error is shown, and JSON stays JSON.
            try renderer.end(output)
            throw error
        }
        try renderer.end(output)
        return omission
    }

    /// People see the facts, then the rows; JSON is one object that holds the rows; in other formats the rows are all.
    private func write(
        _ fields: [Report.Field], _ name: String, _ table: Report.Table, to output: Output
    ) throws -> Omission {
        guard self.fields == nil, !isNulSeparated else { return try write(table, to: output) }
        switch format {
        case .table, .vertical:
            try write(fields, to: output)
            try output.write("\n")
            return try write(table, to: output)
        case .json:
            let facts = JSONCells.object(fields.map(\.column), fields.map(\.cell)).dropLast()
            try output.write(facts + (fields.isEmpty ? "" : ",") + JSONText.string(name) + ":")
            defer { try? output.write("}\n") }
            return try write(table, to: output)
        case .plain, .raw, .jsonl, .csv, .tsv: return try write(table, to: output)
        }
    }

    private func write(_ fields: [Report.Field], to output: Output) throws {
        let shown = try selection(fields.map(\.column)).map { fields[$0] }
        let columns = shown.map(\.column)
        let row = shown.map(\.cell)
        switch format {
        case _ where isNulSeparated:
            let renderer = NulRenderer(column: pathIndex(columns))
            try renderer.row(row, to: output)
        case .json, .jsonl: try output.write(JSONCells.object(columns, row) + "\n")
        case .csv, .tsv:
            var renderer: any RowRenderer =
                format == .csv
                ? CSVRenderer(columns: columns, isTerminal: isTerminal)
                : TSVRenderer(columns: columns, isTerminal: isTerminal)
            try renderer.begin(output)
            try renderer.row(row, to: output)
        case .plain, .raw:
            let renderer = PlainRenderer(isRaw: format == .raw && !isTerminal, isTerminal: isTerminal)
            for field in shown { try renderer.row([.text(field.column.name), field.cell], to: output) }
        case .table, .vertical:
            try VerticalRenderer(columns: columns, rendering: self).facts(row, to: output)
        }
    }

    private func write(_ documents: any Cursor<Report.Document>, isList: Bool, to output: Output) throws {
        if format == .json, isList { try output.write("[") }
        if format == .csv { try output.write("title,text\r\n") }
        if format == .tsv { try output.write("title\ttext\n") }
        var count = 0
        defer { if format == .json, isList { try? output.write(count > 0 ? "\n]\n" : "]\n") } }
        while let document = try documents.next() {
            if let limit, isList, count == limit { break }
            switch format {
            case .json where isList: try output.write((count > 0 ? ",\n" : "\n") + document.json)
            case .json, .jsonl: try output.write(document.json + "\n")
            case .csv:
                let renderer = CSVRenderer(columns: [], isTerminal: isTerminal)
                try renderer.row([.text(document.title ?? ""), .text(document.text)], to: output)
            case .tsv:
                let renderer = TSVRenderer(columns: [], isTerminal: isTerminal)
                try renderer.row([.text(document.title ?? ""), .text(document.text)], to: output)
            case .raw where !isTerminal: try output.write(document.text + (document.text.hasSuffix("\n") ? "" : "\n"))
            case .raw, .plain, .table, .vertical: try writeForPeople(document, isList: isList, count: count, to: output)
            }
            count += 1
        }
    }

    private func writeLive(_ documents: any Cursor<Report.Document>, to output: Output) throws {
        var count = 0
        while limit.map({ count < $0 }) ?? true, let document = try documents.next() {
            count += 1
            var rendering = self
            if format == .json { rendering.format = .jsonl }
            try rendering.write(ArrayCursor([document]), isList: false, to: output)
            try output.flush()
        }
    }

    private func writeForPeople(
        _ document: Report.Document, isList: Bool, count: Int, to output: Output
    ) throws {
        if isList, let title = document.title, format.isForPeople {
            let heading = TerminalText.escaped(title) + ":"
            try output.write((count > 0 ? "\n" : "") + style.text(heading, .heading) + "\n")
        }
        // Nothing to say, as of two states that do not differ.
        if document.text.isEmpty { return }
        let isEscaped = isTerminal || format.isForPeople
        let text = isEscaped ? TerminalText.escaped(document.text, keepsLines: true) : document.text
        try output.write(text + (text.hasSuffix("\n") ? "" : "\n"))
    }

    private func write(
        to output: Output, _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void
    ) throws {
        if format.isJSON {
            var encoder = Base64Encoder()
            try output.write("\"")
            try body { try output.write(bytes: encoder.encode($0)) }
            try output.write(bytes: encoder.finish())
            try output.write("\"\n")
            return
        }
        try body { [isTerminal] chunk in
            if isTerminal {
                let text = String(decoding: chunk, as: UTF8.self)
                try output.write(TerminalText.escaped(text, keepsLines: true))
            } else {
                try output.write(bytes: chunk)
            }
        }
    }

    var style: Style { Style(usesColor: usesColor) }

    /// The places of the columns to show.
    private func selection(_ columns: [Report.Column]) throws -> [Int] {
        if let fields {
            return try fields.map { name in
                guard let index = columns.firstIndex(where: { $0.name == name }) else {
                    throw ShellFailure.usage(
                        "no field named '\(name)'", advice: "fields: " + columns.map(\.name).joined(separator: ", "))
                }
                return index
            }
        }
        let showsDetails = !(format == .table || format == .vertical || format == .plain || format == .raw) || isWide
        return columns.indices.filter { showsDetails || columns[$0].visibility == .always }
    }

    private func pathIndex(_ columns: [Report.Column]) -> Int { columns.firstIndex { $0.name == "path" } ?? 0 }
}

internal import ZODB

extension Rendering {
    /// Values as they are: a text takes a line end when it has none, bytes stay bytes.
    func write(_ values: any Cursor<Report.Value>, isList: Bool, to output: Output) throws {
        if format == .json, isList { try output.write("[") }
        if format == .csv { try output.write("path,value\r\n") }
        if format == .tsv { try output.write("path\tvalue\n") }
        var count = 0
        defer { if format == .json, isList { try? output.write(count > 0 ? "\n]\n" : "]\n") } }
        while let value = try values.next() {
            switch format {
            case .json where isList:
                try output.write(count > 0 ? ",\n" : "\n")
                try writeJSON(value, to: output)
            case .json, .jsonl:
                try writeJSON(value, to: output)
                try output.write("\n")
            case .csv, .tsv: try writeRow(value, to: output)
            case .raw, .plain, .table, .vertical: try writePlain(value, isList: isList, count: count, to: output)
            }
            count += 1
        }
    }

    private func writeJSON(_ value: Report.Value, to output: Output) throws {
        if let json = value.json { return try output.write(json) }
        var encoder = Base64Encoder()
        try output.write("{\"@b\":\"")
        while let chunk = try value.bytes.next() { try output.write(bytes: encoder.encode(chunk)) }
        try output.write(bytes: encoder.finish())
        try output.write("\"}")
    }

    private func writeRow(_ value: Report.Value, to output: Output) throws {
        var bytes: [UInt8] = []
        while let chunk = try value.bytes.next() { bytes += chunk }
        let row = [Cell.text(value.title ?? ""), .text(String(decoding: bytes, as: UTF8.self))]
        if format == .csv {
            try CSVRenderer(columns: [], isTerminal: isTerminal).row(row, to: output)
        } else {
            try TSVRenderer(columns: [], isTerminal: isTerminal).row(row, to: output)
        }
    }

    private func writePlain(_ value: Report.Value, isList: Bool, count: Int, to output: Output) throws {
        if isList, let title = value.title, format.isForPeople {
            let heading = style.text(TerminalText.escaped(title) + ":", .heading)
            try output.write((count > 0 ? "\n" : "") + heading + "\n")
        }
        var last: UInt8?
        var held: [UInt8] = []
        while let chunk = try value.bytes.next() {
            last = chunk.last ?? last
            guard isTerminal else {
                try output.write(bytes: chunk)
                continue
            }
            // A character may lie across two chunks.
            let bytes = held + chunk
            let whole = Self.wholeCharacters(bytes)
            held = Array(bytes[whole...])
            let text = String(decoding: bytes[..<whole], as: UTF8.self)
            try output.write(TerminalText.escaped(text, keepsLines: true))
        }
        if !held.isEmpty { try output.write(String(decoding: held, as: UTF8.self)) }
        let endsLine = last == UInt8(ascii: "\n")
        if !endsLine, isTerminal || (value.isText && format != .raw) { try output.write("\n") }
    }

    /// How many of the bytes are whole characters: all but the beginning of one at the end.
    static func wholeCharacters(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? bytes.count - back : bytes.count
        }
        return bytes.count
    }
}

import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("Renderers")
struct RenderingTests {
    /// 2026-11-20 23:24:54.460761 UTC, as Python's TimeStamp says.
    private static let tid = TransactionID(rawValue: 0x040d_271c_e85d_ac99)
    /// Two lines, an escape sequence, a C1 control, a right-to-left override: what hostile data would hold.
    private static let evil = "a\u{1b}[2J\u{9b}31m\u{202e}b\nc\t\"d\", é 漢"

    private static var table: Report {
        .table(
            [
                Report.Column("path", tone: .path, isFlexible: true), Report.Column("size"), Report.Column("time"),
                Report.Column("text", isFlexible: true), Report.Column("oid", visibility: .detail),
            ],
            [
                [.text("/a"), .size(1536), .time(tid), .text(evil), .oid(.root)],
                [.text("/longer"), .size(7), .none, .alert("missing"), .oid(ObjectID(rawValue: 0x1a2b))],
            ])
    }

    private func text(_ report: Report, _ change: (inout Rendering) -> Void = { _ in }, format: OutputFormat) throws
        -> String
    {
        var rendering = Rendering(format: format, zone: .fixed(7200))
        change(&rendering)
        var bytes: [UInt8] = []
        let output = Output { bytes += $0 }
        try rendering.write(report, to: output)
        try output.flush()
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("write a table with aligned columns, local times, sizes with units, and no control characters")
    func table() throws {
        #expect(
            try text(Self.table, format: .table) == """
                path      size  time                       text
                /a       1.5 K  2026-11-21 01:24:54 +0200  a\\x1b[2J\\x9b31m\\u202eb\\nc\\t"d", é 漢
                /longer    7 B                             missing

                """)
    }

    @Test("cut flexible columns to the screen, by what characters take on it")
    func cutTable() throws {
        let cut = try text(Self.table, { ($0.isTerminal, $0.width) = (true, 60) }, format: .table)
        #expect(
            cut == """
                path      size  time                       text
                /a       1.5 K  2026-11-21 01:24:54 +0200  a\\x1b[2J\\x9b31m\\…
                /longer    7 B                             missing

                """)
        let wide = try text(Self.table, { ($0.isTerminal, $0.width, $0.isWide) = (true, 60, true) }, format: .table)
        #expect(wide.contains("é 漢"))
        #expect(wide.contains("#0x1a2b"))
    }

    @Test("write plain lines: machine values, tabs between them, no header; tabs and line ends in values escaped")
    func plain() throws {
        #expect(
            try text(Self.table, format: .plain)
                == "/a\t1536\t2026-11-20T23:24:54.460761Z\ta\u{1b}[2J\u{9b}31m\u{202e}b\\nc\\t\"d\", é 漢\n/longer\t7\t\tmissing\n"
        )
        let seen = try text(Self.table, { $0.isTerminal = true }, format: .plain)
        #expect(!seen.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{9b}" || $0 == "\u{202e}" })
    }

    @Test("write JSON that says the same, whatever the text holds")
    func json() throws {
        let parsed = try JSONValue(parsing: Array(text(Self.table, format: .json).utf8))
        #expect(parsed.elements.count == 2)
        #expect(parsed.elements[0]["text"] == .string(Self.evil))
        #expect(parsed.elements[0]["size"] == .number("1536"))
        #expect(parsed.elements[0]["time"] == .string("2026-11-20T23:24:54.460761Z"))
        #expect(parsed.elements[1]["oid"] == .string("0000000000001a2b"))
        #expect(parsed.elements[1]["time"] == .null)
    }

    @Test("write no control characters in JSON either, so that it may be shown")
    func jsonOnScreen() throws {
        let lines = try text(Self.table, format: .jsonl)
        #expect(lines.split(separator: "\n").count == 2)
        #expect(
            lines.hasPrefix(
                #"{"path":"/a","size":1536,"time":"2026-11-20T23:24:54.460761Z","text":"a\u001b[2J\u009b31m\u202eb\nc\t\"d\", é 漢","oid":"0000000000000000"}"#
            ))
    }

    @Test("write CSV by RFC 4180, and TSV whose values can be had back")
    func separated() throws {
        #expect(
            try text(Self.table, { $0.fields = ["text", "path"] }, format: .csv)
                == "text,path\r\n\"a\u{1b}[2J\u{9b}31m\u{202e}b\nc\t\"\"d\"\", é 漢\",/a\r\nmissing,/longer\r\n")
        let odd = Report.table([Report.Column("x"), Report.Column("y")], [[.text("a\\nb"), .text("a\nb\t")]])
        #expect(try text(odd, format: .tsv) == "x\ty\na\\\\nb\ta\\nb\\t\n")
    }

    @Test("write a line a value, and a rule above each row")
    func vertical() throws {
        #expect(
            try text(Self.table, format: .vertical) == """
                -[ 1 ]--------------------
                path  /a
                size  1.5 K
                time  2026-11-21 01:24:54 +0200
                text  a\\x1b[2J\\x9b31m\\u202eb\\nc\\t"d", é 漢
                -[ 2 ]--------------------
                path  /longer
                size  7 B
                text  missing

                """)
    }

    @Test("write paths alone, each followed by a NUL, for xargs")
    func nul() throws {
        #expect(try text(Self.table, { $0.isNulSeparated = true }, format: .plain) == "/a\0/longer\0")
    }

    @Test("show the fields asked for, in their order, and name those there are when one is not")
    func fields() throws {
        #expect(
            try text(Self.table, { $0.fields = ["oid", "path"] }, format: .plain) == "#0x00\t/a\n#0x1a2b\t/longer\n")
        #expect {
            try text(Self.table, { $0.fields = ["nope"] }, format: .json)
        } throws: { error in
            guard let failure = error as? ShellFailure else { return false }
            return failure.exitCode == .usage && failure.advice == "fields: path, size, time, text, oid"
        }
    }

    @Test("stop at the limit and tell what is left")
    func limit() throws {
        var rendering = Rendering(format: .plain, limit: 1)
        let output = Output { _ in }
        #expect(try rendering.write(Self.table, to: output) == .someRows)
        let known = Report(
            .table(Report.Table([Report.Column("n")], ArrayCursor([[.integer(1)], [.integer(2)]]), total: 2)))
        #expect(try rendering.write(known, to: output) == .rows(1))
        rendering.limit = 2
        #expect(try rendering.write(Self.table, to: output) == .none)
    }

    @Test("stream: a row is written before the next is asked for")
    func streaming() throws {
        var asked = 0
        var written = ""
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            asked += 1
            if asked > 3 { throw .interrupted }
            return [.integer(asked)]
        }
        let output = Output(isUnbuffered: true) { written += String(decoding: $0, as: UTF8.self) }
        let report = Report(.table(Report.Table([Report.Column("n")], rows)))
        #expect(throws: StorageError.interrupted) { try Rendering(format: .json).write(report, to: output) }
        try output.flush()
        // Cut short, but still JSON.
        #expect(try JSONValue(parsing: Array(written.utf8)).elements.count == 3)
    }

    @Test("settle column widths by the first rows, then let a million pass through")
    func longTable() throws {
        var left = 20_000
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            left -= 1
            return left < 0 ? nil : [.integer(left), .text("row")]
        }
        var count = 0
        var largest = 0
        let output = Output { bytes in
            largest = max(largest, bytes.count)
            count += bytes.count { $0 == 10 }
        }
        let report = Report(.table(Report.Table([Report.Column("n"), Report.Column("x")], rows)))
        try Rendering(format: .table).write(report, to: output)
        try output.flush()
        #expect(count == 20_001)
        #expect(largest < 70_000)
    }

    @Test("write one thing's facts as a list for people, as one object in JSON, as one row in CSV")
    func record() throws {
        let report = Report.record([
            Report.Field("kind", .text("x\ny")), Report.Field("last_time", title: "last commit", .time(Self.tid)),
            Report.Field("size", .size(2048)), Report.Field("none", .none),
        ])
        #expect(
            try text(report, format: .table) == """
                kind         x\\ny
                last commit  2026-11-21 01:24:54 +0200
                size         2.0 K

                """)
        #expect(
            try text(report, format: .json)
                == #"{"kind":"x\ny","last_time":"2026-11-20T23:24:54.460761Z","size":2048,"none":null}"# + "\n")
        #expect(try text(report, { $0.fields = ["size", "kind"] }, format: .csv) == "size,kind\r\n2048,\"x\ny\"\r\n")
        #expect(try text(report, { $0.fields = ["size"] }, format: .plain) == "size\t2048\n")
    }

    @Test("write a thing and its parts: one object in JSON, the parts as rows elsewhere")
    func detailed() throws {
        func report() -> Report {
            let parts = Report.Table(
                [Report.Column("oid")], ArrayCursor([[.oid(.root)], [.oid(ObjectID(rawValue: 255))]]))
            return Report(.detailed([Report.Field("tid", .tid(Self.tid))], name: "objects", parts))
        }
        #expect(try text(report(), format: .plain) == "#0x00\n#0xff\n")
        #expect(try text(report(), format: .table) == "tid  040d271ce85dac99\n\noid\n#0x00\n#0xff\n")
        let parsed = try JSONValue(parsing: Array(text(report(), format: .json).utf8))
        #expect(parsed["tid"] == .string("040d271ce85dac99"))
        #expect(
            parsed["objects"]?.elements.map { $0["oid"] } == [.string("0000000000000000"), .string("00000000000000ff")])
    }

    @Test("write texts: headed when there are several, as JSON values where that is asked for")
    func documents() throws {
        func report() -> Report {
            let documents = [
                Report.Document(title: "/a", text: "one\n\u{1b}two", json: "[1]"),
                Report.Document(title: "/b", text: "three", json: "2"),
            ]
            return Report(.documents(ArrayCursor(documents), isList: true))
        }
        #expect(try text(report(), format: .table) == "/a:\none\n\\x1btwo\n\n/b:\nthree\n")
        #expect(try text(report(), format: .raw) == "one\n\u{1b}two\nthree\n")
        #expect(try text(report(), format: .json) == "[\n[1],\n2\n]\n")
        #expect(try text(report(), format: .jsonl) == "[1]\n2\n")
        #expect(try text(.document(Report.Document(text: "x", json: "\"x\"")), format: .json) == "\"x\"\n")
    }

    @Test("pass bytes on as they are, but not to a screen; JSON has them in base 64")
    func bytes() throws {
        func report() -> Report { Report(.bytes(ArrayCursor([[0x66, 0x6f], [0x1b, 0x62], [0x61]]))) }
        #expect(try text(report(), format: .plain) == "fo\u{1b}ba")
        #expect(try text(report(), { $0.isTerminal = true }, format: .plain) == "fo\\x1bba")
        #expect(try text(report(), format: .json) == "\"Zm8bYmE=\"\n")
    }

    @Test("show names side by side on a screen, a line each in a pipe")
    func compact() throws {
        func report() -> Report {
            let rows = ["alpha", "b", "gamma", "d\u{7}"].map { [Cell.text($0), .integer(1)] }
            return Report(
                .table(
                    Report.Table([Report.Column("name"), Report.Column("n")], ArrayCursor(rows), compactColumn: "name"))
            )
        }
        #expect(
            try text(report(), { ($0.isTerminal, $0.width) = (true, 15) }, format: .table)
                == "alpha  gamma\nb      d\\x07\n")
        #expect(
            try text(report(), { ($0.isTerminal, $0.width) = (true, 80) }, format: .table)
                == "alpha  b  gamma  d\\x07\n")
        #expect(try text(report(), format: .table).hasPrefix("name"))
    }

    @Test("colour only when told to, and never by what the data says")
    func colour() throws {
        let coloured = try text(Self.table, { $0.usesColor = true }, format: .table)
        #expect(coloured.contains("\u{1b}[36m/a\u{1b}[0m"))
        #expect(coloured.contains("\u{1b}[31mmissing\u{1b}[0m"))
        #expect(!coloured.contains("\u{1b}[2J"))
    }

    @Test(
        "write sizes with units of 1024 and at most three digits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 K"), (1536, "1.5 K"), (10_189, "10 K"), (1_048_575, "1.0 M"),
            (203 * 1024, "203 K"), (1_900_000_000, "1.8 G"), (Int.max, "8.0 E"),
        ])
    func sizes(bytes: Int, text: String) {
        #expect(CellText.humanSize(bytes) == text)
    }

    @Test(
        "a duration in two units, and in days where nobody counts hours",
        arguments: [
            (0.0004, "0.40 ms"), (12.0, "12 s"), (185.0, "3 min 5 s"), (94_200.0, "26 h 10 min"),
            (172_799.0, "47 h 59 min"), (172_800.0, "2 days 0 h"), (31_554_000.0, "365 days 5 h"),
        ])
    func duration(_ seconds: Double, _ text: String) {
        #expect(CellText.duration(seconds) == text)
    }
}

@Suite("Text on a terminal")
struct TerminalTextTests {
    @Test("holds no character that moves the cursor, changes colours or turns the reading direction")
    func harmless() {
        let dangerous = (UInt32(0)...0x2fff).compactMap(Unicode.Scalar.init).filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            case .format: scalar.properties.isBidiControl
            default: false
            }
        }
        #expect(dangerous.count > 70)
        for scalar in dangerous {
            let escaped = TerminalText.escaped("x" + String(scalar) + "y")
            #expect(!escaped.unicodeScalars.contains(scalar))
            #expect(escaped.hasPrefix("x\\") && escaped.hasSuffix("y"))
        }
    }

    @Test("keeps lines and tabs where it is a text of several lines")
    func lines() {
        #expect(TerminalText.escaped("a\n\tb\r", keepsLines: true) == "a\n\tb\\r")
        #expect(TerminalText.escaped("a\n\tb\r") == "a\\n\\tb\\r")
    }

    @Test(
        "is measured in columns",
        arguments: [("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢字", 4), ("한", 2), ("😀", 2), ("", 0)])
    func width(text: String, width: Int) {
        #expect(TerminalText.width(of: text) == width)
    }

    @Test("is cut by columns, never within a wide character")
    func cut() {
        #expect(TerminalText.cut("漢字漢字", to: 6) == "漢字…")
        #expect(TerminalText.cut("漢字漢字", to: 8) == "漢字漢字")
        #expect(TerminalText.cut("abcdef", to: 4) == "abc…")
    }
}

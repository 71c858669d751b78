import Pickle
import TestSupport
import Testing

@Suite("Pickle values")
struct PickleValueTests {
    private func parsed(_ text: String, _ style: PickleStyle, replacing old: PickleNode? = nil) throws -> PickleValue {
        try PickleValueParser.value(parsing: text, style, replacing: old) { oid in
            oid == 0x1a ? .persistentID(.bytes([0, 0, 0, 0, 0, 0, 0, 0x1a])) : nil
        }
    }

    @Test(
        "Python text is read as the record's Python would",
        arguments: [
            ("'abc'", PickleValue.nativeString("abc"), PickleValue.text("abc")),
            ("u'abc'", .text("abc"), .text("abc")), ("b'abc'", .nativeString("abc"), .bytes(Array("abc".utf8))),
            ("5", .integer(5), .integer(5)),
            ("5L", .integer(PickleInteger(5, isLong: true)), .integer(PickleInteger(5, isLong: true))),
            ("[]", .list([]), .list([])),
            ("[1, [2],]", .list([.integer(1), .list([.integer(2)])]), .list([.integer(1), .list([.integer(2)])])),
            ("()", .tuple([]), .tuple([])), ("(1)", .integer(1), .integer(1)),
            ("(1,)", .tuple([.integer(1)]), .tuple([.integer(1)])),
            ("{}", .dict([]), .dict([])), ("set()", .set([]), .set([])),
            ("{1, None}", .set([.integer(1), .none]), .set([.integer(1), .none])),
            ("frozenset({1})", .frozenSet([.integer(1)]), .frozenSet([.integer(1)])),
            (
                "{'a': u'b'}", .dict([.init(key: .nativeString("a"), value: .text("b"))]),
                .dict([.init(key: .text("a"), value: .text("b"))])
            ),
            ("bytearray(b'\\x00')", .byteArray([0]), .byteArray([0])),
            ("-inf", .float(-.infinity), .float(-.infinity)), ("1e3", .float(1000), .float(1000)),
            (
                "#0x1a", .persistentID(.bytes([0, 0, 0, 0, 0, 0, 0, 0x1a])),
                .persistentID(.bytes([0, 0, 0, 0, 0, 0, 0, 0x1a]))
            ),
            (
                "[<#1a m.C>, 1] # text", .list([.persistentID(.bytes([0, 0, 0, 0, 0, 0, 0, 0x1a])), .integer(1)]),
                .list([.persistentID(.bytes([0, 0, 0, 0, 0, 0, 0, 0x1a])), .integer(1)])
            ),
            ("('a' # one\n 'b')", .nativeString("ab"), .text("ab")),
            (
                "date('2026-02-28')", .call("datetime", "date", .nativeString([7, 0xea, 2, 28])),
                .call("datetime", "date", .bytes([7, 0xea, 2, 28]))
            ),
            (
                "datetime('2026-02-28T01:02:03.000004')",
                .call("datetime", "datetime", .nativeString([7, 0xea, 2, 28, 1, 2, 3, 0, 0, 4])),
                .call("datetime", "datetime", .bytes([7, 0xea, 2, 28, 1, 2, 3, 0, 0, 4]))
            ),
        ])
    func text(text: String, inPython2: PickleValue, inPython3: PickleValue) throws {
        #expect(try parsed(text, .python2) == inPython2)
        #expect(try parsed(text, .python3) == inPython3)
    }

    @Test("a string without a prefix takes the kind of the one that it replaces, where there are two")
    func kinds() throws {
        #expect(try parsed("'a'", .python2, replacing: .text([98])) == .text("a"))
        #expect(try parsed("'a'", .python2, replacing: .nativeString([98])) == .nativeString("a"))
        #expect(try parsed("'a'", .zodbpickle2, replacing: .bytes([98])) == .bytes([97]))
        #expect(try parsed("b'a'", .zodbpickle2, replacing: .bytes([98])) == .bytes([97]))
        #expect(try parsed("u'a'", .python2, replacing: .nativeString([98])) == .text("a"))
        #expect(try parsed("'a'", .python3, replacing: .bytes([98])) == .text("a"))
        #expect(try parsed("'a'", .python2, replacing: PickleNode.none) == .nativeString("a"))
    }

    @Test(
        "what is no value is an error with an offset",
        arguments: [
            "", "[", "[1", "[1 2]", "{", "{1", "{1:", "{1: 2", "{1: 2, 3}", "{1, 2: 3}", "{[]}", "{{}: 1}", "(", "(,)",
            "[,]",
            "set(1)", "frozenset(", "bytearray('é'", "date('2026-02-29')", "date('2026-13-01')", "date('0000-01-01')",
            "datetime('2026-01-01')", "datetime('2026-01-01T24:00:00')", "time('1:2:3')", "#", "#0x", "#zz", "#1",
            "<", "<weak #0x1a>", "<#0x1a", "<class m.C>", "os.system('x')", "lambda: 1", "1 2", "'a' u'b'",
            "#99999999999999999999",
            "date(b'\\xff\\xff')", "...", "…", "\u{0}",
        ])
    func errors(text: String) {
        #expect {
            _ = try parsed(text, .python3)
        } throws: { error in
            guard case .malformed(_, let offset)? = error as? PickleValueError else { return false }
            return offset >= 0 && offset <= text.utf8.count
        }
    }

    @Test("nesting without end is refused, in every notation", arguments: ["[", "(", "{1:", "{(", "set(["])
    func nesting(open: String) {
        #expect(throws: PickleValueError.self) { try parsed(String(repeating: open, count: 50_000), .python3) }
        #expect(throws: PickleValueError.self) {
            try PickleValue(json: Array(String(repeating: "{\"@t\":[", count: 50_000).utf8), .python3)
        }
    }

    @Test("values print as text that reads as the same value", arguments: EncoderTests.styles)
    func textRoundTrip(style: PickleStyle) throws {
        var random = RandomNumbers(seed: EncoderTests.seed)
        var options = PickleText.Options.complete
        options.isPython2 = style.isPython2
        for _ in 0..<200 {
            let value = EncoderTests.value(style, depth: 3, &random)
            guard value.isReadable else { continue }
            for width in [nil, 40] as [Int?] {
                options.width = width
                let text = try value.text(options)
                let again = try parsed(text, style)
                #expect(
                    EncoderTests.comparable(again, style) == EncoderTests.comparable(value, style),
                    "seed \(EncoderTests.seed): \(text)")
            }
        }
    }

    // MARK: JSON

    private func json(_ value: PickleValue, isPython2: Bool) throws -> [UInt8] {
        let document = try value.document()
        var text = JSONText()
        var writer = PickleJSON(document, isPython2: isPython2) { _, _ in false }
        writer.write(document.roots[0], to: &text)
        return text.bytes
    }

    @Test("values written as JSON are read as the same value", arguments: [true, false])
    func jsonRoundTrip(isPython2: Bool) throws {
        let style: PickleStyle = isPython2 ? .zodbpickle2 : PickleStyle(protocolNumber: 5, isPython2: false)
        var random = RandomNumbers(seed: EncoderTests.seed)
        var values = (0..<500).map { _ in EncoderTests.value(style, depth: 3, &random) }
        let made = PickleValue.Instance(
            .newObject, .global("m", "C"), arguments: [.integer(1)], items: [.none],
            entries: [.init(key: .integer(1), value: .integer(2))], states: [.none, .dict([])])
        values += [
            .instance(made), .instance(.init(.newObject, .global("m", "C"))), .global("m", "C"),
            .instance(.init(.oldStyle, .global("m", "C"), states: [.integer(5)])),
            .instance(.init(.newObjectEx, .global("m", "C"), keywords: .dict([]))),
            .call("m", "f", .integer(1)), .extensionCode(7), .text([0xed, 0xa0, 0x80]), .text("\u{1f600}\u{0}\""),
            .call("datetime", "date", isPython2 ? .nativeString([7, 0xea, 2, 28]) : .bytes([7, 0xea, 2, 28])),
            .dict([.init(key: .text("@t"), value: .none)]), .float(.infinity), .float(-0.0), .float(1e300),
        ]
        if isPython2 { values += [.nativeString([0xe9]), .nativeString("\u{e9}"), .text("a"), .nativeString("a")] }
        for value in values {
            let text = try json(value, isPython2: isPython2)
            let again = try PickleValue(json: text, style)
            #expect(
                EncoderTests.comparable(again, style) == EncoderTests.comparable(value, style),
                "seed \(EncoderTests.seed): \(String(decoding: text, as: UTF8.self))")
        }
    }

    @Test("references in JSON become those that ZODB writes")
    func references() throws {
        let oid: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x1a]
        func value(_ text: String, _ style: PickleStyle) throws -> PickleValue {
            try PickleValue(json: Array(text.utf8), style)
        }
        #expect(
            try value(#"{"@ref":["000000000000001a","a.b.C"]}"#, .python3)
                == .persistentID(.tuple([.bytes(oid), .global("a.b", "C")])))
        #expect(try value(#"{"@ref":"000000000000001a"}"#, .python2) == .persistentID(.nativeString(oid)))
        #expect(
            try value(#"{"@ref":"000000000000001a","@weak":true}"#, .python3)
                == .persistentID(.list([.text("w"), .tuple([.bytes(oid)])])))
        #expect(
            try value(#"{"@ref":["000000000000001a","m.C"],"@db":"x"}"#, .python3)
                == .persistentID(.list([.text("m"), .tuple([.text("x"), .bytes(oid), .global("m", "C")])])))
        #expect(throws: PickleValueError.self) {
            try PickleValue(json: Array(#"{"@ref":"000000000000001a"}"#.utf8), .python3) { _ in nil }
        }
    }

    @Test(
        "JSON that says no value is refused",
        arguments: [
            "", "nul", "[1,]", "{\"a\" 1}", "{\"a\":1,\"a\":2}", "01", "+1", "1e999", "'a'", "\"\\x\"", "\"\u{1}\"",
            "[1] 2", "NaN",
            "{\"@t\":1}", "{\"@t\":[],\"@set\":[]}", "{\"@what\":1}", "{\"@b\":\"?\"}", "{\"@b\":\"QQ=\"}",
            "{\"@b\":\"Q===\"}",
            "{\"@cut\":\"depth\"}", "{\"@cycle\":1}", "{\"@kv\":[]}", "{\"@set\":[[]]}", "{\"@d\":[[1]]}",
            "{\"@d\":[[[],1]]}",
            "{\"@cls\":1}", "{\"@cls\":[\"m\"]}", "{\"@s\":1}", "{\"@reduce\":{}}", "{\"@ref\":\"1\"}",
            "{\"@ref\":[\"000000000000001a\",\"C\"]}", "{\"@bi\":\"1x\"}", "{\"@f\":\"1\"}", "{\"@dt\":\"x\"}",
            "{\"@date\":\"2026-02-30\"}",
            "{\"@ext\":0}", "{\"@t\":[],\"a\":1}", "\"", "[", "{", "\"\\ud800", "\"\\u12\"",
        ])
    func badJSON(text: String) {
        #expect(throws: PickleValueError.self) { try PickleValue(json: Array(text.utf8), .python3) }
    }

    @Test("mutilated text and JSON never trap")
    func fuzz() throws {
        var random = RandomNumbers(seed: EncoderTests.seed)
        let style = PickleStyle(protocolNumber: 5, isPython2: false)
        var accepted = 0
        for _ in 0..<400 {
            let value = EncoderTests.value(style, depth: 3, &random)
            for original in [try json(value, isPython2: false), Array(try value.text().utf8)] {
                for _ in 0..<8 where !original.isEmpty {
                    var bytes = original
                    for _ in 0...random.below(3) {
                        let index = random.below(bytes.count)
                        switch random.below(3) {
                        case 0: bytes[index] = UInt8(random.below(256))
                        case 1: bytes.insert(Array("[]{}()\"',:#@\\<>".utf8)[random.below(15)], at: index)
                        default: bytes.removeSubrange(index..<min(bytes.count, index + 1 + random.below(4)))
                        }
                        if bytes.isEmpty { break }
                    }
                    let texts = [
                        try? PickleValue(json: bytes, style),
                        try? parsed(String(decoding: bytes, as: UTF8.self), style),
                    ]
                    for value in texts.compactMap({ $0 }) {
                        accepted += 1
                        _ = try? PickleEncoder.pickle(value, style)
                    }
                }
            }
        }
        #expect(accepted > 0)
    }

    // MARK: Copies

    @Test("copies expand what is shared, refuse what has no end, and keep what a call means")
    func copies() throws {
        func copy(_ source: [UInt8], limit: Int = 1000) throws -> PickleValue {
            let document = try PickleDocument(source)
            return try PickleValue(document.roots[0], in: document, limit: limit)
        }
        #expect(
            try copy(pickle("]q", 0, "K", 1, "ah", 0, 0x86, "."))
                == .tuple([.list([.integer(1)]), .list([.integer(1)])]))
        #expect(throws: PickleValueError.cyclic) { try copy(pickle("]q", 0, "h", 0, "a.")) }
        #expect(throws: PickleValueError.tooManyValues(limit: 3)) { try copy(pickle("(NNNt."), limit: 3) }
        var bomb = pickle("Nq", 0, "0")
        for _ in 0..<100 { bomb += pickle("h", 0, "h", 0, 0x86, "q", 0, "0") }
        #expect(throws: PickleValueError.self) { try copy(bomb + pickle("h", 0, "."), limit: 20_000) }
        let deep = pickle("N") + [UInt8](repeating: 0x85, count: 300) + pickle(".")
        #expect(throws: PickleValueError.tooDeep(limit: PickleValue.depthLimit)) { try copy(deep) }
        #expect(
            try copy(pickle("c__builtin__\nset\n](K", 1, "K", 2, "e", 0x85, "R.")) == .set([.integer(1), .integer(2)]))
        #expect(
            try copy(pickle("c_codecs\nencode\n(X", 2, 0, 0, 0, 0xc3, 0xa9, "X", 6, 0, 0, 0, "latin1tR."))
                == .bytes([0xe9]))
        #expect(throws: PickleValueError.self) { try copy(pickle("(cm\nC\no}bK", 1, "a.")) }
        #expect(throws: PickleValueError.self) { try copy(pickle("NQ}b.")) }
    }

    @Test("a copy of every corpus pickle, written again, is the same value", arguments: CorpusPickle.all)
    func corpus(_ sample: CorpusPickle) throws {
        let document = try PickleDocument(sample.bytes)
        guard let value = try? PickleValue(document.roots[0], in: document) else { return }
        let style = PickleStyle(of: document, isPython2: sample.name.contains("/2") ? true : nil)
        guard let bytes = try? PickleEncoder.pickle(value, style) else { return }
        let again = try PickleDocument(bytes)
        #expect(try PickleValue(again.roots[0], in: again).document().source == value.document().source)
    }
}

extension PickleValue {
    /// Whether Python text can say it: no reference (they need a database), no number that text rounds.
    fileprivate var isReadable: Bool {
        switch self {
        case .persistentID, .global, .instance: false
        case .float(let value): !value.isNaN
        case .tuple(let items), .list(let items), .set(let items), .frozenSet(let items):
            items.allSatisfy(\.isReadable)
        case .dict(let entries): entries.allSatisfy { $0.key.isReadable && $0.value.isReadable }
        case .nativeString(let bytes): PythonString.isUTF8(bytes)
        default: true
        }
    }
}

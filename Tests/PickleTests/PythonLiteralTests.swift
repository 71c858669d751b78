import Pickle
import Testing

@Suite("Python literals")
struct PythonLiteralTests {
    @Test(
        "read as Python reads them",
        arguments: [
            ("42", "42"), ("-1", "-1"), ("0x1F", "31"), ("-0x10", "-16"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("7L", "7"), ("1.5", "1.5"), ("-1e3", "-1000.0"), (".5", "0.5"), ("1e999", "1e999"), ("-1e999", "-1e999"),
            ("None", "None"), ("True", "True"), ("False", "False"), ("'x'", "'x'"), ("\"it's\"", "\"it's\""),
            (#"'a\'b"c'"#, #"'a\'b"c'"#), (#"u'\xe9'"#, "u'é'"), (#"b'\x00\xff'"#, #"b'\x00\xff'"#),
            (#"r'\n'"#, #"'\\n'"#),
            (#"'\u20ac\U0001f600\101'"#, "'€😀A'"), ("()", "()"), ("(1,)", "(1,)"), ("(1)", "1"),
            ("( 1 , 'x' )", "(1, 'x')"),
            ("((1, 2), (3,))", "((1, 2), (3,))"), (#"'\ud800'"#, #"'\ud800'"#), (#"'\q'"#, #"'\\q'"#),
        ])
    func values(text: String, plain: String) throws {
        let value = try PythonLiteral(parsing: text)
        #expect(value.description == plain)
        let again = try PythonLiteral(parsing: plain)
        #expect(again.matches(value))
        #expect(again.description == plain)
    }

    @Test(
        "what is none is an error with an offset",
        arguments: [
            "", "abc", "'x", "(1", "(1 2)", "1 2", "x'y'", "--1", "1..2", "0x", "b'é'", #"'\x4'"#, #"'\U00110000'"#,
            "nan", "[1]",
            String(repeating: "(", count: 100_000),
        ])
    func errors(text: String) {
        #expect(throws: PythonLiteralError.self) { try PythonLiteral(parsing: text) }
    }

    @Test("equal is what Python calls equal")
    func equality() throws {
        func matches(_ left: String, _ right: String) throws -> Bool {
            try PythonLiteral(parsing: left).matches(try PythonLiteral(parsing: right))
        }
        #expect(
            try matches("1", "1.0") && matches("True", "1") && matches("0", "-0.0") && matches("(1, 2)", "(True, 2.0)"))
        #expect(try !matches("1", "'1'") && !matches("None", "0") && !matches("u'x'", "b'x'"))
        #expect(
            try !matches("9007199254740993", "9007199254740992.0") && matches("9007199254740992", "9007199254740992.0"))
        #expect(
            PythonLiteral.string([97]).matches(.nativeString([97])) && PythonLiteral.string([97]).matches(.text([97])))
        #expect(!PythonLiteral.text([0xc3, 0xa9]).matches(.nativeString([0xc3, 0xa9])))
        #expect(PythonLiteral.bytes([0xe9]).matches(.nativeString([0xe9])))
    }

    @Test("large integers compare in their own right")
    func large() throws {
        let values = [
            "-99999999999999999999999", "-9223372036854775809", "-1", "0", "255", "256", "9223372036854775808",
            "99999999999999999999999",
        ]
        let literals = try values.map { try PythonLiteral(parsing: $0) }
        for (i, left) in literals.enumerated() {
            for (j, right) in literals.enumerated() {
                #expect(left.compareNumbers(right).map { $0.signum() } == (i - j).signum())
            }
        }
    }
}

import ServerConfiguration
import TestSupport
import Testing

@Suite("Log formats")
struct LogFormatTests {
    struct Case: Encodable {
        let format: String
    }

    /// The fields of `zeoconf_judge.py`.
    private static let fields: [LogFormat.Field: LogValue] = [
        .name: .text("ZEO.server"), .levelname: .text("INFO"), .levelno: .integer(20),
        .message: .text("caf\u{e9} 100%"),
        .asctime: .text("now"), .process: .integer(4711), .lineno: .integer(-7), .created: .number(1_700_000_000.125),
        .msecs: .number(125.75), .relativeCreated: .number(0.5), .thread: .integer(140_000_000_000_000),
    ]

    private static func line(_ format: String) -> String? {
        LogFormat(format)?.line { fields[$0] ?? .text("") }
    }

    @Test(
        "make the same line as Python does, of random texts and conversions",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func lines() throws {
        var random = RandomNumbers(seed: 42)
        func pick(_ choices: [String]) -> String { choices[random.below(choices.count)] }
        let names = Self.fields.keys.map(\.rawValue).sorted() + ["nothing"]
        let cases = (0..<4000).map { _ in
            Case(
                format: (0..<random.below(4)).map { _ in
                    let text = pick(["", " ", "%%", "x", "\\n", "\\\\n", "\\t", "\\q", "[", "$$", "%", "\u{e9}"])
                    let flags = pick(["", "", "-", "0", "-0"]) + pick(["", "", "3", "12", "40"])
                    return text
                        + "%(\(pick(names)))\(flags)\(pick(["", "", ".0", ".2", ".9", "."]))\(pick(["s", "s", "d", "f", "i", "x", "X", "o", ""]))"
                }.joined())
        }
        let answers = try JudgeScript("zeoconf_judge.py").answers(.zeo6, "formats", cases)
        for (one, answer) in zip(cases, answers) {
            #expect(Self.line(one.format) == answer["text"]?.string, "\(one.format.debugDescription): \(answer)")
        }
        #expect((500...3500).contains(answers.count { $0["text"] != nil }))
    }

    @Test("have a standard form, that of ZConfig")
    func standard() {
        #expect(
            LogFormat.standard.line { Self.fields[$0] ?? .text("") } == "------\nnow INFO ZEO.server caf\u{e9} 100%")
    }

    @Test(
        "are none where there is no such field, conversion or width",
        arguments: [
            "%", "%s", "%(", "%(message)", "%(message)q", "%(message)d", "%(mesage)s",
            "%(levelno)99999999999999999999d",
            "%(levelno).99999999999999999999f", "%(message)*s",
        ])
    func refused(format: String) { #expect(LogFormat(format) == nil) }
}

import Foundation
import TestSupport
import Testing
import ZConfig

@Suite("Configuration values")
struct ValueTests {
    struct Case: Encodable {
        let type: String
        let text: String
    }

    /// The types that say the same in every directory, by their names in `zconfig_judge.py`: what a text is, in its words.
    private static let types: [String: @Sendable (String) throws -> JSONValue] = [
        "boolean": { .bool(try ValueType<Bool>.boolean($0)) },
        "integer": { .string(try ValueType<Int>.integer($0).description) },
        "float": { .string(hex(try ValueType<Double>.float($0))) },
        "byte-size": { .string(try ValueType<Int>.byteSize($0).description) },
        "time-interval": { .string(try ValueType<Int>.timeInterval($0).description) },
        "port-number": { .string(try ValueType<Int>.port($0).description) },
        "octal": { .string(try ValueType<Int>.octal($0).description) },
        "log-level": { .string(try ValueType<Int>.logLevel($0).description) },
        "integers": { .array(try ValueType<[Int]>.integers($0).map { .string($0.description) }) },
        "string-list": { .array(try ValueType<[String]>.words($0).map { .string($0) }) },
        "dotted-name": { .string(try ValueType<String>.dottedName($0)) },
        "socket-binding-address": { address(try ValueType<SocketAddress>.bindingAddress($0)) },
        "socket-connection-address": { address(try ValueType<SocketAddress>.connectionAddress($0)) },
    ]

    private static func hex(_ value: Double) -> String {
        let text = String(value.bitPattern, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    private static func address(_ address: SocketAddress) -> JSONValue {
        switch address {
        case .internet(let host, let port): .array([.string(host), port.map { .string("\($0)") } ?? .null])
        case .unixSocket(let path): .array([.string(path)])
        }
    }

    /// A number that Python has and 64 bits do not is refused here, and that alone may differ.
    private static func isBeyond64Bits(_ one: Case, _ answer: JSONValue) -> Bool {
        guard ["integer", "byte-size", "time-interval", "octal", "integers"].contains(one.type) else { return false }
        return (answer.elements + [answer]).contains { $0.string.map { Int($0) == nil } ?? false }
    }

    private static func compare(
        _ cases: [Case], _ types: [String: @Sendable (String) throws -> JSONValue] = types
    ) throws -> Int {
        let answers = try JudgeScript("zconfig_judge.py").answers(.zeo6, "values", cases)
        var accepted = 0
        for (one, answer) in zip(cases, answers) {
            let ours = try? types[one.type]?(one.text)
            let theirs = answer["value"].flatMap { Self.isBeyond64Bits(one, $0) ? nil : $0 }
            #expect(ours == theirs, "\(one.type) \(one.text.debugDescription): \(answer)")
            accepted += theirs == nil ? 0 : 1
        }
        return accepted
    }

    @Test(
        "what ZConfig takes for a value is taken, and is the same value",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func corners() throws {
        let texts = [
            "", " ", "yes", "No", "TRUE", "off", "On", "1", "0", "y", "t", "007", "-5", "+5", "--5", "1_000", "1__0",
            "_1", "1_",
            "0x10", "0o17", "0O_17", "-0o17", "017", "08", "1.5", ".5", "5.", ".", "1e5", "1e", "e5", "1e+5", "1E-5",
            "1_0.0_1e1_0",
            "1._5", "1_.5", "inf", "-Infinity", "+nan", "nan(1)", "0x1p3", "1e999", "-0.0", "\u{661}\u{662}",
            "\u{ff15}kb", "\u{b2}",
            "9223372036854775807", "9223372036854775808", "-9223372036854775808", "9007199254740993GB", "8589934591GB",
            "20MB", "20 mb", "20M", "20B", "1.5MB", "MB", "-1kb", "1k b", "kb", "5m", "2h", "1 D", "1w", "s", "s5",
            "\t7\n",
            "info", "WARN", "warning", "fatal", "all", "verbose", "50", "51", "-1", "0,2", "0, 2", "0,,2", ",",
            "a b  c",
            "8100", "localhost", "LOCALHOST:8100", "db.example.org:", ":8100", ":", "65535", "65536", "-1", "h:-1",
            "h:65536",
            "h:x", "h:80 ", "[::1]:8100", "[::1]", "::1", "fe80::1:8100", "[]:1", "[a]:1", "a:b:c", "two words",
            "two words:1",
            "/var/run/zeo.sock", "./zeo.sock", "a/b:1", "zope.exceptions.log.Formatter", "a.", ".a", "a.9", "a..b",
            "\u{e9}.a",
        ]
        let accepted = try Self.compare(
            Self.types.keys.sorted().flatMap { type in texts.map { Case(type: type, text: $0) } })
        #expect(accepted > 200)
    }

    @Test(
        "random texts are the same values, or none, as for ZConfig",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func random() throws {
        var random = RandomNumbers(seed: 1_986)
        let alphabet = Array("0123456789001122__+--..  eEkKmMgGbBsShHdDxoO::[]/,naif\t\u{a0}\u{661}".unicodeScalars)
        let names = Self.types.keys.sorted()
        let cases = (0..<20000).map { index in
            let scalars = (0..<random.below(7)).map { _ in alphabet[random.below(alphabet.count)] }
            return Case(type: names[index % names.count], text: String(String.UnicodeScalarView(scalars)))
        }
        #expect(try Self.compare(cases) > 2000)
    }

    @Test(
        "paths begin at home where they start with a tilde, and must exist as far as ZConfig wants them to",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func paths() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zconfig-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder + "/etc", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data().write(to: URL(filePath: folder + "/etc/zeo.conf"))
        let home = ProcessInfo.processInfo.environment["HOME"]
        let host = ConfigurationHost(
            readFile: { _ throws(UnreadableFile) in throw UnreadableFile(why: "") }, variable: { _ in nil },
            homeDirectory: { $0 == nil ? home : nil },
            isDirectory: { path in
                var isDirectory: ObjCBool = false
                return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
            },
            exists: { FileManager.default.fileExists(atPath: $0) })
        let types: [String: @Sendable (String) throws -> JSONValue] = [
            "tilde": { .string(host.expandingTilde($0)) },
            "existing-dirpath": { .string(try host.pathInExistingDirectory($0)) },
            "existing-path": { .string(try host.existingPath($0)) },
            "parent-directory": { .string(try host.directoryInExistingDirectory($0)) },
            "parent-dirpath": { .string(try host.pathBelowExistingDirectory($0)) },
        ]
        let texts = [
            "", "/", "//", "Data.fs", "no/Data.fs", folder, folder + "/", folder + "/etc", folder + "/etc/zeo.conf",
            folder + "/etc/zeo.conf/x", folder + "/etc/new", folder + "/gone", folder + "/gone/new",
            folder + "/gone/new/x",
            folder + "//etc//new", "~", "~/", "~/x", "~no-such-user-here", "~no-such-user-here/x", "a~", "/~", "/x",
            "/gone/x",
        ]
        let accepted = try Self.compare(
            types.keys.sorted().flatMap { type in texts.map { Case(type: type, text: $0) } }, types)
        #expect(accepted > 40)
    }

    @Test("a value that is none says what was expected")
    func message() {
        #expect(throws: ValueError(expectation: "yes, no, true, false, on or off", found: "1")) {
            try ValueType<Bool>.boolean("1")
        }
        let error = ValueError(expectation: "a whole number", found: "five\u{7}")
        #expect(error.description == "expected a whole number, found 'five\\u{07}'")
    }
}

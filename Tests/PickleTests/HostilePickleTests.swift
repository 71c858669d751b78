import Foundation
import Pickle
import Testing

@Suite("Hostile pickles")
struct HostilePickleTests {
    @Test("a memo bomb of 2^100 leaves prints in bounded time, and says that it was cut")
    func memoBomb() throws {
        // Each round replaces the top by a pair of itself: x = (x, x), a hundred times.
        var source = pickle("Nq", 0, "0")
        for _ in 0..<100 { source += pickle("h", 0, "h", 0, 0x86, "q", 0, "0") }
        source += pickle("h", 0, ".")
        let document = try PickleDocument(source)
        var options = PickleText.Options()
        options.depthLimit = 150
        var printer = PickleText(document, options) { _ in "" }
        #expect(printer.text(document.roots[0]).contains("…"))
        var json = JSONText()
        var writer = PickleJSON(document, isPython2: false) { _, _ in false }
        writer.write(document.roots[0], to: &json)
        #expect(json.text.contains("\"@cut\":\"values\""))
    }

    @Test("300,000 nested containers are read, and cut when shown", arguments: [true, false])
    func nesting(lists: Bool) throws {
        let depth = 300_000
        var source: [UInt8]
        if lists {
            source = [UInt8](repeating: UInt8(ascii: "]"), count: depth)
            source += [UInt8](repeating: UInt8(ascii: "a"), count: depth - 1)
        } else {
            source = pickle("N") + [UInt8](repeating: 0x85, count: depth)
        }
        source += pickle(".")
        let document = try PickleDocument(source)
        #expect(document.nodeCount >= 300_000)
        var printer = PickleText(document, .complete) { _ in "" }
        #expect(printer.text(document.roots[0]).contains("…"))
    }

    @Test(
        "lengths that the source does not have are refused before anything is allocated",
        arguments: [
            pickle("X", 0xff, 0xff, 0xff, 0xff), pickle("B", 0xff, 0xff, 0xff, 0x7f),
            pickle(0x8b, 0xff, 0xff, 0xff, 0xff),
            pickle(0x8e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), pickle(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80),
            pickle(0x95, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), pickle("U", 0xff, "a"),
        ])
    func lengths(source: [UInt8]) {
        #expect {
            try PickleDocument(source)
        } throws: { error in
            if case .truncated? = (error as? PickleError)?.reason { return true }
            return false
        }
    }

    @Test("memo numbers far apart cost no memory, and MEMOIZE counts definitions")
    func sparseMemo() throws {
        var source = pickle("N")
        for exponent in 0..<32 {
            let id = UInt32(1) << UInt32(exponent)
            source += [UInt8(ascii: "r")] + withUnsafeBytes(of: id.littleEndian) { Array($0) }
        }
        source += pickle("j", 0, 0, 0, 0x80, 0x86, ".")
        let document = try PickleDocument(source)
        guard case .tuple(let items) = document[document.roots[0]] else { return #expect(Bool(false)) }
        #expect(document.isSame(items[0], items[1]))
        let memoized = try PickleDocument(pickle("Nq", 200, 0x94, "h", 1, 0x86, "."))
        #expect(memoized.nodeCount == 2)
    }

    @Test("a tuple that contains itself is a cycle, named when shown")
    func recursiveTuple() throws {
        // t = ([t],), as Python writes it: the inner list first, then POP and the memo.
        let document = try PickleDocument(pickle("]q", 0, "h", 0, 0x85, "q", 1, "a0h", 1, "."))
        var printer = PickleText(document) { _ in "" }
        #expect(printer.text(document.roots[0]) == "([<cycle, 2 up>],)")
    }

    @Test("calls are data: nothing that a pickle names is run")
    func nothingRuns() throws {
        let marker = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        let command = "touch \(marker.path)"
        for source in [
            pickle("cos\nsystem\n(U", command.utf8.count, command, "tR."),
            pickle("(U", command.utf8.count, command, "ios\nsystem\n."),
            pickle("(cos\nsystem\nU", command.utf8.count, command, "o."),
            pickle("cos\nsystem\n)", 0x81, "}U", 1, "xU", command.utf8.count, command, "sb."),
        ] {
            let document = try PickleDocument(source)
            var printer = PickleText(document) { _ in "" }
            let text = printer.text(document.roots[0])
            #expect(text.hasPrefix("os.system("))
            #expect(text.contains(command))
            #expect(!FileManager.default.fileExists(atPath: marker.path))
        }
    }

    /// What a module would need to turn a name into something that runs. The sources that touch pickles have none of it.
    @Test("no code path from a name to code exists: no lookup, no loading, no process in the modules that read pickles")
    func noLookup() throws {
        let forbidden = [
            "dlsym", "dlopen", "NSClassFromString", "_typeByName", "objc_", "system(", "popen", "execv", "posix_spawn",
            "Process(", "Subprocess", "fork(", "PyImport", "Py_", "unsafeBitCast",
        ]
        let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources")
        var read = 0
        for module in ["ByteCoding", "Pickle", "ZODB", "ZODBFile", "ZEOProtocol", "ObjectGraph"] {
            let folder = sources.appending(path: module)
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift" else { continue }
                read += 1
                let text = try String(contentsOf: file, encoding: .utf8)
                for word in forbidden { #expect(!text.contains(word), "\(word) in \(file.lastPathComponent)") }
            }
        }
        #expect(read > 20)
    }

    @Test("control characters and bidirectional marks of database text never reach the terminal")
    func terminalSafety() throws {
        let evil = "\u{1b}[2J\u{202e}\u{9b}31m\u{7}x"
        let bytes = Array(evil.utf8)
        let document = try PickleDocument(pickle("X", bytes.count, 0, 0, 0) + bytes + pickle("."))
        var printer = PickleText(document) { _ in "" }
        #expect(printer.text(document.roots[0]) == #"'\x1b[2J\u202e\x9b31m\x07x'"#)
        var json = JSONText()
        json.string(evil + "\u{e0001}é")
        #expect(json.text == #""\u001b[2J\u202e\u009b31m\u0007x\udb40\udc01é""#)
    }

    @Test("long strings are cut with their length shown")
    func longStrings() throws {
        let document = try PickleDocument(
            pickle("B", 0x10, 0x27, 0, 0) + [UInt8](repeating: 97, count: 10_000) + pickle("."))
        var options = PickleText.Options()
        options.stringLimit = 3
        var printer = PickleText(document, options) { _ in "" }
        #expect(printer.text(document.roots[0]) == "b'aaa'… (10000 bytes)")
    }
}

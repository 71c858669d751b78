import Foundation
import Testing

@testable import LineEditing

@Suite("History file")
struct HistoryFileTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)")
    private var path: String { directory.appending(path: "state/zeoshell/history").path }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test("is made, with its directories, for its owner alone, and remembers lines in order")
    func privacy() throws {
        let file = HistoryFile(path: path)
        #expect(file.load() == [])
        file.append("ls /Plone")
        file.append("cat 'ä b'")
        #expect(HistoryFile(path: path).load() == ["ls /Plone", "cat 'ä b'"])
        #expect(try mode(path) == 0o600)
        #expect(try mode(directory.appending(path: "state/zeoshell").path) == 0o700)
    }

    @Test("that others could read is closed to them at the next line")
    func tightened() throws {
        let file = HistoryFile(path: path)
        file.append("info")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        file.append("log")
        #expect(try mode(path) == 0o600)
    }

    @Test("is cut to its newest lines when it has grown to twice its limit")
    func cut() throws {
        let file = HistoryFile(path: path, limit: 10)
        for number in 1...21 { file.append("line \(number)") }
        let expected = (12...21).map { "line \($0)" }
        #expect(file.load() == expected)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == expected.map { $0 + "\n" }.joined())
        #expect(try mode(path) == 0o600)
    }

    @Test("does not take lines that start with a space, empty ones, or the same again")
    func choosy() {
        #expect(HistoryFile.remembers("ls", after: nil))
        #expect(HistoryFile.remembers("ls", after: "cat"))
        #expect(!HistoryFile.remembers("ls", after: "ls"))
        #expect(!HistoryFile.remembers(" passwd secret", after: nil))
        #expect(!HistoryFile.remembers("", after: nil))
        #expect(!HistoryFile.remembers("two\nlines", after: nil))
    }

    @Test("that cannot be written disturbs nobody")
    func unwritable() {
        let file = HistoryFile(path: "/proc/no/such/place/history")
        file.append("ls")
        #expect(file.load() == [])
    }
}

@Suite("Lines without a terminal")
struct PlainLineReaderTests {
    private func reader(_ text: String) throws -> PlainLineReader {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try pipe.fileHandleForWriting.close()
        return PlainLineReader(descriptor: dup(pipe.fileHandleForReading.fileDescriptor))
    }

    @Test("come without their line ends, the last one also when it has none")
    func lines() throws {
        let reader = try reader("one\n\ntwo ä\r\nthree")
        #expect(try reader.readLine(prompt: "> ") == "one")
        #expect(try reader.readLine(prompt: "> ") == "")
        #expect(try reader.readLine(prompt: "> ") == "two ä")
        #expect(try reader.readLine(prompt: "> ") == "three")
        #expect(try reader.readLine(prompt: "> ") == nil)
        #expect(try reader.readLine(prompt: "> ") == nil)
    }

    /// Events that are at hand when asked for.
    private final class Events: EditorEventSource {
        let descriptor: Int32 = -1
        var waiting: [EditorEvent]
        init(_ waiting: [EditorEvent]) { self.waiting = waiting }
        func next() -> EditorEvent? { waiting.isEmpty ? nil : waiting.removeFirst() }
    }

    @Test("are cancelled by an interruption and ended by a request to end")
    func events() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("kept\n".utf8))
        let reader = PlainLineReader(
            descriptor: pipe.fileHandleForReading.fileDescriptor, events: Events([.resize, .interrupt, .terminate]))
        #expect(throws: LineEditingError.cancelled) { try reader.readLine(prompt: "") }
        #expect(throws: LineEditingError.terminated) { try reader.readLine(prompt: "") }
        #expect(try reader.readLine(prompt: "") == "kept")
    }
}

@Suite("Completions")
struct CompletionsTests {
    private func completions(_ names: [String], isPartial: Bool = false) -> Completions {
        Completions(replacing: 0, candidates: names.map { Completions.Candidate($0) }, isPartial: isPartial)
    }

    @Test(
        "insert what all candidates begin with",
        arguments: [
            (["news", "newsletter"], "news"), (["a", "b"], ""), (["My\\ File", "My\\ Folder"], "My\\ F"),
            (["ä1", "ä2"], "ä"),
            ([], ""), (["only"], "only"),
        ])
    func commonPrefix(names: [String], prefix: String) {
        #expect(completions(names).commonPrefix == prefix)
    }

    @Test("are listed down the columns, as many as fit")
    func columns() {
        let list = CandidateList(completions(["alpha", "b", "gamma", "delta", "e"]), width: 22)
        #expect(list.text == "alpha  gamma  e\nb      delta\n")
    }

    @Test("with remarks are listed one a line, cut to the screen")
    func remarks() {
        let found = Completions(
            replacing: 0,
            candidates: [
                Completions.Candidate("03d4", note: "2026-10-01 edited the front page"), Completions.Candidate("now"),
            ])
        #expect(CandidateList(found, width: 30).text == "03d4  2026-10-01 edited the …\nnow\n")
    }

    @Test("say that there are more when not all are shown")
    func more() {
        let many = CandidateList(completions((1...150).map { "n\($0)" }), width: 80).text
        #expect(many.hasSuffix("… 50 more\n"))
        #expect(
            CandidateList(completions(["a", "b"], isPartial: true), width: 80).text.hasSuffix("… there are more\n"))
    }
}

@Suite("Prompt colours")
struct PromptTextTests {
    private let prompt = "\u{1b}[32mData.fs\u{1b}[0m / › "

    @Test("stand between marks for libedit, so that they take no room")
    func marked() {
        #expect(PromptText.marked(prompt, mark: "|") == "|\u{1b}[32m|Data.fs|\u{1b}[0m| / › ")
    }

    @Test("are left out where there are none")
    func plain() {
        #expect(PromptText.plain(prompt) == "Data.fs / › ")
    }
}

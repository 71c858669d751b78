import Foundation
import TestSupport
import Testing

/// The manual's examples, run again: `$ COMMAND` and what it wrote, on a screen 100 columns wide.
struct ManualExample: CustomTestStringConvertible {
    var command: String
    /// What the manual shows; a line `…` stands for any number of lines.
    var lines: [String]

    var testDescription: String { command }

    static let all: [ManualExample] = {
        let url = SampleData.root.deletingLastPathComponent().appending(path: "docs/manual/zeoshell.md")
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        var examples: [ManualExample] = []
        var isInBlock = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") {
                isInBlock = line == "```console"
            } else if isInBlock, line.hasPrefix("$ ") {
                examples.append(ManualExample(command: String(line.dropFirst(2)), lines: []))
            } else if isInBlock, let last = examples.indices.last {
                examples[last].lines.append(String(line))
            }
        }
        for index in examples.indices where examples[index].lines.last == "" { examples[index].lines.removeLast() }
        return examples
    }()

    func matches(_ output: [String]) -> Bool { Self.matches(lines[...], output[...]) }

    private static func matches(_ pattern: ArraySlice<String>, _ output: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return output.isEmpty }
        guard first == "…" else { return output.first == first && matches(pattern.dropFirst(), output.dropFirst()) }
        return (0...output.count).contains { matches(pattern.dropFirst(), output.dropFirst($0)) }
    }
}

@Suite("The manual")
struct ManualTests {
    @Test("has examples")
    func examples() { #expect(ManualExample.all.count > 30) }

    @Test("shows what a person sees", arguments: ManualExample.all)
    func example(example: ManualExample) throws {
        let programs = BuiltProgram.zeoshell.url.deletingLastPathComponent().path
        let terminal = try PseudoTerminal(
            "/bin/sh", ["-c", "cd \"$SAMPLES\" && " + example.command],
            environment: [
                "PATH": programs + ":/usr/bin:/bin", "SAMPLES": SampleData.path("fs"), "TERM": "dumb", "NO_COLOR": "1",
                "TZ": "UTC", "LC_ALL": "C.UTF-8",
            ],
            rows: 40, columns: 100)
        _ = try terminal.exitStatus()
        let text = String(decoding: terminal.transcript.filter { $0 != 13 }, as: UTF8.self)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        #expect(example.matches(lines), "\(text)")
    }
}

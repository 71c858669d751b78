import Foundation
import TestSupport
import Testing

/// An example of the manual: `$ COMMAND` and what it wrote, on a screen 100 columns wide.
struct ManualExample: CustomTestStringConvertible {
    var command: String
    /// What the manual shows. A line `…` stands for any number of lines, a `…` inside a line for any text.
    var lines: [String]

    var testDescription: String { command }

    static let folder = SampleData.root.deletingLastPathComponent().appending(path: "docs/manual")

    /// The examples of the manual itself: they only read.
    static let all = examples(in: "zeoshell.md")

    /// Chapters that describe and tell no story.
    private static let descriptions: Set = [
        "connect-to-anything.md", "deployment.md", "from-runzeo.md", "passwords-and-certificates.md", "security.md",
        "zeoshell.md",
    ]

    /// The chapters whose examples are one story each, told on a copy.
    static let chapters: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".md") && !descriptions.contains($0) }.sorted()
    }()

    static func examples(in file: String) -> [ManualExample] {
        guard let text = try? String(contentsOf: folder.appending(path: file), encoding: .utf8) else { return [] }
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
    }

    func matches(_ output: [String]) -> Bool { Self.matches(lines[...], output[...]) }

    private static func matches(_ pattern: ArraySlice<String>, _ output: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return output.isEmpty }
        guard first == "…" else {
            guard let line = output.first, matches(line: line[...], first.split("…")[...]) else { return false }
            return matches(pattern.dropFirst(), output.dropFirst())
        }
        return (0...output.count).contains { matches(pattern.dropFirst(), output.dropFirst($0)) }
    }

    /// Whether a line consists of the parts with any text between them.
    private static func matches(line: Substring, _ parts: ArraySlice<Substring>) -> Bool {
        guard let first = parts.first else { return line.isEmpty }
        guard parts.count > 1 else { return line == first }
        guard line.hasPrefix(first) else { return false }
        let rest = line.dropFirst(first.count)
        guard parts.count > 2 else { return rest.hasSuffix(parts[parts.startIndex + 1]) }
        return rest.indices.contains { matches(line: rest[$0...], parts.dropFirst()) }
    }

    /// Runs it in a folder.
    /// - Returns: the lines it wrote.
    func run(in folder: String, environment: [String: String] = [:]) throws -> [String] {
        let programs = BuiltProgram.zeoshell.url.deletingLastPathComponent().path
        let basic = [
            "PATH": programs + ":/usr/bin:/bin", "FOLDER": folder, "TERM": "dumb", "NO_COLOR": "1", "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        ]
        let terminal = try PseudoTerminal(
            "/bin/sh", ["-c", "cd \"$FOLDER\" && " + command], environment: basic.merging(environment) { $1 }, rows: 40,
            columns: 100)
        _ = try terminal.exitStatus()
        let text = String(decoding: terminal.transcript.filter { $0 != 13 }, as: UTF8.self)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

extension String {
    /// The parts between occurrences of a character.
    fileprivate func split(_ separator: Character) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}

@Suite("The manual")
struct ManualTests {
    @Test("has examples")
    func examples() {
        #expect(ManualExample.all.count > 30)
        for chapter in ManualExample.chapters { #expect(ManualExample.examples(in: chapter).count > 3, "\(chapter)") }
    }

    @Test("shows what a person sees", arguments: ManualExample.all)
    func example(example: ManualExample) throws {
        let lines = try example.run(in: SampleData.path("fs"))
        #expect(example.matches(lines), "\(lines.joined(separator: "\n"))")
    }

    @Test("tells in each chapter a story that happens as told", arguments: ManualExample.chapters)
    func chapter(file: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "manual-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(atPath: SampleData.path("fs"), toPath: folder.path)
        for name in try FileManager.default.contentsOfDirectory(atPath: SampleData.path("rescue"))
        where name.hasSuffix(".fs") {
            try FileManager.default.copyItem(
                atPath: SampleData.path("rescue/\(name)"), toPath: folder.appending(path: name).path)
        }
        let database = folder.appending(path: "Data.fs")
        try FileManager.default.copyItem(at: folder.appending(path: "zope5.fs"), to: database)
        let environment = [
            "HOME": folder.path, "LOGNAME": "admin", "XDG_STATE_HOME": folder.appending(path: "state").path,
            "XDG_CONFIG_HOME": folder.appending(path: "config").path,
        ]
        for example in ManualExample.examples(in: file) {
            let lines = try example.run(in: folder.path, environment: environment)
            #expect(example.matches(lines), "$ \(example.command)\n\(lines.joined(separator: "\n"))")
        }
    }
}

import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

/// A storage that can do no more than list its transactions, newest first, as a server can.
private final class LogOnly: TransactionLogStorage {
    private let file: FileStorage

    init(_ path: String) throws { file = try FileStorage(path) }

    var name: String { file.name }
    func information() throws(StorageError) -> StorageInformation { try file.information() }
    func lastTransaction() throws(StorageError) -> TransactionID { try file.lastTransaction() }
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision { try file.load(oid, at: tid) }
    func close() { file.close() }
    func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> { try file.transactionLog() }
    func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> { try file.transactions(from: first, through: last) }
    func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        try file.records(of: tid)
    }
}

@Suite("What takes the space")
struct SpaceTests {
    private static let python3 = ["py3-zodb6", "py3-zodb6-btrees", "deep-btree", "undo", "undo-packed-nogc", "zope5"]
    private static let python2 = ["py27-zodb5", "py27-zodb310-refs", "zope213"]
    private static let judgeScript = script("space_judge.py")

    private static func script(_ name: String) -> String {
        let path = SampleData.root.deletingLastPathComponent().appending(path: "Tests/TestSupport/python/\(name)")
        return (try? String(contentsOf: path, encoding: .utf8)) ?? ""
    }

    /// A Data.fs, and what Python leaves beside it.
    private static func remove(_ path: String) {
        for ending in ["", ".index", ".lock", ".tmp"] { try? FileManager.default.removeItem(atPath: path + ending) }
    }

    private static func judgement(_ path: String, _ peer: PythonPeer) throws -> JSONValue {
        let copy = FileManager.default.temporaryDirectory.appending(path: "space-\(UUID().uuidString).fs")
        defer { remove(copy.path) }
        try FileManager.default.copyItem(atPath: path, toPath: copy.path)
        return try JSONValue(parsing: Array(try peer.run(judgeScript, [copy.path]).utf8))
    }

    private static let figures = ["objects", "current_bytes", "old_revisions", "history_bytes"]

    /// The rows of a report by their label, the figures alone.
    private func rows(_ look: Look, _ line: String) throws -> [String: [Int]] {
        let run = look.run(line + " -o jsonl")
        #expect(run.errors == "")
        var rows: [String: [Int]] = [:]
        for text in run.lines {
            let row = try JSONValue(parsing: Array(text.utf8))
            guard let first = row.members.first(where: { ["class", "user", "day"].contains($0.key) }),
                case .string(var label) = first.value
            else { continue }
            if label == "(nobody)" { label = "" }
            rows[label] = Self.figures.map { row[$0]?.int ?? -1 }
        }
        return rows
    }

    private func compare(_ path: String, _ peer: PythonPeer, _ look: Look) throws {
        let census = try #require(try Self.judgement(path, peer)["census"])
        for what in ["class", "user", "day"] {
            let expected = try #require(census[what]).members.map { member in
                (member.key, Self.figures.map { member.value[$0]?.int ?? -2 })
            }
            // Transactions without records have a line too.
            let found = try rows(look, "du --by \(what)").filter { $0.value != [0, 0, 0, 0] }
            #expect(found == Dictionary(uniqueKeysWithValues: expected), "\(path) by \(what)")
        }
    }

    @Test(
        "is what Python finds record by record, by class, user and day, in files of Python 3",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"), arguments: python3)
    func samples(name: String) throws {
        let path = SampleData.path("fs/\(name).fs")
        try compare(path, .zeo6, try Look("fs/\(name).fs"))
        try compare(path, .zeo6, try Look(LogOnly(path)))
    }

    @Test(
        "the same in files of Python 2",
        .enabled(if: PythonPeer.zeo5Python2.isReady, "\(PythonPeer.zeo5Python2.reason)"),
        arguments: python2)
    func oldSamples(name: String) throws {
        try compare(SampleData.path("fs/\(name).fs"), .zeo5Python2, try Look("fs/\(name).fs"))
    }

    @Test(
        "totals are those of Python's analyze, which counts undone data twice and knows no deletions",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"),
        arguments: ["py3-zodb6", "py3-zodb6-btrees", "deep-btree", "zope5"])
    func analyze(name: String) throws {
        let analyze = try #require(try Self.judgement(SampleData.path("fs/\(name).fs"), .zeo6)["analyze"])
        let run = try Look("fs/\(name).fs").run("du -o json")
        let total = try JSONValue(parsing: Array(run.output.utf8))
        for figure in Self.figures { #expect(total[figure]?.int == analyze[figure]?.int, "\(figure)") }
        let classes = try #require(analyze["classes"]).members
        let rows = try rows(try Look("fs/\(name).fs"), "du")
        #expect(rows.count == classes.count)
        for member in classes {
            let row: [Int] = try #require(rows[member.key])
            let found: [Int?] = [row[0] + row[2], row[1] + row[3]]
            #expect(found == member.value.elements.map(\.int), "\(member.key)")
        }
    }

    @Test(
        "random changes, undos and deletions are told apart as Python tells them",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"), arguments: 1...4)
    func random(seed: Int) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "space-\(UUID().uuidString).fs").path
        defer { Self.remove(path) }
        try PythonPeer.zeo6.run(Self.script("space_maker.py"), [path, String(seed)])
        let file = try Look(FileStorage(path))
        try compare(path, .zeo6, file)
        try compare(path, .zeo6, try Look(LogOnly(path)))
        // What was written since some moment, and how much of it is left: the same both ways.
        let middle = try #require(file.run("log --fields tid --limit 40").lines.last)
        let since = try rows(file, "du --by class --since \(middle)")
        #expect(since.values.map { $0[2] }.reduce(0, +) > 0)
        #expect(try rows(try Look(LogOnly(path)), "du --by class --since \(middle)") == since)
    }

    @Test("--top leaves the largest and says how many there are more; shares are of all")
    func top() throws {
        let run = try Look("fs/zope5.fs").run("du --top 2 -o csv")
        let lines = run.output.split(separator: "\r\n")
        #expect(lines.count == 3)
        #expect(lines.dropFirst().first == "OFS.Image.Pdata,2,150137,0,0,,74.6")
        #expect(run.errors.hasPrefix("… "))
    }

    @Test("--current counts current records alone, where that is all a storage can list")
    func current() throws {
        let look = try Look("fs/zope5.fs")
        let all = try rows(look, "du").mapValues { [$0[0], $0[1]] }.filter { $0.value != [0, 0] }
        #expect(try rows(look, "du --current").mapValues { [$0[0], $0[1]] } == all)
        #expect(look.run("du --current --by user").code == .usage)
    }

    @Test("files of blobs are counted where their directory is known, and missing ones told")
    func blobs() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "blobs-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(atPath: SampleData.path("blobs/bushy"), toPath: folder.path)
        let blobs = folder.appending(path: "blobs")
        var sizes: [String: Int] = [:]
        let files = try #require(FileManager.default.enumerator(at: blobs, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "blob" {
            sizes[file.path] = try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
        }
        #expect(!sizes.isEmpty)
        func run() throws -> BuiltProgram.Outcome {
            try BuiltProgram.zeoshell.run(
                ["du", folder.appending(path: "Data.fs").path, "--blob-dir", blobs.path, "-o", "json"])
        }
        let whole = try run()
        #expect(whole.errors == "")
        #expect(try JSONValue(parsing: Array(whole.output.utf8))["blob_bytes"]?.int == sizes.values.reduce(0, +))
        let lost = try #require(sizes.max { $0.value < $1.value })
        try FileManager.default.removeItem(atPath: lost.key)
        let damaged = try run()
        #expect(damaged.errors.contains("1 blob without a file"))
        #expect(
            try JSONValue(parsing: Array(damaged.output.utf8))["blob_bytes"]?.int
                == sizes.values.reduce(0, +) - lost.value)
    }

    @Test("a server is counted as its file is", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func server() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        guard case .port(let port) = server.address else { return }
        for by in ["class", "user", "day"] {
            let live = try BuiltProgram.zeoshell.run(
                ["du", "127.0.0.1:\(port)", "--by", by, "-o", "json", "--timeout", "60"])
            let file = try BuiltProgram.zeoshell.run(["du", SampleData.path("fs/undo.fs"), "--by", by, "-o", "json"])
            #expect(live.output == file.output, "\(live.errors)")
        }
    }
}

import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Random edits of every record of every sample, and of records that Python makes up, with Python as the judge: the
/// edited values differ, all others are equal, and what was shared is shared.
///
/// `ZEOSHELL_EDITS=20` makes twenty times as many, `ZEOSHELL_SEED` repeats a run.
@Suite("Edited records, read by Python", .serialized)
struct EditConformanceTests {
    static let factor = ProcessInfo.processInfo.environment["ZEOSHELL_EDITS"].flatMap { Int($0) } ?? 1
    static let seed =
        ProcessInfo.processInfo.environment["ZEOSHELL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)

    @Test(
        "of the samples", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"),
        arguments: RecordConformanceTests.files)
    func samples(file: String) throws {
        let isPython2 = try SampleData.bytes(file).starts(with: "FS21".utf8)
        let peer = isPython2 ? PythonPeer.zeo5Python2 : .zeo6
        guard peer.isReady else { return }
        var judge = EditJudge(peer, seed: Self.seed, label: file)
        var walk = try FileStorage(SampleData.path(file)).scanner()
        var seen: Set<[UInt8]> = []
        while try walk.next() {
            let oid = walk.oid
            let bytes = try walk.withData { (data) throws(StorageError) in data.withUnsafeBytes { [UInt8]($0) } }
            guard let bytes, seen.insert(bytes).inserted else { continue }
            let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
            judge.edit(record.document, isPython2: isPython2, label: "\(file) \(oid)", rounds: Self.factor)
        }
        let verdict = try judge.verdict()
        #expect(verdict.failures.isEmpty, "seed \(Self.seed): \(verdict.failures)")
        #expect(verdict.count > 0)
    }

    @Test(
        "made up by every pickler", .enabled(if: PythonPeer.zeo6.isReady && PythonPeer.zeo5Python2.isReady),
        arguments: [false, true])
    func generated(isPython2: Bool) throws {
        let peer = isPython2 ? PythonPeer.zeo5Python2 : .zeo6
        let script = try SampleScripts.text("records.py")
        for round in 0..<Self.factor {
            let seed = Self.seed &+ UInt64(round)
            var judge = EditJudge(peer, seed: seed, label: "made up")
            for line in try peer.run(script, ["\(seed)", "500"]).split(separator: "\n") {
                let row = try JSONValue(parsing: Array(line.utf8))
                guard let text = row["data"]?.string, let data = Data(base64Encoded: text),
                    let label = row["label"]?.string
                else { continue }
                let document = try PickleDocument([UInt8](data), .record)
                judge.edit(document, isPython2: isPython2, label: label, rounds: 1)
            }
            let verdict = try judge.verdict()
            #expect(verdict.failures.isEmpty, "seed \(seed): \(verdict.failures)")
            #expect(verdict.count > 500)
        }
    }
}

@Suite("Edits of damaged records")
struct HostileEditTests {
    @Test("no edit of a damaged record traps or gives what is no pickle", arguments: RecordConformanceTests.files)
    func damaged(file: String) throws {
        var random = RandomNumbers(seed: EditConformanceTests.seed)
        var walk = try FileStorage(SampleData.path(file)).scanner()
        var (read, edited) = (0, 0)
        while try walk.next(), read < 400 {
            let bytes = try walk.withData { (data) throws(StorageError) in data.withUnsafeBytes { [UInt8]($0) } }
            guard let bytes, !bytes.isEmpty, bytes.count < 20_000 else { continue }
            read += 1
            for _ in 0..<4 {
                var damaged = bytes
                for _ in 0...random.below(3) {
                    let index = random.below(damaged.count)
                    switch random.below(3) {
                    // The opcodes that move things about come first.
                    case 0: damaged[index] = Array("()012hqgpaesubtRQ]}\u{5}\u{0}".utf8)[random.below(21)]
                    case 1: damaged.insert(Array("(0N]h}2".utf8)[random.below(7)], at: index)
                    default: damaged[index] = UInt8(random.below(256))
                    }
                }
                guard let document = try? PickleDocument(damaged, .record) else { continue }
                let style = PickleStyle(of: document)
                var edits = RandomEdits(document, style, &random)
                do throws(PickleEditError) {
                    try edits.change(3, &random)
                    _ = try edits.finish()
                    edited += 1
                } catch {
                    if case .brokenResult = error {
                        Issue.record("seed \(EditConformanceTests.seed): \(error) in \(damaged) \(edits.operations)")
                    }
                }
            }
        }
        #expect(edited > 0)
    }

    @Test("a hundred thousand definitions that need one another are kept, in time that grows with their number")
    func manyDefinitions() throws {
        // {'a': [x0, [x0, x1], [x0, x1, x2] …], 'b': […every one again…]}: all of 'a' is needed by 'b'.
        func word(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value).littleEndian) { Array($0) } }
        func put(_ id: Int) -> [UInt8] { [UInt8(ascii: "r")] + word(id) }
        func get(_ id: Int) -> [UInt8] { [UInt8(ascii: "j")] + word(id) }
        func key(_ name: Character) -> [UInt8] { [UInt8(ascii: "X"), 1, 0, 0, 0, name.asciiValue ?? 0] }
        let count = 100_000
        var source = Array("cm\nC\n.}(".utf8) + key("a") + Array("](".utf8)
        for id in 0..<count {
            source += [UInt8(ascii: "]")] + put(id)
            if id > 0 { source += get(id - 1) + [UInt8(ascii: "a")] }
        }
        source += Array("e".utf8) + key("b") + Array("](".utf8)
        for id in (0..<count).reversed() { source += get(id) }
        source += Array("eu.".utf8)
        let document = try PickleDocument(source, .record)
        guard case .dict(let entries) = document[document.roots[1]] else { return #expect(Bool(false)) }
        var edit = PickleEdit(document, style: .python2)
        try edit.replace(entries[0].value, with: .none)
        let result = try edit.finish()
        guard case .dict(let after) = result[result.roots[1]], case .list(let items) = result[after[1].value],
            case .list(let last) = result[items[0]]
        else { return #expect(Bool(false)) }
        #expect(items.count == count && result[after[0].value] == .none)
        #expect(last.count == 1 && result.isSame(last[0], items[1]))
    }

    @Test("values nested a hundred thousand deep are edited at the outside and at the core")
    func deepNesting() throws {
        let depth = 100_000
        let source =
            Array("cm\nC\n.".utf8) + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
            + [UInt8](repeating: UInt8(ascii: "a"), count: depth - 1) + Array(".".utf8)
        let document = try PickleDocument(source, .record)
        var core = document.roots[1]
        while case .list(let items) = document[core], let inner = items.first { core = inner }
        var edit = PickleEdit(document, style: .python2)
        try edit.append(.integer(1), to: core)
        try edit.append(.integer(2), to: document.roots[1])
        #expect(try edit.finish().nodeCount == depth + 3)
        var outer = PickleEdit(document, style: .python2)
        try outer.replace(document.roots[1], with: .list([]))
        #expect(try outer.finish().source == Array("cm\nC\n.].".utf8))
    }
}

enum SampleScripts {
    static func text(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: folder.appending(path: "TestSupport/python/\(name)"), encoding: .utf8)
    }
}

/// Collects edited records and lets Python look at all of them at once.
struct EditJudge {
    private let peer: PythonPeer
    private let label: String
    private var random: RandomNumbers
    private var cases: [String] = []
    private var refused: [String: Int] = [:]
    /// What no edit may do whatever it is.
    private var failures: [String] = []

    init(_ peer: PythonPeer, seed: UInt64, label: String) {
        self.peer = peer
        self.label = label
        random = RandomNumbers(seed: seed ^ UInt64(label.utf8.reduce(5381) { ($0 &* 33 &+ Int($1)) & 0xffff_ffff }))
    }

    /// Chains of edits: each begins with what the one before gave.
    mutating func edit(_ document: PickleDocument, isPython2: Bool, label: String, rounds: Int) {
        for _ in 0..<rounds {
            var current = document
            for _ in 0..<(random.oneIn(4) ? 6 : 2) {
                let style = PickleStyle(of: current, isPython2: isPython2)
                var edits = RandomEdits(current, style, &random)
                do throws(PickleEditError) {
                    try edits.change(random.oneIn(3) ? 3 : 1, &random)
                    let operations = edits.operations
                    let result = try edits.finish()
                    add(current, result, operations, label)
                    current = result
                } catch {
                    if case .brokenResult = error { failures.append("\(label): \(error)") }
                    refused[String("\(error)".prefix { $0.isLetter || $0 == " " }), default: 0] += 1
                }
            }
        }
    }

    private mutating func add(
        _ old: PickleDocument, _ new: PickleDocument, _ operations: [String], _ label: String
    ) {
        func base64(_ document: PickleDocument) -> String { Data(document.source).base64EncodedString() }
        var scanner = ReferenceScanner()
        let outcome = new.source.withUnsafeBytes { scanner.scan(record: $0) }
        var references = "null"
        if outcome == .complete {
            references = "[\(scanner.references.map { "\"\(hex($0))\"" }.joined(separator: ","))]"
        }
        cases.append(
            """
            {"label":"\(label)","old":"\(base64(old))","new":"\(base64(new))","roots":\(new.roots.count),\
            "references":\(references),"ops":[\(operations.joined(separator: ","))]}
            """)
    }

    private func hex(_ oid: UInt64) -> String {
        let digits = String(oid, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    func verdict() throws -> (count: Int, failures: [String]) {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "cases").path
        let digests = folder.appending(path: "digests").path
        try Data(cases.joined(separator: "\n").utf8).write(to: URL(filePath: file))
        let script = try SampleScripts.text("edits.py")
        var failures = failures
        for (judge, mode) in [(PythonPeer.zeo6, "graphs"), (peer, "real")] {
            do {
                let text = try judge.run(script, [mode, file, digests])
                print("\(label): \(mode) \(text.split(separator: "\n").last ?? ""), refused: \(refused)")
            } catch {
                failures.append(String("\(mode): \(error)".prefix(8000)))
            }
        }
        return (cases.count, failures)
    }
}

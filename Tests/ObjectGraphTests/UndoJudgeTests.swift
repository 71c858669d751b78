import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

/// A history that Python wrote at random, and what undoing does to it.
private final class JudgedHistory {
    struct Verdict: Decodable {
        var ok: Bool
        /// Objects that were written: what they are now, in hexadecimal; null for none.
        var data: [String: String?]?
        /// Objects in the way.
        var oids: [String]?
        var error: String?
        /// The transaction at which it ended.
        var tid: String?
    }

    let path: String
    let tids: [TransactionID]
    private let peer: PythonPeer
    private let folder: URL

    init(_ peer: PythonPeer, seed: UInt64, length: Int, _ kinds: String) throws {
        self.peer = peer
        folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "Data.fs").path
        let output = try peer.run(try Self.program(), ["make", path, String(seed), String(length), kinds])
        tids = try JSONDecoder().decode([String].self, from: Data(output.utf8))
            .map { try #require(UInt64($0, radix: 16).map { TransactionID(rawValue: $0) }) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// What Python's FileStorage makes of undoing these, each on a copy of its own.
    func judge(_ sets: [[TransactionID]]) throws -> [Verdict] {
        let file = folder.appending(path: "sets")
        try JSONEncoder().encode(sets.map { $0.map(\.hex) }).write(to: file)
        let output = try peer.run(try Self.program(), ["judge", path, file.path])
        return try JSONDecoder().decode([Verdict].self, from: Data(output.utf8))
    }

    private static func program() throws -> String {
        let url = SampleData.root.deletingLastPathComponent().appending(
            path: "Tests/TestSupport/python/undo_judge.py")
        return try String(contentsOf: url, encoding: .utf8)
    }
}

@Suite(
    "What an undo would do, against what Python's FileStorage does", .serialized,
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct UndoJudgeTests {
    static let seeds = (0..<2).map { _ in UInt64.random(in: 0..<1_000_000) }

    @Test("is foretold for single transactions and for several together", arguments: seeds, ["plain", "mergeable"])
    func foretold(seed: UInt64, kinds: String) throws {
        let peer = seed.isMultiple(of: 3) && PythonPeer.zeo5Python2.isReady ? PythonPeer.zeo5Python2 : .zeo6
        let history = try JudgedHistory(peer, seed: seed, length: 60, kinds)
        var generator = SeededGenerator(seed: seed)
        var sets = history.tids.map { [$0] }
        for _ in 0..<40 {
            let count = Int.random(in: 2...4, using: &generator)
            sets.append(Array(Set(history.tids.suffix(30).shuffled(using: &generator).prefix(count))).sorted(by: >))
        }
        let verdicts = try history.judge(sets)
        let planner = try UndoPlanner(Workspace(FileStorage(history.path)))
        var remedies: [(requested: [TransactionID], together: [TransactionID])] = []
        for (set, verdict) in zip(sets, verdicts) {
            let plan = try planner.plan(set)
            let what = "seed \(seed) of \(kinds) on \(peer), undo \(set.map(\.hex)), Python: \(verdict)"
            #expect(plan.succeeds == verdict.ok, "\(what)")
            if verdict.ok { try compare(plan, planner, verdict, what) }
            if let oids = verdict.oids {
                // Python ends at the first transaction that cannot be undone.
                let first = refused(plan).map(\.1).max()
                #expect(first?.hex == verdict.tid, "\(what)")
                #expect(refused(plan).filter { $0.1 == first }.map(\.0.hex).sorted() == oids, "\(what)")
            }
            if verdict.error != nil { #expect(!plan.obstacles.isEmpty, "\(what)") }
            try undo(set, in: history, verdict, what)
            if case .together(let together)? = plan.remedy { remedies.append((set, together)) }
        }
        #expect(
            verdicts.contains { $0.ok } && verdicts.contains { !$0.ok }, "seed \(seed): a history that tells nothing")
        try check(remedies, history, seed)
    }

    private func refused(_ plan: UndoPlan) -> [(ObjectID, TransactionID)] {
        plan.effects.compactMap { effect in
            if case .refused(let tid, _) = effect.outcome { (effect.oid, tid) } else { nil }
        }
    }

    private func compare(
        _ plan: UndoPlan, _ planner: UndoPlanner, _ verdict: JudgedHistory.Verdict, _ what: String
    ) throws {
        let data = try #require(verdict.data)
        #expect(Set(plan.effects.map(\.oid.hex)) == Set(data.keys), "\(what)")
        for effect in plan.effects {
            let after = try planner.sides(of: effect).after
            guard let hex = data[effect.oid.hex] ?? nil else {
                #expect(after == nil, "\(what), \(effect.oid)")
                continue
            }
            let python = try ObjectRecord(
                Revision(data: try #require(Self.bytes(hex)), serial: .none, next: nil), oid: effect.oid)
            let ours = try #require(after, "\(what), \(effect.oid)")
            // What was merged may be spelled otherwise.
            #expect(RecordDiff(from: python, to: ours).changes.isEmpty, "\(what), \(effect.oid)")
            if effect.outcome == .restored {
                #expect(ours.document.source == python.document.source, "\(what), \(effect.oid)")
            }
        }
    }

    /// What our own FileStorage makes of it, on a copy.
    private func undo(
        _ set: [TransactionID], in history: JudgedHistory, _ verdict: JudgedHistory.Verdict, _ what: String
    ) throws {
        let copy = history.path + ".ours"
        try? FileManager.default.removeItem(atPath: copy)
        try? FileManager.default.removeItem(atPath: copy + ".index")
        try FileManager.default.copyItem(atPath: history.path, toPath: copy)
        let storage = try FileStorage(copy, options: FileStorage.Options(isWritable: true))
        defer { storage.close() }
        let workspace = try Workspace(storage)
        let result: CommitResult
        do throws(CommitFailure) {
            result = try workspace.undo(set, TransactionMetadata())
        } catch {
            #expect(!verdict.ok, "ours: \(error), \(what)")
            return
        }
        #expect(verdict.ok, "ours: \(what)")
        let data = try #require(verdict.data)
        #expect(result.objectCount == data.count, "ours: \(what)")
        for (hex, expected) in data {
            let oid = try #require(ObjectID(hex: hex))
            let record = try? workspace.object(oid)
            let python = try expected.map { text in
                try ObjectRecord(
                    Revision(data: try #require(Self.bytes(text)), serial: .none, next: nil), oid: oid)
            }
            #expect((record == nil) == (python == nil), "ours: \(what), \(oid)")
            if let record, let python {
                #expect(RecordDiff(from: python, to: record).changes.isEmpty, "ours: \(what), \(oid)")
            }
        }
    }

    /// The sets that are proposed can be undone, and nothing in them can be left out.
    private func check(
        _ remedies: [(requested: [TransactionID], together: [TransactionID])], _ history: JudgedHistory, _ seed: UInt64
    ) throws {
        let remedies = Array(remedies.shuffled().prefix(20))
        for (remedy, verdict) in zip(remedies, try history.judge(remedies.map(\.together))) {
            #expect(verdict.ok, "seed \(seed), undo \(remedy.together.map(\.hex)): \(verdict)")
        }
        let smaller = remedies.flatMap { remedy in
            remedy.together.filter { !remedy.requested.contains($0) }
                .map { extra in remedy.together.filter { $0 != extra } }
        }.shuffled().prefix(50)
        for (set, verdict) in zip(smaller, try history.judge(Array(smaller))) {
            #expect(!verdict.ok, "seed \(seed), undo \(set.map(\.hex)) is enough")
        }
    }

    private static func bytes(_ hex: String) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}

import Foundation
import TestSupport
import Testing
import Verification
import ZODB

/// One way to damage a file.
struct Damage: Encodable, CustomStringConvertible {
    var base: String
    /// `flip` (an exclusive or with `value`), `truncate`, `zero` (`value` bytes).
    var kind: String
    var at: Int
    var value: Int

    func apply(to bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        switch kind {
        case "truncate": bytes.removeSubrange(at...)
        case "flip": bytes[at] ^= UInt8(value)
        default: for index in at..<min(bytes.count, at + value) { bytes[index] = 0 }
        }
        return bytes
    }

    var description: String { "\(base.split(separator: "/").last ?? ""): \(kind) \(at) \(value)" }
}

@Suite("Damaged databases", .serialized)
struct DamageTests {
    static let bases = ["fs/undo.fs", "fs/py3-zodb6.fs", "fs/undo-packed.fs"]

    /// Every byte changed in three ways, the file cut at every byte, blocks of it zeroed; a part of all that, unless all
    /// is asked for.
    static func damages(_ base: String) throws -> [Damage] {
        let count = try SampleData.bytes(base).count
        let path = SampleData.path(base)
        var damages: [Damage] = []
        for at in 0..<count {
            for value in [0x01, 0x80, 0xff] { damages.append(Damage(base: path, kind: "flip", at: at, value: value)) }
            damages.append(Damage(base: path, kind: "truncate", at: at, value: 0))
        }
        for size in [8, 64, 512] {
            for at in stride(from: 0, to: count, by: size) {
                damages.append(Damage(base: path, kind: "zero", at: at, value: size))
            }
        }
        guard !testsAll else { return damages }
        // A prime, so that every kind comes at every place of a record's head.
        return stride(from: 0, to: damages.count, by: 53).map { damages[$0] } + missed(base, path)
    }

    /// What was missed once: a reference that became one of protocol 0, and an old instance between a dict that became
    /// a key and its dict.
    private static func missed(_ base: String, _ path: String) -> [Damage] {
        guard base == "fs/py3-zodb6.fs" else { return [] }
        return [4685, 1788].map { Damage(base: path, kind: "flip", at: $0, value: 1) }
    }

    @Test(
        "What fstest or fsrefs finds in a damaged file is found, every finding says where, and nothing hangs.",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)), arguments: bases)
    func damageIsFound(_ base: String) throws {
        let damages = try Self.damages(base)
        let answers = try JudgeScript("verify_judge.py").answers(.zeo6, "damage", damages)
        let bytes = try SampleData.bytes(base)
        let folder = try ScratchFolder()
        var complaints = 0
        for (damage, answer) in zip(damages, answers) {
            let path = try folder.write(damage.apply(to: bytes))
            let result = try verify(path)
            for defect in result.list.defects where defect.severity > .note {
                #expect(defect.offset != nil || defect.oid != nil, "\(damage): \(defect)")
            }
            let said = [answer["fstest"]?.string, answer["fsrefs"]?.string].compactMap { $0 }
            guard !said.isEmpty else { continue }
            complaints += 1
            #expect(result.list.findingCount > 0, "\(damage): \(said)")
        }
        #expect(complaints > damages.count / 4, "the judge must have found something")
    }

    @Test("A file damaged in its middle is read on behind the damage, and what follows is not taken for a tail.")
    func readsOn() throws {
        let folder = try ScratchFolder()
        var bytes = try SampleData.bytes("fs/undo.fs")
        let whole = try verify(SampleData.path("fs/undo.fs"))
        // The length of the first transaction: far beyond the end of the file.
        bytes[4 + 10] = 0x7f
        let result = try verify(try folder.write(bytes))
        let lost = try #require(result.findings.first { $0.kind == .transaction })
        #expect(lost.offset == 4)
        #expect(lost.what.contains("cut off"))
        #expect(result.lastTransaction == whole.lastTransaction)
        #expect(result.figure("transactions") == (whole.figure("transactions") ?? 0) - 1)
    }

    @Test("A missing end is damage when the .index file knows of it; a tail that it does not know is a warning.")
    func lostEnd() throws {
        let folder = try ScratchFolder()
        let bytes = try SampleData.bytes("index/index-zodb6.fs")
        let path = try folder.write(Array(bytes.prefix(bytes.count / 2)))
        let alone = try verify(path, .structure)
        #expect(alone.findings.map(\.kind) == [.tail] && alone.list.damageCount == 0)
        #expect(alone.findings.first?.advice?.contains("compare with a backup") == true)
        let index = try folder.copy("index/index-zodb6.fs.index", to: "Data.fs.index")
        let known = try verify(path, .structure)
        #expect(known.findings.map(\.kind) == [.tail])
        #expect(known.list.damageCount == 1 && known.list.findingCount == 1)
        let proof = "the .index knows \(bytes.count) bytes, the file has \(bytes.count / 2);"
        let what = try #require(known.findings.first).what
        #expect(what.hasPrefix("committed transactions are gone: \(proof)"), "\(what) \(index)")
        // A crash in a commit: the index covers what is whole.
        try folder.write(bytes + bytes[4..<100])
        let crashed = try verify(path, .structure)
        #expect(crashed.findings.map(\.severity) == [.warning], "\(crashed.findings)")
    }

    @Test("An .index file that has an object at the wrong place is told, whatever ZODB thinks of it.")
    func wrongIndex() throws {
        let folder = try ScratchFolder()
        let path = try folder.copy("index/index-zodb6.fs")
        let index = try folder.copy("index/index-zodb6.fs.index", to: "Data.fs.index")
        #expect(try verify(path).findings.isEmpty)
        var bytes = try Array(Data(contentsOf: URL(filePath: index)))
        // The last byte of the position of an object in the middle of a bucket.
        bytes[bytes.count / 2 - 4] ^= 0x10
        try folder.write(bytes, to: "Data.fs.index")
        let result = try verify(path)
        #expect(result.findings.map(\.kind) == [.index])
    }

    @Test(
        "A verification that was stopped goes on where it was, and comes to the same end; of another file it begins anew."
    )
    func goesOn() throws {
        let path = SampleData.path("fs/py3-zodb6-refs.fs")
        let told = CheckpointBox()
        let whole = try verify(path) { $0.checkpoint = { told.append($0) } }
        let checkpoint = try #require(told.all.last)
        let parsed = try #require(VerificationCheckpoint(parsing: checkpoint.bytes))
        #expect(parsed.bytes == checkpoint.bytes)
        let again = try verify(path) { $0.start = parsed }
        #expect(again.list.defects == whole.list.defects)
        #expect(again.figures == whole.figures)
        let other = try verify(SampleData.path("fs/py3-zodb6.fs")) { $0.start = parsed }
        #expect(other.findings.isEmpty)
        #expect(VerificationCheckpoint(parsing: Array(checkpoint.bytes.dropLast(5))) == nil)
    }
}

private final class CheckpointBox: @unchecked Sendable {
    // @unchecked: one verification tells one thread at a time.
    private(set) var all: [VerificationCheckpoint] = []
    func append(_ checkpoint: VerificationCheckpoint) { all.append(checkpoint) }
}

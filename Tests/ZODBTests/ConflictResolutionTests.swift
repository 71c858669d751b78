import Foundation
import TestSupport
import Testing
import ZODB

@Suite("Conflict resolution")
struct ConflictResolutionTests {
    @Test(
        "random conflicts of every family merge as Python 3 merges them, and those that it refuses stay conflicts",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
    func python3() throws { try compare(with: .zeo6, .python3) }

    @Test(
        "the same for records of Python 2, of protocols 1 and 3",
        .enabled(if: PythonPeer.zeo5Python2.isReady, Comment(rawValue: PythonPeer.zeo5Python2.reason)))
    func python2() throws { try compare(with: .zeo5Python2, .python2) }

    private func compare(with peer: PythonPeer, _ generation: PythonGeneration) throws {
        let seed = UInt32.random(in: 0 ... .max)
        print("conflicts of \(peer): seed \(seed)")
        let script = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "TestSupport/python/conflicts.py"), encoding: .utf8)
        let conflicts = try peer.run(script, ["make", "\(seed)", "25"])
        var answers = ""
        for line in conflicts.split(separator: "\n") {
            let records = line.split(separator: " ").map { bytes($0) }
            try #require(records.count == 3)
            let merged = ConflictResolver.resolve(
                old: records[0], committed: records[1], new: records[2], generation: generation)
            answers += merged.map(hexadecimal) ?? "-"
            answers += "\n"
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try answers.write(to: file, atomically: true, encoding: .utf8)
        let judgement = try peer.run(script, ["judge", "\(seed)", "25", file.path]).split(separator: "\n")
        let counts = try #require(judgement.last).split(separator: " ").compactMap { Int($0) }
        #expect(judgement.dropLast().prefix(5) == [], "seed \(seed)")
        try #require(counts.count == 3)
        print("conflicts of \(peer): \(counts[0]), merged \(counts[1]), merged by Python only \(counts[2])")
        #expect(counts[0] > 2000)
        #expect(counts[1] * 4 > counts[0], "too few merges to learn from")
        #expect(counts[2] * 20 < counts[0])
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private func bytes(_ hexadecimal: Substring) -> [UInt8] {
        var digits = hexadecimal.utf8.makeIterator()
        var result: [UInt8] = []
        while let high = digits.next(), let low = digits.next() {
            result.append(value(high) << 4 | value(low))
        }
        return result
    }

    private func value(_ digit: UInt8) -> UInt8 { digit < 0x3a ? digit - 0x30 : digit - 0x61 + 10 }
}

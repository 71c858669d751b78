import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Files with a damaged end, opened for writing")
struct TailWritingTests {
    private func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    @Test(
        "what lies behind the last transaction is kept in a file, and said; damage is refused and left alone",
        arguments: TailFacts.names)
    func tails(name: String) throws {
        let expected = try #require(TailFacts.all[name]).readOnly
        let directory = try TemporaryDirectory()
        let original = try SampleData.bytes("tails/\(name)")
        let path = try directory.write(original)
        guard expected.error == nil else {
            let error = #expect(throws: StorageError.self) { try FileStorage(path, options: .init(isWritable: true)) }
            guard case .corrupt = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try bytes(path) == original)
            #expect(!FileManager.default.fileExists(atPath: path + ".tr0"))
            return
        }
        let end = try #require(expected.getSize)
        let storage = try FileStorage(path, options: .init(isWritable: true))
        if original.isEmpty {
            #expect(try bytes(path) == Array("FS30".utf8))
        } else {
            #expect(try bytes(path) == Array(original.prefix(end)))
        }
        let said = try storage.information().details.first { $0.name == "cut off when it was opened" }
        if original.count > end {
            #expect(try bytes(path + ".tr0") == Array(original.dropFirst(end)))
            #expect(said?.value.contains("\(original.count - end) bytes at offset \(end)") == true)
            #expect(said?.value.hasSuffix("saved in \(path).tr0") == true)
        } else {
            #expect(said == nil)
            #expect(!FileManager.default.fileExists(atPath: path + ".tr0"))
        }
        let before = try storage.transactionLog().rest().map(\.tid)
        let tid = try storage.commit([1: "afterwards"])
        storage.close()
        #expect(try FileStorage(path).transactionLog().rest().map(\.tid) == [tid] + before)
        // Of these Python's calls cannot tell all, or tell it in other words.
        let odd = ["damaged-middle.fs", "tail-odd-status.fs", "tail-uncertain.fs"]
        guard PythonPeer.zeo6.isReady, !odd.contains(name) else { return }
        let ours = try FileStorage(path).judgedDump()
        #expect(firstDifference(ours, try PythonJudge.dump(path, .zeo6)) == nil)
    }

    @Test("the next tail goes to the next free name, and none is overwritten")
    func names() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(SampleData.bytes("fs/undo.fs"))
        let size = try bytes(path).count
        for number in 0..<3 {
            try append([UInt8](repeating: UInt8(number), count: 5 + number), to: path)
            try FileStorage(path, options: .init(isWritable: true)).close()
            #expect(try bytes(path).count == size)
        }
        for number in 0..<3 {
            #expect(try bytes("\(path).tr\(number)") == [UInt8](repeating: UInt8(number), count: 5 + number))
        }
    }

    @Test("a tail that cannot be saved stays where it is, and the file is not opened")
    func unsaved() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(SampleData.bytes("fs/undo.fs") + [1, 2, 3])
        let before = try bytes(path)
        let calls = FileCalls(sync: { _ in 28 })
        #expect(throws: StorageError.self) { try FileStorage(path, options: .init(isWritable: true), calls: calls) }
        #expect(try bytes(path) == before)
        #expect(!FileManager.default.fileExists(atPath: path + ".tr0"))
        // And it is not locked either.
        try FileStorage(path, options: .init(isWritable: true)).close()
        #expect(try bytes(path + ".tr0") == [1, 2, 3])
    }

    @Test("an index as of before the crash is used, and the rest scanned")
    func oldIndex() throws {
        let file = try WritableFile()
        var storage = try file.open()
        for round in 0..<5 { try storage.commit([UInt64(round): "round \(round) of five, long enough for an index"]) }
        storage.close()
        let index = try Data(contentsOf: URL(filePath: file.path + ".index"))
        storage = try file.open()
        for round in 5..<9 { try storage.commit([UInt64(round): "round \(round)"]) }
        storage.close()
        try index.write(to: URL(filePath: file.path + ".index"))
        storage = try file.open()
        #expect(try storage.objectCount() == 9)
        #expect(try storage.newObjectIDs(1).map(\.rawValue) == [9])
        #expect(storage.text(8) == "round 8")
        storage.close()
        #expect(try Data(contentsOf: URL(filePath: file.path + ".index")) != index)
        // Nothing has changed: nothing is written.
        let modified = try FileManager.default.attributesOfItem(atPath: file.path + ".index")[.systemFileNumber] as? Int
        try file.open().close()
        let after = try FileManager.default.attributesOfItem(atPath: file.path + ".index")[.systemFileNumber] as? Int
        #expect(modified == after)
    }
}

import Foundation
import Storages
import TestSupport
import Testing
import ZODB

@Suite("Opening an overlay")
struct OverlayTests {
    @Test("leaves a Data.fs and its folder as they are, whatever is committed, though writing was asked for")
    func file() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "Data.fs").path
        let before = try SampleData.bytes("fs/py3-zodb6.fs")
        try Data(before).write(to: URL(filePath: path))

        let storage = try openStorage(
            StorageAddress(.file(path)), options: OpeningOptions(isWritable: true, isOverlay: true),
            interruption: Interruption()
        ) { _ in }
        let overlay = try #require(storage as? OverlayStorage)
        let root = try overlay.load(.root, at: .latest)
        let transaction = try overlay.begin(TransactionMetadata())
        try transaction.store(root.data, for: .root, basedOn: root.serial)
        _ = try transaction.vote()
        let tid = try transaction.finish()
        #expect(try overlay.load(.root, at: .latest).serial == tid)
        #expect(try overlay.information().generation == .python3)
        overlay.close()

        #expect(try [UInt8](Data(contentsOf: URL(filePath: path))) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["Data.fs"])
    }
}

import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// `expected/blobs.json`: the files of each blob directory.
struct BlobFacts: Decodable {
    struct File: Decodable {
        var size: Int
    }

    struct Layout: Decodable {
        var oids: [String: String]
        var serials: [String: String]
        var files: [String: File?]
    }

    var bushy: Layout
    var lawn: Layout
    var bushyFinal: [String: File?]

    enum CodingKeys: String, CodingKey {
        case bushy, lawn
        case bushyFinal = "bushy final"
    }
}

@Suite("Blobs")
struct BlobTests {
    private func storage(_ layout: String) throws -> FileStorage {
        try FileStorage(
            Samples.path("blobs/\(layout)/Data.fs"),
            options: .init(blobDirectory: Samples.path("blobs/\(layout)/blobs")))
    }

    private func text(_ cursor: any Cursor<[UInt8]>) throws -> String {
        String(decoding: try cursor.rest().joined(), as: UTF8.self)
    }

    @Test("every blob of the root has its content and size, whatever the layout", arguments: ["bushy", "lawn"])
    func contents(name: String) throws {
        let facts: BlobFacts = try Samples.expected("blobs")
        let layout = name == "bushy" ? facts.bushy : facts.lawn
        let storage = try storage(name)
        for (key, hex) in layout.oids {
            let oid = ObjectID(hex: hex)
            let serial = TransactionID(hex: try #require(layout.serials[key]))
            // Some changed after these facts were taken: the revision of then is what they tell of.
            #expect(try storage.load(oid, at: serial).serial == serial)
            let content =
                switch key {
                case "blob0": "blob 0, first revision\n"
                case "blob1": "blob 1, second revision\n"
                default: ""
                }
            #expect(try text(storage.blob(oid, serial: serial)) == content)
            #expect(try storage.blobSize(oid, serial: serial) == content.utf8.count)
        }
        #expect(try storage.information().details.contains { $0.name == "blobs" && $0.value.hasSuffix("(\(name))") })
    }

    @Test("every revision that Python lists is there, with its size, undone ones too")
    func revisions() throws {
        let facts: BlobFacts = try Samples.expected("blobs")
        let storage = try storage("bushy")
        var found = 0
        for (path, file) in facts.bushyFinal {
            let parts = path.split(separator: "/")
            guard parts.count == 9, let file else { continue }
            let oid = ObjectID(hex: parts[..<8].map { $0.dropFirst(2) }.joined())
            let serial = TransactionID(hex: String(parts[8].dropFirst(2).dropLast(5)))
            #expect(try storage.blobSize(oid, serial: serial) == file.size)
            found += 1
        }
        #expect(found == 6)
        let history = try storage.history(of: ObjectID(rawValue: 2), limit: 9)
        let newest = try #require(history.first?.transaction.tid)
        #expect(try text(storage.blob(ObjectID(rawValue: 2), serial: newest)) == "blob 1, second revision\n")
    }

    @Test("a missing file is an error that names it, and no directory one that says so")
    func missing() throws {
        let oid = ObjectID(rawValue: 9)
        let serial = TransactionID(rawValue: 0x1234)
        let error = #expect(throws: StorageError.self) { try storage("bushy").blob(oid, serial: serial) }
        #expect(error?.description.contains("/0x00/0x09/0x1234.blob is missing") == true)
        let other = #expect(throws: StorageError.self) { try storage("lawn").blobSize(oid, serial: serial) }
        #expect(other?.description.contains("/0x09/0x1234.blob is missing") == true)
        let none = try FileStorage(Samples.path("blobs/lawn/Data.fs"))
        let third = #expect(throws: StorageError.self) { try none.blob(oid, serial: serial) }
        #expect(third?.description.contains("without a blob directory") == true)
        #expect(throws: StorageError.self) {
            try FileStorage(Samples.path("fs/undo.fs"), options: .init(blobDirectory: "/nowhere"))
        }
    }

    @Test("a directory that lost its marker is read in the layout its files have", arguments: ["bushy", "lawn"])
    func withoutMarker(name: String) throws {
        let directory = try TemporaryDirectory()
        let copy = directory.file("blobs")
        try FileManager.default.copyItem(atPath: Samples.path("blobs/\(name)/blobs"), toPath: copy)
        try FileManager.default.removeItem(atPath: "\(copy)/.layout")
        let facts: BlobFacts = try Samples.expected("blobs")
        let serial = TransactionID(hex: try #require((name == "bushy" ? facts.bushy : facts.lawn).serials["blob0"]))
        let storage = try FileStorage(
            Samples.path("blobs/\(name)/Data.fs"), options: .init(blobDirectory: copy))
        #expect(try text(storage.blob(ObjectID(rawValue: 1), serial: serial)) == "blob 0, first revision\n")
    }

    @Test("a directory with a layout of later times is refused")
    func unknownMarker() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write(Array("forest".utf8), to: ".layout")
        let error = #expect(throws: StorageError.self) {
            try FileStorage(Samples.path("fs/undo.fs"), options: .init(blobDirectory: directory.path))
        }
        #expect(error?.description.contains("forest") == true)
    }

    @Test("the cache of a ZEO client serves as a blob directory for what it holds")
    func clientCache() throws {
        let storage = try FileStorage(
            Samples.path("blobs/bushy/Data.fs"), options: .init(blobDirectory: Samples.path("blobs/client/blobs")))
        let serial = TransactionID(hex: "040d271d22f6f411")
        #expect(try text(storage.blob(ObjectID(rawValue: 5), serial: serial)) == "written by a ZEO client\n")
    }

    @Test("a large blob comes in chunks that make the whole")
    func chunks() throws {
        let directory = try TemporaryDirectory()
        let content = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        _ = try directory.write(Array("lawn".utf8), to: ".layout")
        try FileManager.default.createDirectory(atPath: directory.file("0x07"), withIntermediateDirectories: false)
        _ = try directory.write(content, to: "0x07/0x0102.blob")
        let storage = try FileStorage(Samples.path("fs/undo.fs"), options: .init(blobDirectory: directory.path))
        let chunks = try storage.blob(ObjectID(rawValue: 7), serial: TransactionID(rawValue: 0x102)).rest()
        #expect(chunks.count == 3)
        #expect(Array(chunks.joined()) == content)
    }
}

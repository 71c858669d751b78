import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Blobs, written")
struct BlobWritingTests {
    private static let record: [UInt8] =
        [0x80, 3] + Array("cZODB.blob\nBlob\nq".utf8) + [0, 0x2e, 0x80, 3, 0x4e, 0x2e]
    private let oid = ObjectID(rawValue: 0x0102)

    private func cursor(_ text: String) -> any Cursor<[UInt8]> {
        ArrayCursor(Array(text.utf8).reduce(into: [[UInt8]]()) { $0.append([$1]) })
    }

    @discardableResult
    private func commit(_ storage: FileStorage, _ text: String, basedOn serial: TransactionID) throws -> TransactionID {
        let transaction = try storage.begin(.init())
        try transaction.storeBlob(Self.record, for: oid, basedOn: serial, contents: cursor(text))
        _ = try transaction.vote()
        return try transaction.finish()
    }

    private func text(_ storage: FileStorage, _ tid: TransactionID) throws -> String {
        String(decoding: try storage.blob(oid, serial: tid).rest().joined(), as: UTF8.self)
    }

    /// The files of a directory and those below, hidden ones too.
    private func files(_ directory: String) throws -> [String] {
        let names = FileManager.default.enumerator(atPath: directory)?.allObjects as? [String] ?? []
        return names.filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(directory)/\($0)", isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }.sorted()
    }

    @Test(
        "a new directory is bushy; its blobs have their names and rights, and no more is left",
        arguments: [nil, "lawn"])
    func stored(layout: String?) throws {
        let file = try WritableFile()
        let blobs = file.directory.file("blobs")
        if let layout {
            try FileManager.default.createDirectory(atPath: blobs, withIntermediateDirectories: false)
            _ = try file.directory.write(Array(layout.utf8), to: "blobs/.layout")
        }
        let storage = try file.open(blobs: true)
        let first = try commit(storage, "first", basedOn: .none)
        let second = try commit(storage, "", basedOn: first)
        #expect(try text(storage, first) == "first")
        #expect(try text(storage, second) == "")
        #expect(try storage.load(oid, at: .latest).data == Self.record)
        let place = layout == nil ? "0x00/0x00/0x00/0x00/0x00/0x00/0x01/0x02" : "0x0102"
        let names = [first, second].map { "\(place)/0x\($0.hex).blob" }
        #expect(try files(blobs) == ([".layout"] + names).sorted())
        #expect(try String(contentsOfFile: "\(blobs)/.layout", encoding: .utf8) == layout ?? "bushy")
        let rights = try FileManager.default.attributesOfItem(atPath: "\(blobs)/\(names[0])")[.posixPermissions] as? Int
        #expect(rights == 0o444)
    }

    @Test("a blob that is not committed leaves no file: abort, conflict, a cursor that fails, two in one transaction")
    func aborted() throws {
        let file = try WritableFile()
        let blobs = file.directory.file("blobs")
        let storage = try file.open(blobs: true)
        let first = try commit(storage, "first", basedOn: .none)
        let before = try files(blobs)
        for votes in [false, true] {
            let transaction = try storage.begin(.init())
            try transaction.storeBlob(Self.record, for: oid, basedOn: first, contents: cursor("second"))
            #expect(try files(blobs).count == before.count + 1)
            if votes { _ = try transaction.vote() }
            #expect(try files(blobs).count == before.count + 1)
            transaction.abort()
            #expect(try files(blobs) == before)
        }
        let conflict = try storage.begin(.init())
        #expect(throws: StorageError.self) {
            try conflict.storeBlob(Self.record, for: oid, basedOn: .none, contents: cursor("x"))
        }
        conflict.abort()
        let broken = try storage.begin(.init())
        #expect(throws: StorageError.interrupted) {
            try broken.storeBlob(Self.record, for: oid, basedOn: first, contents: BrokenCursor())
        }
        broken.abort()
        #expect(try files(blobs) == before)

        let twice = try storage.begin(.init())
        for text in ["a", "b"] {
            try twice.storeBlob(Self.record, for: oid, basedOn: first, contents: cursor(text))
        }
        _ = try twice.vote()
        let tid = try twice.finish()
        #expect(try text(storage, tid) == "b")
        #expect(try files(blobs).count == before.count + 1)
    }

    @Test("without a directory, with a client's cache, or an unknown layout, blobs are refused")
    func refused() throws {
        let file = try WritableFile()
        let none = try file.open()
        #expect(throws: StorageError.self) { try commit(none, "x", basedOn: .none) }
        none.close()
        _ = try FileManager.default.createDirectory(
            atPath: file.directory.file("blobs"), withIntermediateDirectories: false)
        _ = try file.directory.write(Array("zeocache".utf8), to: "blobs/.layout")
        let cache = try file.open(blobs: true)
        #expect(throws: StorageError.self) { try commit(cache, "x", basedOn: .none) }
        cache.close()
        _ = try FileManager.default.removeItem(atPath: file.directory.file("blobs/.layout"))
        _ = try file.directory.write([1], to: "blobs/something")
        let unknown = try file.open(blobs: true)
        let error = #expect(throws: StorageError.self) { try commit(unknown, "x", basedOn: .none) }
        #expect(error?.description.contains(".layout") == true)
        #expect(try files(file.directory.file("blobs")) == ["something"])
    }

    @Test(
        "the undo of a blob's change brings its file back, of its creation takes it away; where there is none it fails")
    func undone() throws {
        let file = try WritableFile()
        let storage = try file.open(blobs: true)
        let first = try commit(storage, "first", basedOn: .none)
        let second = try commit(storage, "second", basedOn: first)
        let third = try storage.undo(second)
        #expect(try text(storage, third) == "first")
        let fourth = try storage.undo(third)
        #expect(try text(storage, fourth) == "second")
        let fifth = try storage.undo(fourth, third, second, first)
        #expect(throws: StorageError.noSuchObject(oid)) { try storage.load(oid, at: fifth) }
        let sixth = try storage.undo(fifth)
        #expect(try text(storage, sixth) == "second")
        storage.close()
        // A revision without its blob would be worse than none.
        let none = try file.open()
        #expect(throws: StorageError.self) { try none.undo(fifth) }
        #expect(throws: StorageError.self) { try none.undo(sixth, fifth) }
        #expect(try none.lastTransaction() == sixth)
    }

    @Test(
        "Python reads the blobs that are stored and restored here, and the other way round",
        .enabled(if: PythonJudge.areReady, "\(PythonJudge.reason)"), arguments: PythonJudge.peers)
    func withPython(peer: PythonPeer) throws {
        let file = try WritableFile()
        let storage = try file.open(PythonJudge.generation(peer), blobs: true)
        let first = try commit(storage, "first", basedOn: .none)
        let second = try commit(storage, "second", basedOn: first)
        let third = try storage.undo(second)
        storage.close()
        let code =
            PythonJudge.prelude + """
                fs = FileStorage(path, blob_dir=sys.argv[2])
                oid = p64(0x0102)
                for tid in tids(fs):
                    print(open(fs.loadBlob(oid, tid)).read())
                commit(fs, lambda t: fs.undo(base64.b64encode(tids(fs)[-1]), t))
                import os
                name = os.path.join(fs.temporaryDirectory(), 'python')
                with open(name, 'w') as file:
                    file.write('from Python')
                commit(fs, lambda t: fs.storeBlob(oid, fs.getTid(oid), fs.load(oid)[0], name, '', t))
                fs.close()
                """
        let said = try peer.run(code, [file.path, file.directory.file("blobs")])
        #expect(said == "first\nsecond\nfirst\n")
        let again = try file.open(blobs: true)
        let tids = try again.transactions(from: .none, through: .latest).rest().map(\.tid)
        #expect(tids.prefix(3) == [first, second, third])
        #expect(try tids.map { try text(again, $0) } == ["first", "second", "first", "second", "from Python"])
        let last = try again.undo(tids[4])
        #expect(try text(again, last) == "second")
    }
}

private final class BrokenCursor: Cursor {
    private var isBegun = false

    func next() throws(StorageError) -> [UInt8]? {
        guard !isBegun else { throw .interrupted }
        isBegun = true
        return [1, 2, 3]
    }
}

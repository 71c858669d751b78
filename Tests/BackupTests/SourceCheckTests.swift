import Backup
import Foundation
import Storages
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A source that is not what it was")
struct SourceCheckTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: folder.file("Data.fs"))
    }

    private func run(_ arguments: String...) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(
            arguments.map { $0.replacing("$", with: folder.url.path) }, environment: ["TMPDIR": folder.url.path])
    }

    private func commit() throws {
        let outcome = try run("set", "$/Data.fs", "/site/.title", "'other'", "--rw", "-y")
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    private func put(_ content: Data) throws {
        try? FileManager.default.removeItem(atPath: folder.file("Data.fs.index"))
        try content.write(to: URL(filePath: folder.file("Data.fs")))
    }

    /// Backs up with `--keep 1`, which is refused and leaves the repository as it is.
    private func expectRefusal(_ text: String, _ options: [String] = []) throws {
        let before = try folder.names(in: "r")
        let outcome = try BuiltProgram.zeoshell.run(
            ["backup", folder.file("Data.fs"), folder.file("r"), "--keep", "1"] + options)
        #expect(outcome.status == 7, "\(outcome.output)")
        #expect(outcome.errors.contains(text), "\(outcome.errors)")
        #expect(try folder.names(in: "r") == before)
    }

    @Test(
        "ends before the backup: nothing is written or removed, unless that is accepted", arguments: [[], ["--full"]])
    func older(options: [String]) throws {
        let original = try folder.content("Data.fs")
        try commit()
        #expect(try run("backup", "$/Data.fs", "$/r", "--gzip").status == 0)
        for content in [original, original.prefix(original.count / 2), original.prefix(4)] {
            try put(Data(content))
            try expectRefusal(content.count > 4 ? "is older than the backup's" : "has no transaction", options)
        }
        try put(original)
        let accepted = try run("backup", "$/Data.fs", "$/r", "--accept-older", "--keep", "1")
        #expect(accepted.status == 0, "\(accepted.errors)")
        #expect(accepted.output.contains("the file is shorter than before, up to"))
        #expect(try Repository(folder.file("r")).chains.count == 1)
    }

    @Test("was set back and went on, or is another database: nothing is written or removed")
    func another() throws {
        let original = try folder.content("Data.fs")
        try commit()
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        try put(original)
        try commit()
        try expectRefusal("does not have the last transaction of the backup")
        try expectRefusal("does not have the last transaction of the backup", ["--quick"])
    }

    @Test("was packed: a full backup replaces the others")
    func packed() throws {
        try commit()
        try commit()
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        let pack = try run("pack", "$/Data.fs", "--days", "0", "--rw")
        #expect(pack.status == 0, "\(pack.errors)")
        let outcome = try run("backup", "$/Data.fs", "$/r", "--keep", "1")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("by a pack it seems"), "\(outcome.output)")
        #expect(try Repository(folder.file("r")).chains.count == 1)
    }

    /// Breaks the record that is so many records from the end.
    private func damage(_ count: Int) throws {
        let storage = try FileStorage(folder.file("Data.fs"))
        defer { storage.close() }
        var places: [Int] = []
        var scanner = try storage.scanner()
        while try scanner.next() { places.append(scanner.recordPosition) }
        var bytes = try folder.content("Data.fs")
        // The position of the transaction that the record says it belongs to.
        bytes[places[places.count - count] + 30] ^= 0x55
        try put(bytes)
    }

    @Test("is damaged: nothing is written or removed")
    func damaged() throws {
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        let original = try folder.content("Data.fs")
        try damage(60)
        try expectRefusal("zeoshell verify")
        try expectRefusal("zeoshell verify", ["--full", "--accept-older"])
        #expect(try run("backup", "$/Data.fs", "$/empty").status == 7)
        #expect(try Repository(folder.file("empty")).chains.isEmpty)
        // In a record's data, which has no structure to go by.
        var changed = original
        changed[original.count - 60] ^= 1
        try put(changed)
        try expectRefusal("it may be damaged")
        try expectRefusal("it may be damaged", ["--full"])
        // In what an increment would take.
        try put(original)
        try commit()
        try commit()
        try damage(2)
        try expectRefusal("zeoshell verify", ["--quick"])
        #expect(try Repository(folder.file("r")).verify().problems == [])
    }

    @Test("is a server that ends before the backup: nothing is written or removed")
    func server() throws {
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        let server = try ZEOServerProcess()
        let outcome = try run("backup", "127.0.0.1:\(server.port)", "$/r", "--keep", "1")
        #expect(outcome.status == 7, "\(outcome.output)")
        #expect(outcome.errors.contains("--accept-older"), "\(outcome.errors)")
        #expect(try Repository(folder.file("r")).chains.count == 1)
    }

    @Test("has a blob whose file the repository has lost: no restore without it, and the next backup copies it again")
    func lostBlob() throws {
        try FileManager.default.copyItem(atPath: SampleData.path("blobs/lawn"), toPath: folder.file("lawn"))
        let source = ["backup", folder.file("lawn/Data.fs"), folder.file("r"), "--blob-dir", folder.file("lawn/blobs")]
        #expect(try BuiltProgram.zeoshell.run(source).status == 0)
        let all = try FileManager.default.subpathsOfDirectory(atPath: folder.file("r/blobs"))
        let blob = try #require(all.first { $0.hasSuffix(".blob") })
        try FileManager.default.removeItem(atPath: folder.file("r/blobs/\(blob)"))
        for arguments in [["verify", "--restore", "$/r"], ["restore", "$/r", "$/out.fs", "--blob-dir", "$/out"]] {
            let outcome = try BuiltProgram.zeoshell.run(
                ["backup"] + arguments.map { $0.replacing("$", with: folder.url.path) },
                environment: ["TMPDIR": folder.url.path])
            #expect(outcome.status == 7)
            #expect(outcome.errors.contains(blob), "\(outcome.errors)")
        }
        let without = try run("backup", "restore", "$/r", "$/out.fs")
        #expect(without.status == 0)
        #expect(without.errors.contains("left in the backup"), "\(without.errors)")
        let again = try BuiltProgram.zeoshell.run(source)
        #expect(again.errors.contains("1 copied again"), "\(again.errors)")
        let quiet = try run("backup", "verify", "$/r", "-q")
        #expect(quiet.status == 0)
        #expect(quiet.output.isEmpty)
    }
}

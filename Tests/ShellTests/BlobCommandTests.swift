import Foundation
import Storages
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

@Suite("blob")
struct BlobCommandTests {
    private func directory() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appending(path: "blob-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    private func program(_ arguments: [String]) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(
            [arguments[0], SampleData.path("blobs/bushy/Data.fs")] + arguments.dropFirst()
                + ["--blob-dir", SampleData.path("blobs/bushy/blobs")])
    }

    @Test("a blob's size, revision and place are those of its file")
    func facts() throws {
        let run = try program(["blob", "#2", "-o", "json"])
        let blob = try JSONValue(parsing: Array(run.output.utf8))
        let place = try #require(blob["where"]?.string)
        #expect(place.hasSuffix("blobs/bushy/blobs/0x00/0x00/0x00/0x00/0x00/0x00/0x00/0x02/0x040d271d2168d911.blob"))
        #expect(blob["size"]?.int == (try Data(contentsOf: URL(filePath: place)).count))
        #expect(blob["serial"] == .string("040d271d2168d911"))
        #expect(blob["kind"] == .string("blob"))
    }

    @Test("a blob whose file is missing shows what is known, and fails")
    func missing() throws {
        let look = try Look("blobs/bushy/Data.fs")
        let outcome = look.run("blob #2 -o json")
        #expect(try JSONValue(parsing: Array(outcome.output.utf8))["where"] == .string("missing"))
        #expect(outcome.code == .data)
        #expect(outcome.errors.contains("--blob-dir"))
        #expect(look.run("blob #2 --extract -").code == .data)
    }

    @Test("what is extracted is the file, byte for byte; of a File in the database its chunks, joined")
    func extract() throws {
        let directory = try directory()
        let target = directory.appending(path: "blob").path
        #expect(try program(["blob", "#2", "--extract", target]).status == 0)
        let original = try Data(
            contentsOf: SampleData.root.appending(
                path: "blobs/bushy/blobs/0x00/0x00/0x00/0x00/0x00/0x00/0x00/0x02/0x040d271d2168d911.blob"))
        #expect(try Data(contentsOf: URL(filePath: target)) == original)
        #expect(try program(["blob", "#2", "--extract", "-"]).output == String(decoding: original, as: UTF8.self))

        let look = try Look("fs/zope5.fs")
        let file = directory.appending(path: "big").path
        let outcome = look.run("blob /site/big_file --extract \(file)")
        #expect(outcome.code == .done)
        #expect(try Data(contentsOf: URL(filePath: file)).count == 150_000)
        #expect(look.run("blob /site/big_file --fields size").output == "size\t150000\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["big", "blob"])
    }

    @Test("a file that exists is replaced only with --force")
    func existing() throws {
        let directory = try directory()
        let file = directory.appending(path: "file")
        try Data("precious".utf8).write(to: file)
        let look = try Look("fs/zope5.fs")
        let refused = look.run("blob /site/small_file --extract \(file.path)")
        #expect(refused.code == .refused && refused.errors.contains("--force"))
        #expect(try Data(contentsOf: file) == Data("precious".utf8))
        #expect(look.run("blob /site/small_file --extract \(file.path) --force").code == .done)
        #expect(try Data(contentsOf: file).count == 15)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["file"])
    }

    @Test("a file is there whole or not at all")
    func givenUp() throws {
        let directory = try directory()
        let target = directory.appending(path: "new").path
        do {
            let file = try NewFile(beside: target)
            try file.write([1, 2, 3])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
        let late = try NewFile(beside: target)
        try Data("theirs".utf8).write(to: URL(filePath: target))
        #expect(throws: ShellFailure.self) { try late.finish(replacing: false) }
        #expect(try Data(contentsOf: URL(filePath: target)) == Data("theirs".utf8))
        #expect(throws: ShellFailure.self) { try NewFile(beside: "/no/such/directory/file") }
    }

    @Test("what has no content says so")
    func nothing() throws {
        let outcome = try Look("fs/zope5.fs").run("blob /site")
        #expect(outcome.code == .data && outcome.errors.contains("no content"))
    }
}

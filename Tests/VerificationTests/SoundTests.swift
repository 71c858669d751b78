import Foundation
import TestSupport
import Testing
import Verification
import ZODB

/// Whoever cries wolf is not believed: files that Python wrote and nobody damaged have no findings.
@Suite("Sound databases")
struct SoundTests {
    /// All samples but those that were made to hold dangling references, and those with an unlikely oid.
    static let files = ["fs", "rescue", "index"].flatMap { folder in
        SampleData.names(in: folder, ending: ".fs").map { "\(folder)/\($0).fs" }
    }.filter { !$0.hasSuffix("-refs.fs") }

    @Test("A sample of any generation is found sound, trees and folders included.", arguments: files)
    func samplesAreSound(_ file: String) throws {
        let result = try verify(SampleData.path(file))
        #expect(result.findings.isEmpty)
        #expect(result.list.damageCount == 0)
        #expect(result.figure("objects") ?? 0 > 0)
    }

    @Test(
        "The references that lead nowhere, and nothing else, are found in the samples made for them.",
        arguments: SampleData.names(in: "fs", ending: "-refs.fs"))
    func danglingReferences(_ name: String) throws {
        let result = try verify(SampleData.path("fs/\(name)-refs.fs"))
        let references = result.findings.filter { $0.kind == .reference }
        #expect(references.map(\.target) == [ObjectID(rawValue: 0xdead)])
        #expect(references.first?.path == "//legacy/.body[8]")
        #expect(Set(result.findings.map(\.kind)) == [.reference, .oidRange])
    }

    @Test("Blobs whose files are all there are sound in every layout.", arguments: ["bushy", "lawn"])
    func blobsAreSound(_ layout: String) throws {
        let result = try verify(SampleData.path("blobs/\(layout)/Data.fs")) {
            $0.blobDirectory = SampleData.path("blobs/\(layout)/blobs")
        }
        #expect(result.findings.isEmpty)
        #expect(result.figure("blobs") ?? 0 > 0)
    }

    @Test("A blob's file that is missing is named with its object; one that belongs to nothing is told too.")
    func blobsAreMissedAndOrphaned() throws {
        let folder = try ScratchFolder()
        try FileManager.default.copyItem(
            atPath: SampleData.path("blobs/lawn/blobs"), toPath: folder.file("blobs"))
        let lost = folder.file("blobs/0x03/0x040d271d217720ee.blob")
        try FileManager.default.moveItem(atPath: lost, toPath: folder.file("blobs/0x03/0x040d271d217720ef.blob"))
        let result = try verify(SampleData.path("blobs/lawn/Data.fs")) { $0.blobDirectory = folder.file("blobs") }
        let missing = try #require(result.findings.first { $0.kind == .missingBlob })
        #expect(missing.oid == ObjectID(rawValue: 3))
        #expect(missing.what.contains("0x040d271d217720ee.blob"))
        #expect(missing.path != nil || missing.isReachable == false)
        let orphan = try #require(result.findings.first { $0.kind == .orphanedBlob })
        #expect(orphan.what.contains("0x040d271d217720ef.blob"))
        #expect(result.findings.count == 2)
    }

    @Test("A folder whose counter is wrong is told, with its path, and what it should be.")
    func folderThatLies() throws {
        let folder = try ScratchFolder()
        var bytes = try SampleData.bytes("fs/zope5.fs")
        // The `Length` of a BTreeFolder2: its class, and as its state the number 40.
        let length = Array("cBTrees.Length\nLength\nq\0.".utf8) + [0x80, 0x03, 0x4b, 40, 0x2e]
        let places = bytes.indices.dropLast(length.count).filter { bytes[$0...].starts(with: length) }
        let place = try #require(places.last)
        bytes[place + length.count - 2] = 41
        let result = try verify(try folder.write(bytes))
        #expect(result.findings.map(\.kind) == [.folder])
        #expect(result.findings.first?.path == "/.site/.btf")
        #expect(result.findings.first?.what == "the counter says 41, and there are 40 objects")
    }
}

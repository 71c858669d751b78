import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Beside repozo", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct RepozoTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        try FileManager.default.createDirectory(atPath: folder.file("r"), withIntermediateDirectories: true)
    }

    private func commit(_ count: Int, seed: Int, pack: Bool = false) throws {
        try PythonPeer.zeo6.run(
            PythonWriter.code, [folder.file("Data.fs"), "\(seed)", "\(count)", pack ? "pack" : "no"])
    }

    private func backUp(_ change: (inout BackupOptions) -> Void = { _ in }) throws -> BackupResult {
        var options = BackupOptions()
        change(&options)
        let storage = try FileStorage(folder.file("Data.fs"))
        defer { storage.close() }
        return try storage.backUp(to: folder.file("r"), options)
    }

    private func index(_ name: String) throws -> [String] {
        guard case .index(let index, let position) = try IndexFile.read(folder.file(name)) else { return [] }
        var lines = ["\(position)"]
        var entries = index.entries()
        while let entry = entries.next() { lines.append("\(entry.oid) \(entry.position)") }
        return lines
    }

    @Test("repozo verifies and recovers what we backed up, byte for byte", arguments: [false, true])
    func ours(isCompressed: Bool) throws {
        let repozo = Repozo(peer: .zeo6)
        var indexBefore: [String] = []
        for round in 0..<4 {
            try? FileManager.default.removeItem(atPath: folder.file("out.fs.index"))
            try commit(5, seed: round)
            let result = try backUp {
                $0.isCompressed = isCompressed
                $0.isQuick = round == 2
            }
            #expect(result.kind == (round == 0 ? .full : .incremental))
            try repozo.run(["-V", "-r", folder.file("r")])
            try repozo.run(["-R", "-w", "-r", folder.file("r"), "-o", folder.file("out.fs")])
            #expect(try folder.content("out.fs") == folder.content("Data.fs"))
            // The index says what Python's own says. A quick increment has none, and we restore the one before.
            let index = try index("Data.fs.index")
            #expect(try self.index("out.fs.index") == (round == 2 ? [] : index))
            let ours = "ours-\(round).fs"
            #expect(try Repository(folder.file("r")).restore(to: folder.file(ours)).isVerified)
            #expect(try folder.content(ours) == folder.content("Data.fs"))
            #expect(try self.index(ours + ".index") == (round == 2 ? indexBefore : index))
            indexBefore = index
        }
        #expect(try backUp().kind == .none)
        // repozo sees no reason for a full one either.
        try commit(2, seed: 10)
        let before = try folder.names(in: "r").filter { $0.hasSuffix(".fs") || $0.hasSuffix(".fsz") }
        try repozo.run(["-B", "-r", folder.file("r"), "-f", folder.file("Data.fs")])
        #expect(try folder.names(in: "r").filter { $0.hasSuffix(".fs") || $0.hasSuffix(".fsz") } == before)
        try commit(2, seed: 11)
        try repozo.run(["-B", "-Q", "-r", folder.file("r"), "-f", folder.file("Data.fs")])
        try repozo.run(["-V", "-r", folder.file("r")])
        #expect(try Repository(folder.file("r")).verify().problems == [])
    }

    @Test(
        "we verify and restore what repozo backed up, of any age, and continue it",
        arguments: [PythonPeer.zeo6, .zeo5, .zodb310, .zodb38], [false, true])
    func theirs(peer: PythonPeer, isCompressed: Bool) throws {
        guard peer.isReady else { return }
        let repozo = Repozo(peer: peer)
        let sample = peer.name.hasPrefix("zodb") ? SampleData.path("fs/py27-zodb310.fs") : nil
        if let sample {
            try FileManager.default.copyItem(atPath: sample, toPath: folder.file("Data.fs"))
        } else {
            try commit(6, seed: 1)
        }
        let zip = isCompressed ? ["-z"] : []
        try repozo.run(["-B"] + zip + ["-r", folder.file("r"), "-f", folder.file("Data.fs")])
        let repository = try Repository(folder.file("r"))
        #expect(repository.chains.count == 1)
        let result = try repository.verify()
        #expect(result.problems == [])
        #expect(result.fileCount == 1)
        let restored = try repository.restore(to: folder.file("out.fs"))
        #expect(restored.isVerified)
        #expect(try folder.content("out.fs") == folder.content("Data.fs"))
        #expect(try repository.proveRestore(in: folder.url.path).problems == [])
        for isQuick in [false, true] { #expect(try backUp { $0.isQuick = isQuick }.kind == .none) }
        guard sample == nil else { return }
        try commit(3, seed: 2)
        #expect(try backUp().kind == .incremental)
        try repozo.run(["-R", "-r", folder.file("r"), "-o", folder.file("again.fs")])
        #expect(try folder.content("again.fs") == folder.content("Data.fs"))
    }

    @Test("a pack, and damage to the repository, make a full backup", arguments: [false, true])
    func pack(isCompressed: Bool) throws {
        try commit(6, seed: 1)
        #expect(try backUp().reason == "there is no backup yet")
        try commit(3, seed: 2, pack: true)
        for isQuick in [true, false] {
            let result = try backUp { $0.isQuick = isQuick }
            #expect(result.kind == (isQuick ? .full : .none), "quick: \(isQuick)")
        }
        try commit(3, seed: 3)
        let chunk = try #require(try backUp { $0.isCompressed = isCompressed }.chunk)
        let path = folder.file("r/" + chunk.fileName)
        var bytes = try folder.content("r/" + chunk.fileName)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: path))
        let verified = try Repository(folder.file("r")).verify()
        #expect(verified.problems.map(\.place) == [chunk.fileName])
        #expect(throws: StorageError.self) { try Repository(folder.file("r")).restore(to: folder.file("out.fs")) }
        #expect(!FileManager.default.fileExists(atPath: folder.file("out.fs")))
        #expect(!FileManager.default.fileExists(atPath: folder.file("out.fs.part")))
        #expect(throws: PythonFailure.self) { try Repozo(peer: .zeo6).run(["-V", "-r", folder.file("r")]) }
        #expect(try backUp().kind == .full)
    }
}

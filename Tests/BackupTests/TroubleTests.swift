import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("Trouble of backups", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct TroubleTests {
    private let folder: ScratchFolder
    private let clock = SteppingClock()

    init() throws {
        folder = try ScratchFolder()
        let python = try PythonProgram(.zeo6, "backup_source.py", [])
        _ = try python.ask("open \(folder.file("Data.fs")) 11 \(folder.file("blobs"))")
        _ = try python.ask("commit 12")
        _ = try python.ask("close")
    }

    private func backUp(_ change: (inout BackupOptions) -> Void = { _ in }) throws -> BackupResult {
        var options = BackupOptions()
        options.now = clock.next
        change(&options)
        let storage = try FileStorage(folder.file("Data.fs"), options: .init(blobDirectory: folder.file("blobs")))
        defer { storage.close() }
        return try storage.backUp(to: folder.file("r"), options)
    }

    private func blobs(_ name: String) throws -> [String] {
        let all = FileManager.default.enumerator(atPath: folder.file(name))?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(".blob") }.sorted().map { folder.file(name) + "/" + $0 }
    }

    /// Another content, of the same size.
    private func damage(_ path: String) throws {
        var bytes = try Array(Data(contentsOf: URL(filePath: path)))
        try #require(!bytes.isEmpty)
        bytes[bytes.count / 2] ^= 0x10
        chmod(path, 0o644)
        try Data(bytes).write(to: URL(filePath: path))
    }

    @Test("A blob in the repository that has changed is found by verify, and made good by a full backup")
    func damagedBlob() throws {
        _ = try backUp()
        let blob = try #require(
            try blobs("r/blobs").first { try !Data(contentsOf: URL(filePath: $0)).isEmpty })
        try damage(blob)
        #expect(try Repository(folder.file("r")).verify().problems.count == 1)
        let full = try backUp { $0.isFull = true }
        #expect(full.repairs == ["files of blobs were damaged: 1 copied again"])
        #expect(try Repository(folder.file("r")).verify().problems == [])
    }

    @Test("A blob of the source that is not what was backed up before does not take its place")
    func damagedSource() throws {
        _ = try backUp()
        let name = try #require(
            try blobs("r/blobs").first { try !Data(contentsOf: URL(filePath: $0)).isEmpty })
        let original = try Data(contentsOf: URL(filePath: name))
        try damage(name)
        let source = try #require(
            try blobs("blobs").first { try Data(contentsOf: URL(filePath: $0)) == original })
        try damage(source)
        // Now both differ from what was noted.
        #expect { try backUp { $0.isFull = true } } throws: { error in
            guard case .corrupt(let what, _)? = error as? StorageError else { return false }
            return what.contains("the file of blob")
        }
    }

    @Test("A repository is made in a directory that is there, and nowhere else")
    func missingParent() throws {
        let storage = try FileStorage(folder.file("Data.fs"))
        defer { storage.close() }
        #expect(throws: StorageError.self) { try storage.backUp(to: folder.file("not/mounted/r")) }
        #expect(!FileManager.default.fileExists(atPath: folder.file("not")))
        #expect(try storage.backUp(to: folder.file("made") + "/").kind == .full)
    }

    @Test("A restore over a symbolic link replaces what it leads to; one that leads nowhere is refused")
    func link() throws {
        _ = try backUp()
        try FileManager.default.createDirectory(atPath: folder.file("disk"), withIntermediateDirectories: true)
        try Data("old".utf8).write(to: URL(filePath: folder.file("disk/Real.fs")))
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("Link.fs"), withDestinationPath: folder.file("disk/Real.fs"))
        var options = RestoreOptions()
        options.replaces = true
        _ = try Repository(folder.file("r")).restore(to: folder.file("Link.fs"), options)
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: folder.file("Link.fs"))
                == folder.file("disk/Real.fs"))
        #expect(try folder.content("disk/Real.fs") == (try folder.content("Data.fs")))
        // The index is where whoever opens the link looks.
        #expect(FileManager.default.fileExists(atPath: folder.file("Link.fs.index")))
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("Nowhere.fs"), withDestinationPath: folder.file("disk/None.fs"))
        #expect(throws: StorageError.self) {
            try Repository(folder.file("r")).restore(to: folder.file("Nowhere.fs"), options)
        }
    }
}

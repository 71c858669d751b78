import Foundation
import Testing
import ZODB

@testable import ClientCache

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite("A cache file")
struct CacheFileTests {
    static let (a, b) = (ObjectID(1), ObjectID(2))

    @Test("what was kept is there the next time, as of the last transaction")
    func lasts() throws {
        let scratch = try Scratch()
        var (file, remarks) = try CacheFile.opened(scratch.path())
        #expect(remarks == [])
        #expect(file.isEmpty)
        file.insert(revision("a1", .today(1)), Self.a)
        file.insert(revision("b1", .today(1)), Self.b)
        file.invalidate(Self.a, in: .today(3))
        file.move(to: .today(3))
        file.close()
        (file, remarks) = try CacheFile.opened(scratch.path())
        #expect(remarks == [])
        #expect(file.isFamiliar)
        #expect(file.lastTransaction == .today(3))
        #expect(file.count == 2)
        #expect(file.revision(of: Self.a, at: .today(2)) == revision("a1", .today(1), next: .today(3)))
        #expect(file.revision(of: Self.a, at: .today(3)) == nil)
        #expect(file.revision(of: Self.b, at: .today(3)) == revision("b1", .today(1)))
        #expect(file.revision(of: Self.b, at: .today(0)) == nil)
        file.forgetCurrent([Self.b])
        #expect(file.revision(of: Self.b, at: .today(3)) == nil)
        file.removeAll()
        #expect(file.isEmpty)
        #expect(file.lastTransaction == .none)
    }

    @Test("it stays as large as it is, and keeps what is read")
    func bounded() throws {
        let scratch = try Scratch()
        let (file, _) = try CacheFile.opened(scratch.path())
        file.move(to: .today(1))
        file.insert(revision("kept", .today(1)), Self.a)
        for number in 10..<500 {
            file.insert(revision(String(repeating: "x", count: number % 300), .today(1)), ObjectID(UInt64(number)))
            #expect(file.revision(of: Self.a, at: .today(1))?.data == Array("kept".utf8), "\(number)")
        }
        #expect(file.failure == nil)
        #expect(try scratch.bytes().count == 4096)
        #expect(file.revision(of: ObjectID(10), at: .today(1)) == nil)
        #expect(file.revision(of: ObjectID(499), at: .today(1)) != nil)
        // A giant is not kept.
        file.insert(revision(String(repeating: "x", count: 5000), .today(1)), Self.b)
        #expect(file.revision(of: Self.b, at: .today(1)) == nil)
    }

    @Test("another size is taken, and what fits is kept", arguments: [4096, 4100, 6000, 9000, 20000])
    func resized(_ size: Int) throws {
        let scratch = try Scratch()
        var (file, _) = try CacheFile.opened(scratch.path(), size: 9000)
        file.move(to: .today(1))
        for number in 1...40 { file.insert(revision("\(number)", .today(1)), ObjectID(UInt64(number))) }
        for number in 41...60 {
            file.insert(revision(String(repeating: "x", count: 200), .today(1)), ObjectID(UInt64(number)))
        }
        file.close()
        let remarks: [String]
        (file, remarks) = try CacheFile.opened(scratch.path(), size: size)
        #expect(remarks == [])
        #expect(try scratch.bytes().count == size)
        for number in 1...40 {
            #expect(file.revision(of: ObjectID(UInt64(number)), at: .today(1))?.data == Array("\(number)".utf8))
        }
        for number in 100...200 {
            file.insert(revision(String(repeating: "y", count: 150), .today(1)), ObjectID(UInt64(number)))
        }
        #expect(file.failure == nil)
        #expect(try CacheSurvey(of: scratch.path()).problems == [])
    }

    @Test("a damaged file is set aside and said to be; what is no cache is not touched")
    func damaged() throws {
        let scratch = try Scratch()
        for expected in ["it is now", "removed"] {
            var (file, _) = try CacheFile.opened(scratch.path())
            file.insert(revision("a1", .today(1)), Self.a)
            file.move(to: .today(1))
            file.close()
            var bytes = try scratch.bytes()
            bytes[12] = 0x7a
            try scratch.write(bytes)
            let remarks: [String]
            (file, remarks) = try CacheFile.opened(scratch.path())
            #expect(remarks.count == 1)
            #expect(remarks.first?.contains(expected) == true, "\(remarks)")
            #expect(file.isEmpty)
            file.close()
            #expect(scratch.exists("c.zec.bad"))
        }
        let other = Array("FS30 is no cache".utf8)
        try scratch.write(other, "Data.fs")
        #expect(throws: StorageError.self) {
            try CacheFile.open(scratch.path("Data.fs"), size: 4096, for: CacheFile.source)
        }
        #expect(try scratch.bytes("Data.fs") == other)
        #expect(throws: StorageError.self) {
            try CacheFile.open(scratch.path("no/such/c.zec"), size: 4096, for: CacheFile.source)
        }
    }

    @Test("of two who want it, one gets it, and the other leaves it alone")
    func locked() throws {
        let scratch = try Scratch()
        let (file, _) = try CacheFile.opened(scratch.path())
        guard case .leftAlone(let why) = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source) else {
            throw StorageError.wrongState("opened twice")
        }
        #expect(why.contains("\(ProcessInfo.processInfo.processIdentifier)"))
        file.close()
        _ = try CacheFile.opened(scratch.path())
    }

    @Test(
        "what a link beside the cache leads to is not written, whatever its name",
        arguments: [".lock", ".note", ".new", ".note.new", ""], [true, false])
    func links(suffix: String, symbolic: Bool) throws {
        let (scratch, elsewhere) = (try Scratch(), try Scratch())
        // Empty, it would do as a new cache; else it is somebody's.
        let precious = suffix.isEmpty ? [] : Array("root:x:0:0:root:/root:/bin/sh\n".utf8)
        try elsewhere.write(precious, "precious")
        let (link, target) = (scratch.path() + suffix, elsewhere.path("precious"))
        if symbolic {
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
        } else {
            try FileManager.default.linkItem(atPath: target, toPath: link)
        }
        if suffix == ".lock", symbolic {
            #expect(throws: StorageError.self) { _ = try CacheFile.opened(scratch.path()) }
        } else {
            for _ in 0..<2 {
                let (file, _) = try CacheFile.opened(scratch.path())
                file.insert(revision("a1", .today(1)), Self.a)
                file.move(to: .today(1))
                #expect(file.revision(of: Self.a, at: .today(1)) != nil)
                file.close()
            }
        }
        #expect(try elsewhere.bytes("precious") == precious)
        #expect(!elsewhere.exists("precious.lock") || suffix.isEmpty)
    }

    @Test("what is made is for its owner alone")
    func permissions() throws {
        let scratch = try Scratch()
        let (file, _) = try CacheFile.opened(scratch.path())
        file.close()
        for name in try FileManager.default.contentsOfDirectory(atPath: scratch.folder.path) {
            let mode = try FileManager.default.attributesOfItem(atPath: scratch.path(name))[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test("one that was made and never adopted goes, but for its lock; one that was there stays as it was")
    func nothingLeft() throws {
        let scratch = try Scratch()
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: scratch.folder.path).sorted()
        }
        func opened() throws -> CacheFile {
            let opening = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source)
            guard case .opened(let file, _) = opening else { throw StorageError.wrongState("left alone") }
            return file
        }
        var file = try opened()
        guard case .leftAlone = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source) else {
            throw StorageError.wrongState("opened twice")
        }
        #expect(try names() == ["c.zec", "c.zec.lock"])
        file.close()
        #expect(try names() == ["c.zec.lock"])
        file = try opened()
        file.adopt()
        file.close()
        #expect(try names() == ["c.zec", "c.zec.lock", "c.zec.note"])
        try FileManager.default.removeItem(atPath: scratch.path("c.zec.lock"))
        let bytes = try scratch.bytes()
        try opened().close()
        #expect(try names() == ["c.zec", "c.zec.lock", "c.zec.note"])
        #expect(try scratch.bytes() == bytes)
        // What is no cache is not even locked.
        try scratch.write(Array("no cache".utf8), "other")
        #expect(throws: StorageError.self) {
            try CacheFile.open(scratch.path("other"), size: 4096, for: CacheFile.source)
        }
        #expect(throws: StorageError.self) { try CacheFile.clear(scratch.path("other")) }
        #expect(throws: StorageError.self) { try CacheFile.clear(scratch.path("none")) }
        #expect(try names() == ["c.zec", "c.zec.lock", "c.zec.note", "other"])
    }

    @Test(
        "who has opened the lock file and locks it when it is released excludes others, as Python does it",
        arguments: [true, false])
    func lockFileStays(isAdopted: Bool) throws {
        let scratch = try Scratch()
        let opening = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source)
        guard case .opened(let file, _) = opening else { throw StorageError.wrongState("left alone") }
        if isAdopted { file.adopt() }
        let late = open(scratch.path("c.zec.lock"), O_RDWR)
        defer { close(late) }
        #expect(flock(late, LOCK_EX | LOCK_NB) != 0)
        file.close()
        #expect(flock(late, LOCK_EX | LOCK_NB) == 0)
        guard case .leftAlone = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source) else {
            throw StorageError.wrongState("two have it")
        }
    }

    @Test("what is discarded while the file may not be changed yet goes from it when it may, before it comes anew")
    func discardedBefore() throws {
        let scratch = try Scratch()
        var (file, remarks) = try CacheFile.opened(scratch.path())
        file.insert(revision("a1", .today(1), next: .today(2)), Self.a)
        file.insert(revision("a2", .today(2)), Self.a)
        file.insert(revision("b1", .today(1)), Self.b)
        file.move(to: .today(2))
        file.close()
        let bytes = try scratch.bytes()
        guard case .opened(let again, _) = try CacheFile.open(scratch.path(), size: 4096, for: CacheFile.source) else {
            throw StorageError.wrongState("left alone")
        }
        again.discard(Self.a, .today(1))
        again.discard(Self.a, .today(2))
        #expect(again.revision(of: Self.a, at: .today(2)) == nil)
        #expect(try scratch.bytes() == bytes)
        again.adopt()
        again.insert(revision("a3", .today(2)), Self.a)
        again.insert(revision("a0", .today(1), next: .today(2)), Self.a)
        again.close()
        (file, remarks) = try CacheFile.opened(scratch.path())
        #expect(remarks == [])
        #expect(file.count == 3)
        #expect(file.revision(of: Self.a, at: .today(1))?.data == Array("a0".utf8))
        #expect(file.revision(of: Self.a, at: .today(2)) == revision("a3", .today(2)))
        #expect(file.revision(of: Self.b, at: .today(2)) != nil)
    }

    @Test("servers are told apart by their addresses as they are spelled, one of a list is enough")
    func sources() {
        func shares(_ a: String, _ b: String) -> Bool {
            CacheSource(server: a, storage: "1").sharesServer(with: CacheSource(server: b, storage: "1"))
        }
        #expect(shares("db1:8800", "DB1:8800"))
        #expect(shares("db2:8800,db1:8800", "db1:8800"))
        #expect(!shares("localhost:8800", "127.0.0.1:8800"))
        #expect(!shares("127.0.0.1:8800 through db1", "127.0.0.1:8800 through db2"))
        #expect(!shares("/run/a.sock", "/run/A.sock"))
        #expect(
            !CacheSource(server: "a:1", storage: "1").sharesServer(with: CacheSource(server: "a:1", storage: "main")))
    }

    @Test("what is discarded is not found again, nor is it after an end")
    func discarded() throws {
        let scratch = try Scratch()
        var (file, _) = try CacheFile.opened(scratch.path())
        file.insert(revision("a1", .today(1), next: .today(2)), Self.a)
        file.insert(revision("a2", .today(2)), Self.a)
        file.insert(revision("b1", .today(1)), Self.b)
        file.move(to: .today(2))
        file.discard(Self.a, .today(2))
        #expect(file.revision(of: Self.a, at: .today(2)) == nil)
        #expect(file.revision(of: Self.a, at: .today(1))?.serial == .today(1))
        file.insert(revision("a3", .today(2)), Self.a)
        #expect(file.revision(of: Self.a, at: .today(2)) == revision("a3", .today(2)))
        file.discard(Self.a, .today(1))
        file.close()
        (file, _) = try CacheFile.opened(scratch.path())
        #expect(file.count == 2)
        #expect(file.revision(of: Self.a, at: .today(1)) == nil)
        #expect(file.revision(of: Self.a, at: .today(2)) == revision("a3", .today(2)))
        #expect(file.revision(of: Self.b, at: .today(2)) != nil)
    }

    @Test("what was written when the machine stopped is not believed; what was when a process ended, is")
    func powerCut() throws {
        let scratch = try Scratch()
        for boot in [CacheNote.boot() ?? "unknown", "another"] {
            let (file, _) = try CacheFile.opened(scratch.path())
            file.insert(revision("a1", .today(1)), Self.a)
            file.move(to: .today(1))
            let (bytes, note) = (try scratch.bytes(), try scratch.bytes("c.zec.note"))
            file.close()
            // As it was before the end.
            try scratch.write(bytes)
            let text = String(decoding: note, as: UTF8.self)
                .replacingOccurrences(of: CacheNote.boot() ?? "unknown", with: boot)
            try scratch.write(Array(text.utf8), "c.zec.note")
            guard
                case .opened(let again, let remarks) = try CacheFile.open(
                    scratch.path(), size: 4096, for: CacheFile.source)
            else { throw StorageError.wrongState("left alone") }
            #expect(again.isEmpty == (boot == "another"))
            #expect(remarks.count == (boot == "another" ? 1 : 0))
            #expect(again.isFamiliar == (boot == "another"))
            again.close()
            try FileManager.default.removeItem(atPath: scratch.path())
        }
    }

    @Test("a cache that is another server's, or that others wrote to, is not familiar")
    func familiar() throws {
        let scratch = try Scratch()
        let (file, _) = try CacheFile.opened(scratch.path())
        file.insert(revision("a1", .today(1)), Self.a)
        file.move(to: .today(1))
        file.close()
        let bytes = try scratch.bytes()
        let another = CacheSource(server: "db2:8800", storage: "1")
        // The last time the file is as the first one left it, and the note is the second one's.
        for (source, expected) in [(CacheFile.source, true), (another, false), (CacheFile.source, false)] {
            guard case .opened(let again, _) = try CacheFile.open(scratch.path(), size: 4096, for: source) else {
                throw StorageError.wrongState("left alone")
            }
            #expect(again.isFamiliar == expected)
            again.adopt()
            again.move(to: .today(2))
            again.close()
            if source == another { try scratch.write(bytes) }
        }
    }

    @Test("a disk that fails gives the file up, and it is not believed afterwards")
    func failing() throws {
        let scratch = try Scratch()
        let (file, _) = try CacheFile.opened(scratch.path())
        file.insert(revision("a1", .today(1)), Self.a)
        file.move(to: .today(1))
        // Another object's number, in place.
        let handle = try FileHandle(forUpdating: URL(filePath: scratch.path()))
        try handle.seek(toOffset: 20)
        try handle.write(contentsOf: Data([0xff]))
        try handle.close()
        #expect(file.revision(of: Self.a, at: .today(1)) == nil)
        #expect(file.failure != nil)
        #expect(file.isEmpty)
        file.insert(revision("b1", .today(1)), Self.b)
        file.close()
        let (again, remarks) = try CacheFile.opened(scratch.path())
        #expect(again.isEmpty)
        #expect(remarks.count == 1)
    }
}

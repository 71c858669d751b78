import Backup
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("zeoshell backup")
struct CommandLineTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: folder.file("Data.fs"))
    }

    private func run(_ arguments: String...) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(
            arguments.map { $0.replacing("$", with: folder.url.path) }, environment: ["TMPDIR": folder.url.path])
    }

    private func fact(_ name: String, _ outcome: BuiltProgram.Outcome) throws -> String? {
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        return object?[name].map { "\($0)" }
    }

    @Test("answers in one line, from either order of words, and in JSON")
    func lines() throws {
        let full = try run("backup", "$/Data.fs", "$/r")
        #expect(full.status == 0)
        #expect(full.output.hasPrefix("full \(folder.url.path)/r/"))
        #expect(full.output.split(separator: "\n").count == 1)
        let nothing = try run("$/Data.fs", "backup", "--quick", "$/r", "-o", "json")
        #expect(nothing.status == 0)
        #expect(try fact("kind", nothing) == "none")
        let again = try run("$/Data.fs", "backup", "--full", "--gzip", "--keep", "1", "$/r", "-o", "json")
        #expect(try fact("kind", again) == "full")
        #expect(try fact("reason", again) == "asked for")
        #expect(try Repository(folder.file("r")).chains.count == 1)
        #expect(try run("backup", "list", "$/r", "--fields", "kind").output == "full\n")
    }

    @Test("verifies: 0 when sound, 1 with a list of what is not")
    func verification() throws {
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        let sound = try run("backup", "verify", "$/r", "-o", "json")
        #expect(sound.status == 0)
        #expect(try fact("ok", sound) == "1")
        let proof = try run("backup", "verify", "--restore", "$/r")
        #expect(proof.status == 0, "\(proof.errors)")
        #expect(proof.output.contains("restored"))
        #expect(try folder.names(in: ".").sorted() == ["Data.fs", "r"])
        let chunk = try #require(try folder.names(in: "r").first { $0.hasSuffix(".fs") })
        var bytes = try folder.content("r/\(chunk)")
        bytes[bytes.count - 100] ^= 1
        try bytes.write(to: URL(filePath: folder.file("r/\(chunk)")))
        #expect(try run("backup", "verify", "--quick", "$/r").status == 0)
        let damaged = try run("backup", "verify", "$/r")
        #expect(damaged.status == 1)
        #expect(damaged.output.hasPrefix("\(chunk) has checksum "))
        #expect(try run("backup", "verify", "--restore", "$/r").status == 1)
        let refused = try run("backup", "restore", "$/r", "$/out.fs")
        #expect(refused.status == 7)
        #expect(!FileManager.default.fileExists(atPath: folder.file("out.fs")))
        #expect(try run("backup", "verify", "$/nowhere").status == 8)
    }

    @Test("restores nothing over a file, unless told to, and never over one that is open")
    func overwriting() throws {
        #expect(try run("backup", "$/Data.fs", "$/r").status == 0)
        #expect(try run("backup", "restore", "$/r", "$/out.fs").status == 0)
        #expect(try folder.content("out.fs") == folder.content("Data.fs"))
        let refused = try run("backup", "restore", "$/r", "$/out.fs")
        #expect(refused.status == 5)
        #expect(refused.errors.contains("--force"))
        try Data("other".utf8).write(to: URL(filePath: folder.file("out.fs.index")))
        #expect(try run("backup", "restore", "--force", "$/r", "$/out.fs").status == 0)
        #expect(try folder.content("out.fs.index") != Data("other".utf8))
        // Somebody reads it: no lock tells, but the system does.
        let reader = try FileHandle(forReadingFrom: URL(filePath: folder.file("out.fs")))
        let open = try run("backup", "restore", "--force", "$/r", "$/out.fs")
        #expect(open.status == 8)
        #expect(open.errors.contains("process \(getpid())"), "\(open.errors)")
        try reader.close()
        do {
            let writer = try FileStorage(folder.file("out.fs"), options: .init(isWritable: true))
            defer { writer.close() }
            #expect(try run("backup", "restore", "--force", "$/r", "$/out.fs").status == 8)
        }
        #expect(try run("backup", "restore", "--force", "$/r", "$/out.fs").status == 0)
        #expect(try run("backup", "restore", "$/r", "$/other.fs", "-D", "yesterday").status == 2)
        #expect(try run("backup", "restore", "$/r", "$/other.fs", "-D", "1999-01-01").status == 7)
    }

    @Test("a backup is opened like a database, at any moment of it", arguments: [[], ["--gzip"]])
    func opening(options: [String]) throws {
        let outcome = try BuiltProgram.zeoshell.run(
            ["backup", folder.file("Data.fs"), folder.file("r")] + options)
        #expect(outcome.status == 0)
        let log = try run("log", "$/Data.fs", "--limit", "5", "-o", "jsonl")
        #expect(try run("log", "repozo:$/r", "--limit", "5", "-o", "jsonl").output == log.output)
        #expect(try run("tree", "repozo:$/r", "/").output == run("tree", "$/Data.fs", "/").output)
        let tids = try run("log", "$/Data.fs", "--fields", "tid").output.split(separator: "\n")
        for tid in [tids[1], tids[tids.count / 2], tids[tids.count - 1]] {
            #expect(try run("log", "repozo:$/r@\(tid)", "--limit", "1", "--fields", "tid").output == "\(tid)\n")
            let then = try run("ls", "$/Data.fs", "/@\(tid)", "--fields", "name")
            #expect(try run("ls", "repozo:$/r@\(tid)", "/", "--fields", "name").output == then.output)
            #expect(try run("backup", "restore", "$/r@\(tid)", "$/\(tid).fs").status == 0)
            #expect(try run("log", "$/\(tid).fs", "--limit", "1", "--fields", "tid").output == "\(tid)\n")
        }
        #expect(try run("ls", "repozo:$/r", "--rw").status == 5)
        #expect(try run("ls", "repozo:$/nowhere").status == 8)
    }

    @Test("follows: a backup after each commit, until it is told to end")
    func following() throws {
        let storage = try FileStorage(folder.file("Data.fs"), options: .init(isWritable: true))
        defer { storage.close() }
        let outcome = try BuiltProgram.zeoshell.run(
            ["backup", folder.file("Data.fs"), folder.file("r"), "--follow", "--interval", "1"],
            meanwhile: { process in
                for count in 1...3 {
                    waitFor { (try? Repository(folder.file("r")).chains.first?.files.count) == count }
                    if count < 3, let transaction = try? storage.begin(TransactionMetadata()) {
                        _ = try? transaction.store(
                            [0x80, 3, 0x4e, 0x2e], for: ObjectID(rawValue: 0xffff), basedOn: last(storage))
                        _ = try? transaction.vote()
                        _ = try? transaction.finish()
                    }
                }
                kill(process, SIGINT)
            })
        #expect(outcome.status == 130, "\(outcome.errors)")
        #expect(outcome.output.split(separator: "\n").map { $0.prefix(4) } == ["full", "incr", "incr"])
        #expect(try Repository(folder.file("r")).verify().problems == [])
    }

    private func last(_ storage: FileStorage) -> TransactionID {
        (try? storage.load(ObjectID(rawValue: 0xffff), at: .latest).serial) ?? .none
    }

    /// Until something is so; a minute at most, whereafter the test says what is missing.
    private func waitFor(_ condition: () -> Bool) {
        for _ in 0..<1200 where !condition() { usleep(50_000) }
    }
}

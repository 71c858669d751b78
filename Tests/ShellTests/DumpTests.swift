import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

/// A folder for the files of one test.
private final class Scratch {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dump-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    }

    /// Runs the program by the system's shell, for outputs that are no text.
    @discardableResult
    func shell(_ line: String) throws -> BuiltProgram.Outcome {
        try BuiltProgram(url: URL(filePath: "/bin/sh")).run([
            "-c", "cd '\(folder.path)'; z='\(BuiltProgram.zeoshell.url.path)'; fs='\(SampleData.path("fs"))'; " + line,
        ])
    }

    func dump(_ file: String, _ options: String = "", to name: String = "out") throws -> Data {
        let run = try shell("\"$z\" dump '\(file)' \(options) > \(name)")
        #expect(run.status == 0 && run.errors == "", "\(run.errors)")
        return try bytes(name)
    }
}

@Suite("Dumps")
struct DumpTests {
    private static let captured = ["py3-zodb6", "py3-zodb6-refs", "undo", "undo-packed-nogc", "zlib"]
    private static let all = SampleData.names(in: "fs", ending: ".fs")

    private static func captured(_ name: String) throws -> Data {
        Data(try SampleData.bytes("expected/dumps/\(name).zdump"))
    }

    private static func read(_ bytes: [UInt8]) throws(StorageError) -> [DumpedTransaction] {
        var pieces = [bytes, []]
        var reader = DumpReader("dump") { () throws(StorageError) in pieces.removeFirst() }
        var all: [DumpedTransaction] = []
        while let transaction = try reader.next() { all.append(transaction) }
        return all
    }

    @Test("are those that zodb dump of zodbtools writes, byte for byte", arguments: captured)
    func sameAsZodbtools(name: String) throws {
        #expect(try Scratch().dump(SampleData.path("fs/\(name).fs")) == Self.captured(name))
    }

    @Test("without a transaction in them are refused, and leave no file")
    func empty() throws {
        let scratch = try Scratch()
        let run = try scratch.shell("\"$z\" load-dump new.fs < /dev/null")
        #expect(run.status == 7 && run.errors.contains("no transaction in it"), "\(run)")
        #expect(scratch.names.isEmpty)
    }

    @Test("of hashes alone too")
    func hashes() throws {
        #expect(try Scratch().dump(SampleData.path("fs/zope5.fs"), "--hash-only") == Self.captured("zope5.hashes"))
    }

    @Test(
        "of zodbtools become a database in which Python finds what was in the first",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"), arguments: captured.filter { $0 != "zlib" })
    func restored(name: String) throws {
        let scratch = try Scratch()
        let dump = SampleData.path("expected/dumps/\(name).zdump")
        let run = try scratch.shell("\"$z\" load-dump new.fs '\(dump)'")
        #expect(run.status == 0, "\(run.errors)")
        #expect(scratch.names == ["new.fs", "new.fs.index"])
        // Before Python opens it: it would write an index of its own.
        #expect(try scratch.dump(scratch.path("new.fs")) == Self.captured(name))
        let code = """
            import sys, hashlib
            from ZODB.FileStorage import FileStorage
            for path in sys.argv[1:]:
                fs = FileStorage(path, read_only=True)
                seen = []
                for txn in fs.iterator():
                    seen.append((txn.tid, txn.status, txn.user, txn.description, txn.extension_bytes))
                    seen.extend((r.oid, r.tid, r.data, r.data_txn) for r in sorted(txn, key=lambda r: r.oid))
                print(hashlib.sha1(repr(seen).encode()).hexdigest(), len(seen), fs._used_index)
                fs.close()
            """
        try scratch.shell("cp \"$fs/\(name).fs\" old.fs")
        let found = try PythonPeer.zeo6.run(code, [scratch.path("old.fs"), scratch.path("new.fs")])
            .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(found.count == 2)
        #expect(found[0].prefix(2) == found[1].prefix(2))
        #expect(found[1].last == "1", "Python takes the index that was written along")
    }

    @Test("of every sample come back the same from a database made of them", arguments: all)
    func roundTrip(name: String) throws {
        let scratch = try Scratch()
        let file = SampleData.path("fs/\(name).fs")
        let dump = try scratch.dump(file, to: "first")
        let generation = try SampleData.bytes("fs/\(name).fs").starts(with: Array("FS21".utf8)) ? 2 : 3
        let run = try scratch.shell("\"$z\" load-dump new.fs first --python \(generation)")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try scratch.dump(scratch.path("new.fs"), to: "second") == dump)
        #expect(try scratch.bytes("new.fs").prefix(4) == Data("FS\(generation == 2 ? "21" : "30")".utf8))
    }

    @Test("in parts, appended one to the other, are the whole")
    func parts() throws {
        let scratch = try Scratch()
        let file = SampleData.path("fs/undo.fs")
        let run = try scratch.shell(
            """
            set -e
            middle=$("$z" log "$fs/undo.fs" --fields tid | sed -n 9p)
            "$z" dump "$fs/undo.fs" ..$middle > a
            "$z" dump "$fs/undo.fs" $middle.. > b
            "$z" load-dump -q new.fs a
            "$z" dump "$fs/undo.fs" --since $middle > c
            cmp b c
            next=$("$z" log "$fs/undo.fs" --fields tid | sed -n 8p)
            "$z" dump "$fs/undo.fs" $next.. | "$z" load-dump --append new.fs
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.hasPrefix("new.fs: 8 transactions and "), "\(run.output)")
        #expect(try scratch.dump(scratch.path("new.fs")) == scratch.dump(file, to: "whole"))
        // What is there already is no second time.
        let again = try scratch.shell("\"$z\" load-dump --append new.fs b")
        #expect(again.status == 7)
        #expect(try scratch.dump(scratch.path("new.fs")) == scratch.bytes("whole"))
    }

    @Test("that are damaged make no file, and tell the line")
    func damaged() throws {
        let scratch = try Scratch()
        let whole = try scratch.dump(SampleData.path("fs/undo.fs"), to: "whole")
        var flipped = whole
        let marker = try #require(whole.range(of: Data("Account".utf8)))
        flipped[marker.lowerBound] ^= 1
        let cut = whole.dropLast(whole.count / 3)
        for (name, bytes, words) in [
            ("flipped", flipped, "invalid sha1 of the data of"), ("cut", Data(cut), "line "),
            ("words", Data("once upon a time\n".utf8), "line 1: invalid beginning of a transaction"),
            ("hashes", try Self.captured("zope5.hashes"), "a dump of hashes alone"),
        ] {
            try bytes.write(to: scratch.folder.appending(path: name))
            let run = try scratch.shell("\"$z\" load-dump new.fs \(name)")
            #expect(run.status == 7 || run.status == 5, "\(name) \(run.errors)")
            #expect(run.errors.contains(words), "\(run.errors)")
            #expect(scratch.names.allSatisfy { !$0.hasPrefix("new") }, "\(scratch.names)")
        }
    }

    @Test("every byte flipped, and every length: an error or the same transactions, never a crash")
    func flipped() throws {
        let whole = [UInt8](try Self.captured("undo"))
        let expected = try Self.read(whole)
        #expect(expected.count == 19)
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x21
            if let found = try? Self.read(bytes) { #expect(found.count <= expected.count) }
            if index.isMultiple(of: 7), let found = try? Self.read(Array(whole[..<index])) {
                #expect(found == Array(expected.prefix(found.count)))
            }
        }
    }

    @Test("never replace a file, and name what is in the way")
    func existing() throws {
        let scratch = try Scratch()
        let run = try scratch.shell(
            "\"$z\" dump \"$fs/undo.fs\" > d; echo precious > new.fs; \"$z\" load-dump new.fs d")
        #expect(run.status == 8)
        #expect(run.errors.contains("new.fs: there is a file already (--append adds to it"))
        #expect(try scratch.bytes("new.fs") == Data("precious\n".utf8))
        // It is no Data.fs either.
        #expect(try scratch.shell("\"$z\" load-dump --append new.fs d").status == 7)
        #expect(try scratch.bytes("new.fs") == Data("precious\n".utf8))
    }

    @Test(
        "--plain says what Python's fsdump says", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"),
        arguments: ["py3-zodb6", "undo", "undo-packed", "zope5", "deep-btree"])
    func plain(name: String) throws {
        let scratch = try Scratch()
        try scratch.shell("cp \"$fs/\(name).fs\" copy.fs")
        let expected = try PythonPeer.zeo6.run(
            "import sys; from ZODB.FileStorage.fsdump import fsdump; fsdump(sys.argv[1], with_offset=0)",
            [scratch.path("copy.fs")])
        let found = String(decoding: try scratch.dump(scratch.path("copy.fs"), "--plain"), as: UTF8.self)
        #expect(found.split(separator: "\n") == expected.split(separator: "\n"))
    }

    @Test("of a server are those of its file", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func server() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/undo.fs")])
        guard case .port(let port) = server.address else { return }
        let found = try Self.read([UInt8](Scratch().dump("127.0.0.1:\(port)", "--timeout 60")))
        let expected = try Self.read([UInt8](Self.captured("undo")))
        func withoutExtensions(_ transactions: [DumpedTransaction]) -> [DumpedTransaction] {
            transactions.map { transaction in
                var transaction = transaction
                // A server tells what is in it, and not its bytes.
                transaction.metadata.extensionData = []
                return transaction
            }
        }
        #expect(withoutExtensions(found) == withoutExtensions(expected))
        #expect(found.map(\.metadata.extensionData.isEmpty) == expected.map(\.metadata.extensionData.isEmpty))
    }

    @Test(
        "quote what is not printable, and read all that zodbtools may write",
        arguments: [
            ("plain text", #""plain text""#), ("a\"b\\c'", #""a\"b\\c'""#),
            ("\u{0}\u{7}\u{b}\n\r\t\u{7f}", #""\x00\x07\x0b\n\r\t\x7f""#),
            ("é€😀", "\"é€😀\""), ("\u{200b}\u{a0}\u{3000}\u{e000}", #""\xe2\x80\x8b\xc2\xa0\xe3\x80\x80\xee\x80\x80""#),
        ])
    func quoting(text: String, quoted: String) throws {
        let storage = MemoryStorage("db1")
        let transaction = try storage.begin(TransactionMetadata(user: Array(text.utf8)))
        try transaction.store(Array("cm\nC\n.N.".utf8), for: .root, basedOn: .none)
        _ = try transaction.vote()
        _ = try transaction.finish()
        let run = try Look(storage).run("dump")
        #expect(run.lines[1] == "user " + quoted)
        var pieces: [[UInt8]] = [Array(run.output.utf8), []]
        var reader = DumpReader("dump") { () throws(StorageError) in pieces.removeFirst() }
        #expect(try reader.next()?.metadata.user == Array(text.utf8))
    }
}

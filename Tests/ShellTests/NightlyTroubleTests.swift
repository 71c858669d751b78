import Foundation
import TestSupport
import Testing

/// What jobs say of damage and of wrong words: what is wrong, where, and what to try.
@Suite("Trouble of nightly jobs")
final class NightlyTroubleTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "trouble-\(UUID().uuidString)")
    private let program = BuiltProgram.zeoshell
    private let sound = SampleData.path("fs/zope5.fs")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func file(_ name: String) -> String { folder.appending(path: name).path }

    private func run(_ words: String..., status: Int32) throws -> BuiltProgram.Outcome {
        let outcome = try program.run(words, environment: ["HOME": folder.path])
        #expect(outcome.status == status, "\(words): \(outcome)")
        return outcome
    }

    /// Where the transactions of a sample begin.
    private func transactions(_ bytes: [UInt8]) -> [Int] {
        var (position, starts): (Int, [Int]) = (4, [])
        while position < bytes.count {
            starts.append(position)
            position += bytes[position + 8..<position + 16].reduce(0) { $0 << 8 | Int($1) } + 8
        }
        return starts
    }

    @Test(
        "A dump of a damaged file has all other transactions, and exit code 7",
        arguments: ["length", "record", "trailer"])
    func dump(damage: String) throws {
        var bytes = try SampleData.bytes("fs/zope5.fs")
        let starts = transactions(bytes)
        let (start, end) = (starts[8], starts[9])
        switch damage {
        case "length": bytes[start + 10] = 0x7f
        // The pointer of its first record to the transaction.
        case "record":
            bytes[start + 23 + Int(bytes[start + 18]) + Int(bytes[start + 20]) + Int(bytes[start + 22]) + 31] ^= 1
        default: bytes[end - 3] ^= 0x55
        }
        let path = file("Data.fs")
        try Data(bytes).write(to: URL(filePath: path))
        for options in [["--hash-only"], []] {
            // Each begins with a tid, and ends with an empty line.
            let whole = try program.run(["dump", sound] + options + ["-o", "plain"]).output
            let outcome = try program.run(["dump", path] + options + ["-o", "plain"])
            #expect(outcome.status == 7)
            guard options == ["--hash-only"] else { continue }
            var parts = whole.components(separatedBy: "\n\ntxn ")
            parts.remove(at: 8)
            #expect(outcome.output == parts.joined(separator: "\n\ntxn "))
            #expect(outcome.errors.contains("everything was written but"), "\(outcome.errors)")
            #expect(outcome.errors.contains("verify' tells what is damaged"), "\(outcome.errors)")
        }
        let plain = try run("dump", path, "--plain", status: 7).output
        #expect(plain.components(separatedBy: "Trans #").count >= starts.count)
    }

    @Test("A pack of an empty file leaves it so: a sound database without objects would hide that it was emptied")
    func emptied() throws {
        let path = file("Data.fs")
        try Data().write(to: URL(filePath: path))
        #expect(try run("pack", path, "--days", "0", status: 7).errors.contains("the file is empty: 0 bytes"))
        #expect(try Data(contentsOf: URL(filePath: path)).isEmpty)
        #expect(try run("check", path, status: 2).output.contains("the file is empty"))
    }

    @Test("A mistyped option of pack is named, before the time that is missing then")
    func mistyped() throws {
        #expect(try run("pack", sound, "--dayz", "7", status: 2).errors.contains("'--dayz'"))
        #expect(try run("pack", sound, status: 2).errors.contains("--days 0 keeps none"))
    }

    @Test("A list of backups where there are none is an error")
    func noBackups() throws {
        #expect(try run("backup", "list", folder.path, status: 7).errors.contains("no backup in it"))
    }

    @Test(
        "A pipe that nobody writes to is waited for until somebody wants an end",
        arguments: [["load-dump", "new.fs"], ["connect", "SOUND", "-f"]])
    func pipe(words: [String]) throws {
        try #require(mkfifo(file("pipe"), 0o600) == 0)
        let words = words.map { $0 == "SOUND" ? sound : $0 == "new.fs" ? file($0) : $0 }
        let job = try RunningProgram(.zeoshell, words + [file("pipe")], environment: ["HOME": folder.path])
        // It cannot end by itself. Were it told before it listens, it would end as well.
        usleep(300_000)
        job.signal(SIGTERM)
        #expect(try job.end() == 143)
        #expect(!FileManager.default.fileExists(atPath: file("new.fs")))
    }

    @Test("A pipe is no file of --resume")
    func resumedFromPipe() throws {
        try #require(mkfifo(file("pipe"), 0o600) == 0)
        _ = try run("verify", sound, "--resume", file("pipe"), status: 8)
    }

    @Test("What meets damage says what to do about it", arguments: ["get", "du", "pack", "ls"])
    func damaged(command: String) throws {
        var bytes = try SampleData.bytes("fs/zope5.fs")
        bytes[transactions(bytes)[8] + 10] = 0x7f
        let path = file("Data.fs")
        try Data(bytes).write(to: URL(filePath: path))
        let words = [command, path] + (command == "pack" ? ["--days", "0"] : command == "get" ? ["/"] : [])
        let outcome = try program.run(words, environment: ["HOME": folder.path])
        #expect(outcome.status == 7)
        #expect(outcome.errors.contains("verify' tells what is damaged and what to do"), "\(outcome.errors)")
        #expect(try Array(Data(contentsOf: URL(filePath: path))) == bytes)
    }

    @Test("A file that ends between two transactions is damaged when its .index knows more, unless that is another's")
    func cut() throws {
        let bytes = try SampleData.bytes("index/index-zodb6.fs")
        let end = transactions(bytes).suffix(3)[transactions(bytes).count - 3]
        let path = file("Data.fs")
        try Data(bytes.prefix(end)).write(to: URL(filePath: path))
        _ = try run("verify", path, status: 0)
        _ = try run("check", path, status: 0)
        let index = try Data(SampleData.bytes("index/index-zodb6.fs.index"))
        try index.write(to: URL(filePath: path + ".index"))
        let found = try run("verify", path, status: 1)
        #expect(found.output.contains("the .index knows \(bytes.count) bytes, the file has \(end)"), "\(found)")
        #expect(found.output.contains("damage") && found.output.contains("tail"))
        #expect(try run("check", path, status: 2).output.contains("the .index knows \(bytes.count) bytes"))
        // Of another file, which it does not fit.
        let other = file("Other.fs")
        try Data(SampleData.bytes("fs/undo.fs")).write(to: URL(filePath: other))
        try index.write(to: URL(filePath: other + ".index"))
        #expect(!(try program.run(["verify", other]).output.contains("transactions are gone")))
    }

    @Test("An empty file, and what verify cannot see, are told")
    func empty() throws {
        let path = file("empty.fs")
        try Data().write(to: URL(filePath: path))
        let found = try run("verify", path, status: 1)
        #expect(found.errors.contains("restore a backup; ZODB opens it as a new database"), "\(found)")
        #expect(try run("help", "verify", status: 0).output.contains("no checksums"))
    }

    @Test("Words that contradict each other, or are out of range, are told as such")
    func words() throws {
        func refuses(_ words: String..., saying text: String) throws {
            let outcome = try program.run(words, environment: ["HOME": folder.path])
            #expect(outcome.status == 2, "\(words): \(outcome)")
            #expect(outcome.errors.contains(text), "\(words): \(outcome.errors)")
        }
        try refuses("pack", sound, "--days", "1", "--at", "yesterday", saying: "--days and --at both say")
        try refuses("pack", sound, "--days", "-1", saying: "--days -1: it takes no negative value")
        try refuses("du", sound, "--top", "-3", saying: "--top -3: it takes no negative value")
        try refuses(
            "du", sound, "--since", "2026-01-01", "--until", "2025-01-01", saying: "'2025-01-01' is before '2026-01-01'"
        )
        try refuses("load-dump", "db1:8800", "/dev/null", saying: "db1:8800 is no Data.fs")
        try refuses("load-dump", "--append", "db1:8800", "/dev/null", saying: "db1:8800 is no Data.fs")
    }

    @Test("check tells a monitoring system of its usage where that looks: in a line of standard output")
    func check() throws {
        func unknown(_ words: String..., saying text: String) throws {
            let outcome = try program.run(["check"] + words, environment: ["HOME": folder.path])
            #expect(outcome.status == 3 && outcome.errors == "", "\(words): \(outcome)")
            #expect(outcome.output.hasPrefix("ZODB UNKNOWN - check: "), "\(outcome.output)")
            #expect(outcome.output.contains(text) && outcome.output.hasSuffix("\n"), "\(outcome.output)")
        }
        try unknown(sound, "--format", "xml", saying: "'nagios' and 'openmetrics'")
        try unknown(sound, sound, saying: "unexpected argument")
        try unknown(sound, "--size-warning", "20G", "--size-critical", "10G", saying: "--size-warning is above")
        try unknown(sound, "--age-warning", "-1", saying: "takes no negative value")
    }

    @Test("--single says that its lock cannot be made")
    func single() throws {
        let outcome = try program.run(
            ["info", sound, "--single", "x"], environment: ["XDG_STATE_HOME": "/proc/nowhere"])
        #expect(outcome.status == 8)
        #expect(outcome.errors.contains("the lock of --single cannot be made there"), "\(outcome.errors)")
    }
}

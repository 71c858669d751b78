import Foundation
import TestSupport
import Testing

@testable import Shell

@Suite("check and verify from the system's shell")
struct CheckTests {
    private let program = BuiltProgram.zeoshell

    private func run(_ words: String..., status: Int32) throws -> BuiltProgram.Outcome {
        let outcome = try program.run(words)
        #expect(outcome.status == status, "\(words): \(outcome)")
        return outcome
    }

    @Test("A sound file is OK, in a line that a monitoring system can take apart.")
    func okay() throws {
        let line = try run("check", SampleData.path("fs/zope5.fs"), status: 0).output
        #expect(line.hasPrefix("ZODB OK - "))
        let parts = line.trimmingCharacters(in: .newlines).components(separatedBy: " | ")
        #expect(parts.count == 2)
        for figure in try #require(parts.last).split(separator: " ") {
            #expect(try figure.wholeMatch(of: Regex("[a-z_]+=[0-9.]+(s|B)?;[0-9.]*;[0-9.]*;0")) != nil, "\(figure)")
        }
    }

    @Test("Each limit turns the status, and the exit code, when it is passed; the worst counts.")
    func limits() throws {
        let file = SampleData.path("fs/zope5.fs")
        #expect(try run("check", file, "--size-warning", "1K", status: 1).output.hasPrefix("ZODB WARNING - "))
        let critical = try run("check", file, "--size-warning", "1K", "--age-critical", "1s", status: 2).output
        #expect(critical.hasPrefix("ZODB CRITICAL - "))
        #expect(critical.contains("(WARNING)") && critical.contains("(CRITICAL)"))
        _ = try run("check", file, "--size-warning", "10G", "--size-critical", "20G", status: 0)
        _ = try run("check", file, "--pack-critical", "1s", status: 2)
    }

    @Test("No server is critical, no file is unknown, and so is wrong usage.")
    func trouble() throws {
        let port = try FreePort.find()
        #expect(try run("check", "127.0.0.1:\(port)", status: 2).output.contains("connection refused"))
        #expect(try run("check", "/nowhere/Data.fs", status: 3).output.hasPrefix("ZODB UNKNOWN - "))
        _ = try run("check", SampleData.path("fs/zope5.fs"), "--size-warning", "much", status: 3)
        #expect(try run("check", SampleData.path("tails/bad-magic.fs"), status: 2).output.contains("FS99"))
        #expect(
            try run("check", SampleData.path("tails/tail-bad-redundant-length.fs"), status: 2).output.contains("3871"))
    }

    @Test("A file that is cut off is critical when its .index knows more, and a warning otherwise; so is an empty one.")
    func ends() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "ends-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let bytes = try SampleData.bytes("index/index-zodb6.fs")
        let (file, index) = (folder.appending(path: "Data.fs"), folder.appending(path: "Data.fs.index"))
        try Data(bytes.prefix(bytes.count / 2)).write(to: file)
        #expect(try run("check", file.path, status: 1).output.contains("a copy that was cut short"))
        try Data(SampleData.bytes("index/index-zodb6.fs.index")).write(to: index)
        #expect(try run("check", file.path, status: 2).output.contains("the .index knows \(bytes.count) bytes"))
        #expect(try run("verify", file.path, status: 1).output.contains("damage"))
        try Data(bytes).write(to: file)
        _ = try run("check", file.path, status: 0)
        try Data(bytes.prefix(4)).write(to: file)
        #expect(try run("check", file.path, status: 2).output.contains("the .index knows \(bytes.count) bytes"))
        try FileManager.default.removeItem(at: index)
        #expect(try run("check", file.path, status: 1).output.contains("the database is empty"))
        try Data().write(to: file)
        #expect(try run("check", file.path, status: 2).output.contains("0 bytes"))
    }

    @Test("A record's header is looked at in all of the last transactions, and damage in it is critical.")
    func recordDamage() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "record-\(UUID().uuidString).fs")
        defer { try? FileManager.default.removeItem(at: file) }
        var bytes = try SampleData.bytes("fs/zope5.fs")
        // The first record's transaction pointer: the farthest from the end.
        let strings = stride(from: 4 + 17, to: 4 + 23, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        let record = 4 + 23 + strings.reduce(0, +)
        #expect(bytes[(record + 24)..<(record + 32)].elementsEqual([0, 0, 0, 0, 0, 0, 0, 4]))
        bytes[record + 31] = 0
        try Data(bytes).write(to: file)
        #expect(try run("check", file.path, status: 2).output.contains("transaction of a record"))
    }

    @Test("A limit that cannot be judged is unknown, in words.")
    func uselessLimits() throws {
        let file = SampleData.path("fs/zope5.fs")
        for limit in ["--backup-critical", "--critical", "--lock-warning"] {
            #expect(try run("check", file, limit, "1d", status: 3).output.hasPrefix("ZODB UNKNOWN - "))
        }
        #expect(try run("check", "./nowhere-zeo.sock", status: 2).output.hasPrefix("ZODB CRITICAL - "))
    }

    @Test("OpenMetrics has a type for each figure, the storage as its label, and an end; JSON is an object.")
    func formats() throws {
        let file = SampleData.path("fs/zope5.fs")
        let text = try run("check", file, "--format", "openmetrics", status: 0).output
        let lines = text.split(separator: "\n")
        #expect(lines.last == "# EOF")
        let metrics = lines.filter { !$0.hasPrefix("#") }
        for metric in metrics {
            #expect(
                try metric.wholeMatch(of: Regex("zodb_[a-z_]+\\{storage=\"[^\"]+\"\\} [0-9.]+")) != nil, "\(metric)")
        }
        #expect(lines.count { $0.hasPrefix("# TYPE") } == metrics.count)
        let json = try JSONValue(parsing: Array(run("check", file, "-o", "json", status: 0).output.utf8))
        #expect(json["status"]?.string == "OK")
    }

    @Test("The age of the last backup of a directory of repozo's is told by the names in it.")
    func backups() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "backups-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = SampleData.path("fs/zope5.fs")
        _ = try run("check", file, "--backup", folder.path, status: 2)
        for name in ["2020-01-01-00-00-00.fs", "2020-01-02-00-00-00.deltafs", "2020-01-01-00-00-00.dat", "x.fs"] {
            try Data().write(to: folder.appending(path: name))
        }
        #expect(BackupNames.time(ofName: "2020-01-02-00-00-00.deltafs") == 1_577_923_200)
        _ = try run("check", file, "--backup", folder.path, status: 0)
        _ = try run("check", file, "--backup", folder.path, "--backup-warning", "26h", status: 1)
    }

    @Test("verify ends with 0 for a sound file, 1 for one with findings, and names place, kind and object for scripts.")
    func verifies() throws {
        let sound = try run("verify", SampleData.path("fs/zope5.fs"), "--deep", "-o", "json", status: 0)
        #expect(sound.errors.contains("sound"))
        let found = try run("verify", SampleData.path("fs/py3-zodb6-refs.fs"), "-o", "jsonl", status: 1)
        let rows = try found.output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        let row = try #require(rows.first { $0["kind"]?.string == "reference" })
        #expect(row["severity"]?.string == "damage")
        #expect(row["path"]?.string == "//legacy/.body[8]")
        #expect(row["target"]?.string == "000000000000dead")
        #expect(row["advice"]?.string?.isEmpty == false)
        _ = try run("verify", SampleData.path("tails/bad-magic.fs"), status: 1)
        _ = try run("verify", "/nowhere/Data.fs", status: 8)
    }

    @Test("--resume leaves no file behind when the work is done, and takes none that is something else.")
    func resumes() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "resume-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let state = folder.appending(path: "state")
        _ = try run("verify", SampleData.path("fs/zope5.fs"), "--resume", state.path, status: 0)
        #expect(!FileManager.default.fileExists(atPath: state.path))
        try Data("precious".utf8).write(to: state)
        _ = try run("verify", SampleData.path("fs/zope5.fs"), "--resume", state.path, status: 8)
        #expect(try String(contentsOf: state, encoding: .utf8) == "precious")
    }
}

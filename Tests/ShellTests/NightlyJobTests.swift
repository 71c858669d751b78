import Foundation
import TestSupport
import Testing

/// A machine as a scheduler leaves it to a job: no terminal, no standard input, next to no environment.
private final class Night {
    let folder = FileManager.default.temporaryDirectory.appending(path: "night-\(UUID().uuidString)")
    let program = BuiltProgram.zeoshell

    init() throws {
        for name in ["var/lib/zeo", "var/lib/zeoshell", "var/log/zeo", "var/backups/zeo"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: data)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var data: String { folder.appending(path: "var/lib/zeo/Data.fs").path }

    /// Runs a line of the system's shell.
    func run(_ line: String, environment: [String: String] = [:]) throws -> BuiltProgram.Outcome {
        let settings = environment.map { "\($0.key)='\($0.value)'" }.joined(separator: " ")
        let line = line.replacingOccurrences(of: "'", with: "'\\''")
        return try BuiltProgram(url: URL(filePath: "/bin/sh")).run([
            "-c", "exec env -i \(settings) setsid -w /bin/sh -c '\(line)' <&-",
        ])
    }

    /// The paths of an example as they are here.
    func localized(_ text: String) -> String {
        text.replacingOccurrences(of: "/usr/local/bin/zeoshell", with: program.url.path)
            .replacingOccurrences(of: "/var/", with: folder.appending(path: "var").path + "/")
    }
}

@Suite("Jobs that run at night")
struct NightlyJobTests {
    private static let deploy = SampleData.root.deletingLastPathComponent().appending(path: "deploy")

    private static func lines(_ name: String) -> [String] {
        let text = (try? String(contentsOf: deploy.appending(path: name), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// The commands of the crontab.
    private static let jobs: [String] = lines("zeoshell.crontab").compactMap { line in
        let words = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: true)
        guard words.count == 7, words[0].first?.isNumber == true else { return nil }
        return words[6].trimmingCharacters(in: .whitespaces)
    }

    @Test("the lines of the crontab do what they say, without a terminal, input or home")
    func crontab() throws {
        #expect(Self.jobs.count >= 3)
        let night = try Night()
        let environment = ["XDG_STATE_HOME": night.folder.appending(path: "var/lib/zeoshell").path]
        for job in Self.jobs {
            // The sample was written long ago.
            let line = night.localized(job).replacingOccurrences(of: " 1d", with: " 2020-01-01")
                .replacingOccurrences(of: " 1w", with: " 2020-01-01")
            let run = try night.run(line, environment: environment)
            #expect(run.status == 0, "\(job): \(run.errors)")
            #expect(run.errors == "", "\(job)")
            #expect(!run.output.contains("\u{1b}"))
        }
        let report = try String(contentsOf: night.folder.appending(path: "var/log/zeo/space.csv"), encoding: .utf8)
        #expect(report.hasPrefix("class,objects,current_bytes,"))
        let dump = try Data(contentsOf: night.folder.appending(path: "var/log/zeo/today.zdump"))
        #expect(dump.starts(with: Data("txn ".utf8)))
    }

    @Test("the unit for systemd runs")
    func unit() throws {
        let night = try Night()
        let start = try #require(Self.lines("zeoshell-report.service").first { $0.hasPrefix("ExecStart=") })
        let run = try night.run(
            night.localized(String(start.dropFirst("ExecStart=".count))),
            environment: ["XDG_STATE_HOME": night.folder.path])
        #expect(run.status == 0, "\(run.errors)")
    }

    private static let analyze = "/usr/bin/systemd-analyze"

    @Test(
        "systemd finds nothing wrong with unit and timer",
        .enabled(if: FileManager.default.isExecutableFile(atPath: analyze), "systemd is not installed"))
    func verified() throws {
        let night = try Night()
        for name in ["zeoshell-report.service", "zeoshell-report.timer"] {
            // The program is not installed here.
            let text = Self.lines(name).joined(separator: "\n")
                .replacingOccurrences(of: "/usr/local/bin/zeoshell", with: "/bin/true")
            try (text + "\n").write(to: night.folder.appending(path: name), atomically: true, encoding: .utf8)
        }
        let run = try BuiltProgram(url: URL(filePath: Self.analyze)).run(
            ["verify", "--man=no", night.folder.appending(path: "zeoshell-report.timer").path])
        let findings = (run.output + run.errors).split(separator: "\n").filter { $0.contains("zeoshell-report") }
        #expect(run.status == 0 && findings.isEmpty, "\(run.output)\(run.errors)")
    }

    @Test("--single: a second run of the name ends at once and says who has it; a killed one leaves nothing behind")
    func single() throws {
        let night = try Night()
        let environment = ["HOME": night.folder.path]
        func second(_ name: String) throws -> BuiltProgram.Outcome {
            try night.program.run(["info", night.data, "--single", name, "--fields", "kind"], environment: environment)
        }
        let lock = night.folder.appending(path: ".local/state/zeoshell/single/nightly")
        // A script that does not come: it runs until it is killed.
        let first = try night.program.run(
            [night.data, "--single", "nightly"], input: nil, environment: environment
        ) { process in
            defer { kill(process, SIGKILL) }
            while (try? String(contentsOf: lock, encoding: .utf8))?.hasSuffix("\n") != true { usleep(10_000) }
            do {
                let refused = try second("nightly")
                #expect(refused.status == 9)
                #expect(refused.output == "")
                #expect(refused.errors.contains("another run of this name is under way: process \(process), since "))
                #expect(try second("other").status == 0)
            } catch {
                Issue.record(error)
            }
        }
        #expect(first.status == 128 + SIGKILL)
        #expect(try second("nightly").status == 0)
        #expect(try second("../x").status == 2)
    }

    @Test("--single without a home, and where nothing can be written, is an error of the surroundings")
    func singleNowhere() throws {
        let run = try BuiltProgram.zeoshell.run(
            ["info", SampleData.path("fs/zope5.fs"), "--single", "x"], environment: ["XDG_STATE_HOME": "/proc/nowhere"])
        #expect(run.status == 8)
        #expect(run.errors.contains("set XDG_STATE_HOME to a directory"), "\(run.errors)")
    }

    @Test("--quiet leaves out remarks, and the result of a job; never what was asked for, nor what is wrong")
    func quiet() throws {
        let night = try Night()
        let file = SampleData.path("fs/zope5.fs")
        let loud = try night.program.run(["du", file, "--top", "1"])
        #expect(loud.errors.hasPrefix("… "))
        let quiet = try night.program.run(["du", file, "--top", "1", "-q"])
        #expect(quiet.errors == "")
        #expect(quiet.output == loud.output)
        let dump = night.folder.appending(path: "all.zdump").path
        _ = try night.run("'\(night.program.url.path)' dump '\(file)' > '\(dump)'")
        let copy = night.folder.appending(path: "copy.fs").path
        let job = try night.program.run(["load-dump", copy, dump, "-q"])
        #expect((job.status, job.output, job.errors) == (0, "", ""))
        let failed = try night.program.run(["load-dump", copy, dump, "-q"])
        #expect(failed.status == 8)
        #expect(failed.errors.contains("there is a file already"))
        let told = try night.program.run(["load-dump", copy + "2", dump])
        #expect(told.output == "\(copy)2: 17 transactions and 134 records loaded\n")
    }

    @Test("a full disk is an error of the surroundings, a reader that has had enough is none")
    func output() throws {
        let night = try Night()
        let program = night.program.url.path
        for name in ["du DATA", "dump DATA", "dump DATA --plain", "log DATA"] {
            let command = name.replacingOccurrences(of: "DATA", with: "'\(night.data)'")
            let full = try night.run("'\(program)' \(command) > /dev/full")
            #expect(full.status == 8, "\(command): \(full.errors)")
            #expect(full.errors.contains("No space left on device"))
        }
        let cut = try night.run("{ '\(program)' dump '\(night.data)'; echo $? >&2; } | head -n 1")
        #expect(cut.output == "txn 040d271cfc8f8f33 \" \"\n" || cut.output.hasPrefix("txn "))
        #expect(cut.errors == "0\n")
    }

    @Test("started with its output closed, it does not write into the database instead")
    func closed() throws {
        let night = try Night()
        let before = try Data(contentsOf: URL(filePath: night.data))
        let program = night.program.url.path
        let read = try night.run("'\(program)' info '\(night.data)' >&- 2>&-")
        #expect(read.status == 8)
        #expect(try Data(contentsOf: URL(filePath: night.data)) == before)
        let home = ["HOME": night.folder.path]
        let write = try night.run(
            "'\(program)' set '\(night.data)' /site/.title --text New --rw -y >&- 2>&-", environment: home)
        #expect(write.status == 0 || write.status == 8)
        let after = try Data(contentsOf: URL(filePath: night.data))
        #expect(after.count > before.count && after.starts(with: before))
        let title = try night.program.run(["get", night.data, "/site/.title"])
        #expect(title.output == "New\n")
    }

    @Test("nothing is asked where nobody sits: a question is a refusal")
    func questions() throws {
        let night = try Night()
        let run = try night.run(
            "'\(night.program.url.path)' set '\(night.data)' /site/.title --text New --rw",
            environment: ["HOME": night.folder.path])
        #expect(run.status == 5, "\(run.errors)")
    }
}

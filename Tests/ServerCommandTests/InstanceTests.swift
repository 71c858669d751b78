import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("An instance")
struct InstanceTests {
    private let folder: ScratchFolder
    private let port: Int
    private var home: String { folder.path("site") }
    private var configuration: String { "\(home)/etc/zeo.conf" }

    init() throws {
        folder = try ScratchFolder()
        port = try FreePort.find()
    }

    private func zeoserver(_ arguments: String...) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoserver.run(arguments, environment: ["HOME": folder.url.path])
    }

    @Test("is made, started, asked, restarted and stopped, as by mkzeoinst and zeoctl")
    func life() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        #expect(try zeoserver("status", "-C", configuration).status == 3)
        let started = try zeoserver("start", "-C", configuration)
        #expect(started.status == 0)
        #expect(started.output.hasPrefix("started, process "))
        #expect(PlainExchange.text(port: port, "\u{0}\u{0}\u{0}\u{4}ruok").contains("\"loads\""))
        let status = try zeoserver("status", "-C", configuration)
        #expect(status.status == 0)
        let process = try #require(status.output.split(separator: " ").last?.dropLast())
        #expect(status.output == "running, process \(process)\n")
        #expect(try zeoserver("start", "-C", configuration).output == "already running, process \(process)\n")
        let restarted = try zeoserver("restart", "-C", configuration)
        #expect(restarted.status == 0)
        #expect(restarted.output != "started, process \(process)\n")
        #expect(try zeoserver("logtail", "-C", configuration, "--no-follow", "-n", "2").output.contains("listening at"))
        #expect(try zeoserver("stop", "-C", configuration).output == "stopped\n")
        #expect(try zeoserver("status", "-C", configuration).status == 3)
        #expect(try zeoserver("stop", "-C", configuration).output == "not running\n")
        #expect(!FileManager.default.fileExists(atPath: "\(home)/var/ZEO.pid"))
    }

    @Test("serves in the foreground until it is told to end")
    func foreground() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        let arguments = ["run", "-C", configuration]
        let running = Background { try BuiltProgram.zeoserver.run(arguments) }
        let end = Date(timeIntervalSinceNow: 60)
        while !PlainExchange.isListening(port: port), Date() < end { usleep(20_000) }
        #expect(try zeoserver("stop", "-C", configuration).output == "stopped\n")
        let outcome = try running.result()
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test("keeps what is there when it is made again")
    func twice() throws {
        #expect(try zeoserver("init", home).status == 0)
        try "mine".write(toFile: configuration, atomically: true, encoding: .utf8)
        let outcome = try zeoserver("init", home)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("left \(configuration) as it is"))
        #expect(try String(contentsOfFile: configuration, encoding: .utf8) == "mine")
    }

    @Test("whose server ends at once says what it said")
    func failing() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        try "no Data.fs".write(toFile: "\(home)/var/Data.fs", atomically: true, encoding: .utf8)
        let outcome = try zeoserver("start", "-C", configuration)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("the server ended with exit code 1"))
        #expect(outcome.errors.contains("not FS21 or FS30"))
        #expect(try zeoserver("status", "-C", configuration).status == 3)
    }

    @Test("is not taken for running because of a number that another program has now")
    func foreignNumber() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        try "\(getpid())\n".write(toFile: "\(home)/var/ZEO.pid", atomically: true, encoding: .utf8)
        #expect(try zeoserver("status", "-C", configuration).status == 3)
        #expect(try zeoserver("stop", "-C", configuration).output == "not running\n")
    }

    @Test("is found by the lock on its data when its pid file is lost, and stopped")
    func lostPIDFile() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        try FileManager.default.removeItem(atPath: "\(home)/var/ZEO.pid")
        let status = try zeoserver("status", "-C", configuration)
        #expect(status.status == 0)
        #expect(status.output.contains("it was found by its lock on \(home)/var/Data.fs"))
        #expect(try zeoserver("start", "-C", configuration).output.hasPrefix("already running"))
        #expect(try zeoserver("stop", "-C", configuration).output == "stopped\n")
    }

    @Test(
        "whose data file was removed, renamed or replaced is not ended, and says how to save it",
        arguments: ["removed", "renamed", "replaced"])
    func lostData(how: String) throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "--force", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        let path = "\(home)/var/Data.fs"
        let process = try String(contentsOfFile: "\(home)/var/ZEO.pid", encoding: .utf8).dropLast()
        if how == "renamed" {
            try FileManager.default.moveItem(atPath: path, toPath: "\(home)/var/old.fs")
        } else {
            try FileManager.default.removeItem(atPath: path)
        }
        if how == "replaced" { try "FS30".write(toFile: path, atomically: true, encoding: .utf8) }
        for command in ["restart", "stop"] {
            let refused = try zeoserver(command, "-C", configuration)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("nothing was done, the server goes on"))
        }
        let checked = try zeoserver("check", "-C", configuration)
        #expect(checked.status == 1)
        #expect(checked.errors.contains("do not stop the server: process \(process)"))
        let client = try ZEOClientStorage(.host("127.0.0.1", port: port), .init(storage: "1", readOnly: false))
        defer { client.close() }
        let error = #expect(throws: StorageError.self) {
            let transaction = try client.begin(.init())
            try transaction.store([0x80, 3, 0x2e], for: .root, basedOn: .none)
            _ = try transaction.vote()
        }
        #expect(error?.description.contains("do not restart the server") == true, "\(String(describing: error))")
        let status = try zeoserver("status", "-C", configuration)
        #expect(status.status == 1)
        #expect(status.output.hasPrefix("running, but do not stop it: process \(process) serves \(path), and "))
        // What is said to be done works.
        if how == "renamed" {
            #expect(status.output.contains("the file that is served is called \(home)/var/old.fs now: rename it back"))
            try FileManager.default.moveItem(atPath: "\(home)/var/old.fs", toPath: path)
            #expect(try zeoserver("restart", "-C", configuration).status == 0)
        } else {
            let quoted = status.output.split(separator: "'").first { $0.hasPrefix("cp ") }
            let copy = try #require(quoted?.split(separator: " "))
            #expect(copy[1].hasPrefix("/proc/\(process)/fd/"))
            #expect(try Data(contentsOf: URL(filePath: String(copy[1]))) == Data("FS30".utf8))
            #expect(try zeoserver("stop", "--force", "-C", configuration).output == "stopped\n")
            let log = try String(contentsOfFile: "\(home)/log/zeo.log", encoding: .utf8)
            #expect(log.contains("CRITICAL zeoserver storage 1: the server ends, and its data are lost"))
        }
    }

    @Test("is found by the lock file when both its pid file and its data file are gone")
    func lostBoth() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "--force", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        for name in ["ZEO.pid", "Data.fs"] { try FileManager.default.removeItem(atPath: "\(home)/var/\(name)") }
        #expect(try zeoserver("start", "-C", configuration).output.hasPrefix("already running"))
        #expect(try zeoserver("restart", "-C", configuration).status == 1)
    }

    @Test("that serves another file than the configuration names by now makes check warn of the new one")
    func anotherFile() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        try String(contentsOfFile: configuration, encoding: .utf8).replacing("Data.fs", with: "Daat.fs")
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        let checked = try zeoserver("check", "-C", configuration)
        #expect(checked.status == 0)
        #expect(checked.errors.contains("warning: \(home)/var/Daat.fs does not exist, and process"))
    }

    @Test("whose pid file cannot be read is not said to be stopped")
    func untold() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        let path = "\(home)/var/ZEO.pid"
        let reason: Int32
        if geteuid() == 0 {
            // Root may read everything that leads to a file.
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
            reason = ELOOP
        } else {
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: "\(home)/var")
            reason = EACCES
        }
        defer { _ = try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(home)/var") }
        for command in ["status", "stop", "restart", "start", "reopen"] {
            let outcome = try zeoserver(command, "-C", configuration)
            #expect(outcome.status == 1, "\(command)")
            #expect(outcome.errors.contains("\(path): \(String(cString: strerror(reason))): cannot tell"), "\(command)")
        }
    }

    @Test("is stopped though its configuration is wrong by now, and not restarted with that")
    func wrongByNow() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        let wrong: [(String, String)] = [
            ("<filestorage 1>\n", "<filestorage 1>\n  bolb-dir x\n"),
            ("<filestorage 1>\n", "<filestorage 1>\n  read-only true\n  path /nowhere/Data.fs\n#"),
            (
                "</filestorage>\n",
                "</filestorage>\n<demostorage d>\n<filestorage>\npath \(home)/x\nread-only 1\n</filestorage>\n</demostorage>\n"
            ),
            ("  address 127", "  address 192.0.2.1:1\n  address 127"),
        ]
        for (part, replacement) in wrong {
            try text.replacing(part, with: replacement).write(toFile: configuration, atomically: true, encoding: .utf8)
            let restarted = try zeoserver("restart", "-C", configuration)
            #expect(restarted.status == 2, "\(replacement)")
            #expect(restarted.errors.contains("nothing was done; a server that runs goes on"))
            #expect(try zeoserver("status", "-C", configuration).status == 0)
            #expect(try zeoserver("check", "-C", configuration).status != 0)
        }
        try text.replacing("<filestorage 1>", with: "<filestorag 1>")
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        let stopped = try zeoserver("stop", "-C", configuration)
        #expect(stopped.output == "stopped\n")
        #expect(stopped.errors.contains("zeoserver: warning: \(configuration):45: expected </filestorag>"))
    }

    @Test("says what it would serve, and makes nothing for that")
    func check() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        let names = { try FileManager.default.contentsOfDirectory(atPath: "\(self.home)/var") }
        let checked = try zeoserver("check", "-C", configuration)
        #expect(checked.status == 0)
        #expect(checked.output.contains("listens at 127.0.0.1:\(port)\n"))
        #expect(checked.output.contains("storage 1: \(home)/var/Data.fs, which will be made, empty\n"))
        #expect(checked.output.hasSuffix("\(configuration) can be served\n"))
        #expect(try names() == [])
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        let process = try zeoserver("start", "-C", configuration).output.split(separator: " ").last?.dropLast()
        let again = try zeoserver("check", "-C", configuration)
        #expect(again.status == 0)
        #expect(again.output.contains("storage 1: process \(process ?? "") serves \(home)/var/Data.fs now\n"))
    }

    @Test("whose configuration names no log gets one beside it, and logtail shows it")
    func defaultLog() throws {
        let path = try folder.write(
            """
            <zeo>
              address 127.0.0.1:\(port)
              pid-filename \(folder.path("zeo.pid"))
            </zeo>
            <filestorage 1>
              path \(folder.path("Data.fs"))
            </filestorage>
            <eventlog>
              <syslog>
              </syslog>
            </eventlog>
            """, to: "zeo.conf")
        defer { _ = try? zeoserver("stop", "-C", path) }
        let started = try zeoserver("start", "-C", path)
        #expect(started.output.hasSuffix("; its log: \(folder.path("zeo.log"))\n"))
        let log = try zeoserver("logtail", "-C", path, "--no-follow").output
        #expect(log.contains("NOTICE zeoserver storage 1: made a new, empty data file"))
        #expect(log.contains("WARNING zeoserver \(path):9: <syslog> is not supported"))
        #expect(log.contains("listening at 127.0.0.1:\(port)"))
    }

    @Test("is waited for while it ends, and then started")
    func startWhileEnding() throws {
        #expect(try zeoserver("init", home, "127.0.0.1:\(port)").status == 0)
        defer { _ = try? zeoserver("stop", "-C", configuration) }
        #expect(try zeoserver("start", "-C", configuration).status == 0)
        let first = try #require(pid_t(try String(contentsOfFile: "\(home)/var/ZEO.pid", encoding: .utf8).dropLast()))
        // A commit that was voted on keeps it from ending.
        let client = try ZEOClientStorage(.host("127.0.0.1", port: port), .init(storage: "1", readOnly: false))
        let transaction = try client.begin(.init())
        let oid = try #require(try client.newObjectIDs(1).first)
        try transaction.store([0x80, 3, 0x2e], for: oid, basedOn: .none)
        _ = try transaction.vote()
        // Twice, as a supervisor may.
        kill(first, SIGTERM)
        kill(first, SIGTERM)
        while PlainExchange.isListening(port: port) { usleep(20_000) }
        let arguments = ["start", "-C", configuration]
        let starting = Background { try BuiltProgram.zeoserver.run(arguments) }
        _ = try transaction.finish()
        client.close()
        let started = try starting.result()
        #expect(started.status == 0)
        #expect(started.output.contains("started, process"))
        #expect(!started.output.contains("started, process \(first)"))
    }

    @Test("has an address and a unit that mean the same from wherever it is started")
    func socket() throws {
        let outcome = try BuiltProgram.zeoserver.run(["init", home, "./run/../zeo.sock"])
        #expect(outcome.status == 0)
        let text = try String(contentsOfFile: configuration, encoding: .utf8)
        let here = FileManager.default.currentDirectoryPath
        #expect(text.contains("\n  address \(here)/zeo.sock\n"))
        let unit = try String(contentsOfFile: "\(home)/etc/zeoserver.service", encoding: .utf8)
        #expect(unit.contains("ReadWritePaths=\(home)/var \(home)/log \(here)\n"))
    }

    @Test(
        "cannot be made where it cannot be, and that is said in words",
        arguments: [
            ("gone/site", "the directory that it is to be in does not exist"), ("file", "there is a file of this name"),
        ])
    func notMade(name: String, words: String) throws {
        try folder.write("", to: "file")
        let outcome = try zeoserver("init", folder.path(name))
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("\(folder.path(name)) cannot be made: \(words)"))
    }
}

import Foundation
import TestSupport
import Testing

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
}

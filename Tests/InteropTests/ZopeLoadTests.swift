import Foundation
import TestSupport
import Testing

/// Real Zopes on zeoserver, at work: pages are served and edited through the management interface, nothing is lost.
@Suite("Zope on zeoserver", .needs(.zope5), .serialized)
struct ZopeLoadTests {
    private struct Load: Decodable {
        var requests: Int
        var cut: Int
        var errors: [String]
        var titles: [String: String]
    }

    /// A Zope, and its site among the samples.
    private struct Age: Sendable {
        var peer: PythonPeer
        var site: String

        static let now = Age(peer: .zope5, site: "fs/zope5.fs")
        static let then = Age(peer: .zope213, site: "fs/zope213.fs")
    }

    private func serve(_ age: Age) throws -> ZEOServerProcess {
        let server = try ZEOServerProcess(options: "  transaction-timeout 60")
        try server.terminate()
        try FileManager.default.removeItem(at: server.dataFile)
        try? FileManager.default.removeItem(atPath: server.dataFile.path + ".index")
        try FileManager.default.copyItem(atPath: SampleData.path(age.site), toPath: server.dataFile.path)
        try server.start()
        return server
    }

    /// Runs the load; `meanwhile` happens beside it.
    private func load(
        _ ports: [Int], seconds: Int, managers: Int, visitors: Int, meanwhile: () throws -> Void = {}
    ) throws -> (Load, Data) {
        let process = Process()
        process.executableURL = PythonPeer.zope5.python
        process.arguments =
            [Self.script("zopeload.py")] + ([seconds, managers, visitors] + ports).map(String.init)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        try meanwhile()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (try JSONDecoder().decode(Load.self, from: data), data)
    }

    private static func script(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "TestSupport/python/\(name)").path
    }

    /// What Python's FileStorage says of the file, with the classes of its Zope at hand.
    private func judge(_ server: ZEOServerProcess, _ age: Age, _ told: Data) throws -> [String] {
        let input = server.folder.appending(path: "told.json")
        try told.write(to: input)
        let process = Process()
        process.executableURL = age.peer.python
        process.arguments = [Self.script("zopejudge.py"), server.dataFile.path]
        process.standardInput = try FileHandle(forReadingFrom: input)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.split(separator: "\n").map(String.init)
    }

    private func expectAllThere(_ load: Load, _ told: Data, _ server: ZEOServerProcess, _ age: Age) throws {
        #expect(load.errors == [])
        #expect(load.titles.count > 3)
        #expect(try server.terminate() == 0)
        let verdict = try judge(server, age, told)
        #expect(verdict.count == 1 && verdict.last?.hasPrefix("read ") == true, "\(verdict.prefix(10))")
    }

    @Test("two Zopes serve and edit one site, and no edit is lost")
    func twoZopes() throws {
        let server = try serve(.now)
        let zopes = try (0..<2).map { number in
            try ZopeInstance(in: server.folder.appending(path: "zope\(number)"), clientOf: server.port)
        }
        let (load, told) = try load(zopes.map(\.port), seconds: 15, managers: 3, visitors: 1)
        zopes.forEach { $0.stop() }
        #expect(load.cut == 0)
        try expectAllThere(load, told, server, .now)
    }

    @Test(
        "three Zopes behind HAProxy, one of which is killed and started again: no error page, no lost edit",
        .enabled(if: isThorough, "part of make test-all"), .enabled(if: HAProxy.isInstalled, "there is no haproxy"))
    func behindHAProxy() throws { try expectNothingLost(.now) }

    @Test(
        "three Zopes 2.13 behind HAProxy, one of which is killed and started again: no error page, no lost edit",
        .enabled(if: isThorough, "part of make test-all"), .enabled(if: HAProxy.isInstalled, "there is no haproxy"),
        .needs(.zope213))
    func oldBehindHAProxy() throws { try expectNothingLost(.then) }

    private static let isThorough = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"

    private func expectNothingLost(_ age: Age) throws {
        let server = try serve(age)
        let zopes = try (0..<3).map { number in
            try ZopeInstance(
                in: server.folder.appending(path: "zope\(number)"), clientOf: server.port, peer: age.peer)
        }
        let proxy = try HAProxy(before: zopes.map(\.port), in: server.folder)
        let seconds = ProcessInfo.processInfo.environment["ZEOSHELL_ZOPE_SECONDS"].flatMap { Int($0) } ?? 300
        let (load, told) = try load([proxy.port], seconds: seconds, managers: 6, visitors: 3) {
            // In the middle of it, whatever it is doing.
            Thread.sleep(forTimeInterval: Double(seconds) / 3)
            zopes[1].stop()
            Thread.sleep(forTimeInterval: 5)
            try zopes[1].start()
        }
        zopes.forEach { $0.stop() }
        proxy.stop()
        #expect(zopes.allSatisfy { !$0.isRunning })
        try expectAllThere(load, told, server, age)
    }
}

/// Debian's HAProxy before several Zopes, as people run it.
private final class HAProxy {
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: "/usr/sbin/haproxy") }

    let port: Int
    private let process = Process()

    init(before ports: [Int], in folder: URL) throws {
        port = try FreePort.find()
        let configuration = folder.appending(path: "haproxy.cfg")
        let servers = ports.enumerated().map { number, port in
            "  server zope\(number) 127.0.0.1:\(port) check inter 500 fall 1 rise 1 maxconn 2"
        }.joined(separator: "\n")
        try """
        defaults
          mode http
          timeout connect 5s
          timeout client 120s
          timeout server 120s
          timeout queue 120s
          option redispatch
          retries 5
        frontend web
          bind 127.0.0.1:\(port)
          default_backend zopes
        backend zopes
          balance hdr(X-Visitor)
          hash-type consistent
        \(servers)

        """.write(to: configuration, atomically: true, encoding: .utf8)
        process.executableURL = URL(filePath: "/usr/sbin/haproxy")
        process.arguments = ["-db", "-f", configuration.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<600 where process.isRunning {
            if FreePort.isTaken(port) { return }
            usleep(50_000)
        }
        stop()
        throw PythonFailure(text: "haproxy does not start")
    }

    deinit { stop() }

    func stop() {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
    }
}

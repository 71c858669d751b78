import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("Watching a server")
struct MonitoringTests {
    private let server: ZEOServerProcess
    private let port: Int
    private let monitor: Int

    init() throws {
        port = try FreePort.find()
        monitor = try FreePort.find()
        server = try ZEOServerProcess(
            options: "  http-address 127.0.0.1:\(port)\n  monitor-address 127.0.0.1:\(monitor)")
    }

    private func client(label: String? = nil) throws -> ZEOClientStorage {
        try ZEOClientStorage(
            .host("127.0.0.1", port: server.port), .init(storage: "1", readOnly: false, label: label))
    }

    /// Samples by name and labels.
    private func metrics() throws -> [String: Double] {
        let answer = try #require(PlainExchange.http(port: port, "/metrics"))
        #expect(answer.status == 200)
        #expect(answer.head.contains("application/openmetrics-text; version=1.0.0"))
        var lines = answer.body.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.popLast() == "" && lines.popLast() == "# EOF")
        var samples: [String: Double] = [:]
        var family: (name: String, type: String)?
        for line in lines {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words[0] == "#" {
                #expect(["TYPE", "UNIT", "HELP"].contains(words[1]))
                if words[1] == "TYPE" { family = (words[2], words[3]) }
                #expect(words[2] == family?.name)
                if words[1] == "UNIT" { #expect(words[2].hasSuffix("_" + words[3])) }
            } else {
                let family = try #require(family)
                let name = family.name + (family.type == "counter" ? "_total" : "")
                #expect(words.count == 2 && words[0].prefix { $0 != "{" } == name)
                let value: Double = try #require(Double(words[1]))
                samples[words[0]] = value
            }
        }
        return samples
    }

    @Test("counts in /metrics what clients did, in the form of OpenMetrics")
    func counters() throws {
        let client = try client()
        defer { client.close() }
        let before = try metrics()
        let transaction = try client.begin(.init())
        let oid = try #require(try client.newObjectIDs(1).first)
        try transaction.store([0x80, 3, 0x2e], for: oid, basedOn: .none)
        _ = try transaction.vote()
        let during = try metrics()
        #expect(during["zeo_active_transactions{storage=\"1\"}"] == 1)
        _ = try transaction.finish()
        _ = try client.load(oid, at: .latest)
        let after = try metrics()
        func difference(_ name: String) -> Double? {
            let key = "\(name){storage=\"1\"}"
            return before[key].flatMap { first in after[key].map { $0 - first } }
        }
        #expect(difference("zeo_commits_total") == 1)
        #expect(difference("zeo_stores_total") == 1)
        #expect(difference("zeo_loads_total") == 1)
        #expect(after["zeo_active_transactions{storage=\"1\"}"] == 0)
        #expect(after["zeo_connections{storage=\"1\"}"] == 1)
        #expect(after["zeo_storage_up{storage=\"1\"}"] == 1)
        #expect((after["zeo_storage_size_bytes{storage=\"1\"}"] ?? 0) > 4)
        #expect((after["process_resident_memory_bytes"] ?? 0) > 1_000_000)
    }

    @Test("lists in /clients who is connected, and what of")
    func clients() throws {
        let client = try client(label: "zope \"one\"")
        defer { client.close() }
        let transaction = try client.begin(.init())
        let oid = try #require(try client.newObjectIDs(1).first)
        try transaction.store([0x80, 3, 0x2e], for: oid, basedOn: .none)
        _ = try transaction.vote()
        let answer = try #require(PlainExchange.http(port: port, "/clients"))
        #expect(answer.status == 200 && answer.head.contains("application/json"))
        let list = try JSONValue(parsing: answer.body.utf8).elements
        let one = try #require(list.count == 1 ? list.first : nil)
        #expect(one["label"]?.string == "zope \"one\"")
        #expect(one["address"]?.string?.hasPrefix("127.0.0.1:") == true)
        #expect(one["storage"]?.string == "1")
        #expect(one["dialect"]?.string == "Z5")
        #expect(one["read_only"] == .bool(false))
        #expect(one["in_transaction"] == .bool(true))
        #expect(one["commit"]?.string == "holding")
        #expect(one["bytes_waiting"]?.int == 0)
        transaction.abort()
    }

    @Test("is told that it is alive and ready, and the role")
    func health() throws {
        for path in ["/healthz", "/readyz"] {
            let answer = try #require(PlainExchange.http(port: port, path))
            #expect(answer.status == 200 && answer.body == "ok\n")
        }
        #expect(PlainExchange.http(port: port, "/role")?.body == "primary\n")
        #expect(PlainExchange.http(port: port, "/readyz?from=haproxy")?.status == 200)
    }

    @Test("it can be watched before any client reaches it")
    func watchedFirst() throws {
        let log = server.logText
        let watched = try #require(log.range(of: "monitor at 127.0.0.1:\(monitor)"))
        let listening = try #require(log.range(of: "listening at 127.0.0.1:\(server.port)"))
        #expect(watched.upperBound < listening.lowerBound)
    }

    @Test("with HEAD gets the head alone; other methods, paths and bodies are refused")
    func refusals() throws {
        let head = try #require(PlainExchange.http(port: port, "/healthz", method: "HEAD"))
        #expect(head.status == 200 && head.body.isEmpty && head.head.contains("Content-Length: 3"))
        #expect(PlainExchange.http(port: port, "/nothing")?.status == 404)
        #expect(PlainExchange.http(port: port, "/metrics", method: "DELETE")?.status == 405)
        let text = PlainExchange.text(port: port, "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        #expect(text.hasPrefix("HTTP/1.1 413 "))
        let long = String(repeating: "x", count: 100_000)
        #expect(!PlainExchange.text(port: port, "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n").contains("200 OK"))
        #expect(PlainExchange.text(port: port, "no HTTP at all\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
        #expect(PlainExchange.http(port: port, "/healthz")?.status == 200)
    }

    @Test("reads at monitor-address the text that ZEO up to 4 had")
    func monitorText() throws {
        let client = try client()
        defer { client.close() }
        let lines = PlainExchange.text(port: monitor, "").split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count > 14)
        #expect(lines[0].hasPrefix("ZEO monitor server version "))
        #expect(lines[2] == "" && lines[3] == "Storage: 1")
        #expect(lines[4].hasPrefix("Server started: "))
        let names = ["Clients", "Clients verifying", "Active transactions", "Commits", "Aborts", "Loads", "Stores"]
        #expect(lines[5..<12].map { String($0.prefix { $0 != ":" }) } == names)
        #expect(lines[5] == "Clients: 1")
    }
}

import ArgumentParser
import Foundation
import ZODB
import ZODBFile

/// What zeoserver does in a second and with how much CPU, beside Python's server on a copy of the same file.
struct ServerRows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Measure zeoserver beside Python's ZEO server.",
        discussion: """
            Both serve a copy of the same Data.fs from the same disk; they run in turn, the one and then the other, and \
            each row is one connection storm, stream of loads or series of commits of this program's. Rates are medians \
            of the runs, ratios are of one run each; CPU is the server's, per operation, and suffers least from \
            neighbours. Commits are on the disk when they are answered, in both.
            """)

    @Argument(help: "A Data.fs; it is copied.")
    var file: String

    @Option(help: "A Python with ZODB and ZEO.")
    var python: String

    @Option(help: "Our server.")
    var server = "zeoserver"

    @Option(help: "A directory for the copies, on the disk that is to be measured.")
    var directory = "."

    @Option(help: "Runs of each row.")
    var runs = 3

    @Option(help: "Seconds of each row.")
    var seconds = 1.0

    /// One row of one side in one run.
    private struct Result {
        var rate: Double
        /// Microseconds of the server's CPU for one operation.
        var cpu: Double
        /// The median of single operations, in microseconds.
        var median: Double?
    }

    private static let rows = [
        "load 4x16", "load 1x16", "load 32x1", "latency", "commit 1x1", "commit 1x10", "commit 8x10", "commit 1x1000",
        "invalidate 200", "connect 1000",
    ]

    func run() throws {
        let folder = URL(filePath: directory).appending(path: "zeobench-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let oids = try objects()
        var results: [String: (ours: [Result], theirs: [Result])] = [:]
        var memory: (ours: [Double], theirs: [Double]) = ([], [])
        for run in 0..<runs {
            for isOurs in run.isMultiple(of: 2) ? [true, false] : [false, true] {
                let process = try ServerUnderTest(isOurs ? [server] : [python, "-m", "ZEO.runzeo"], file, folder)
                defer { process.stop() }
                for row in Self.rows {
                    let result = try measure(row, process, oids)
                    if isOurs {
                        results[row, default: ([], [])].ours.append(result)
                    } else {
                        results[row, default: ([], [])].theirs.append(result)
                    }
                }
                if isOurs { memory.ours.append(process.megabytes) } else { memory.theirs.append(process.megabytes) }
            }
        }
        print("row               ours/s   python/s   ratio (min..max)     CPU us ours  python  median us ours  python")
        for row in Self.rows {
            guard let (ours, theirs) = results[row] else { continue }
            print(Self.line(row, ours, theirs))
        }
        print(
            String(
                format: "memory at the end (anonymous, MB): ours %.1f, python %.1f", Self.median(memory.ours),
                Self.median(memory.theirs)))
    }

    private func objects() throws -> [ObjectID] {
        let storage = try FileStorage(file)
        defer { storage.close() }
        var oids: [ObjectID] = []
        let records = try storage.currentRecords(from: .root)
        while oids.count < 200_000, let record = try records.next() { oids.append(record.oid) }
        return oids
    }

    private func measure(_ row: String, _ process: ServerUnderTest, _ oids: [ObjectID]) throws -> Result {
        let before = process.cpuSeconds
        let port = process.port
        let done: ServerWork.Done
        var kept: [WireConnection] = []
        switch row {
        case "load 4x16": done = try ServerWork.loads(port, oids, connections: 4, depth: 16, seconds: seconds)
        case "load 1x16": done = try ServerWork.loads(port, oids, connections: 1, depth: 16, seconds: seconds)
        case "load 32x1": done = try ServerWork.loads(port, oids, connections: 32, depth: 1, seconds: seconds)
        case "latency": done = try ServerWork.latency(port, oids, seconds: seconds)
        case "commit 1x1": done = try ServerWork.commits(port, clients: 1, objects: 1, seconds: seconds)
        case "commit 1x10": done = try ServerWork.commits(port, clients: 1, objects: 10, seconds: seconds)
        case "commit 8x10": done = try ServerWork.commits(port, clients: 8, objects: 10, seconds: seconds)
        case "commit 1x1000": done = try ServerWork.commits(port, clients: 1, objects: 1000, seconds: seconds)
        case "invalidate 200": done = try ServerWork.invalidations(port, subscribers: 200, seconds: seconds)
        default: (done, kept) = try ServerWork.connects(port, count: 1000)
        }
        let cpu = (process.cpuSeconds - before) / Double(max(1, done.operations)) * 1e6
        withExtendedLifetime(kept) {}
        return Result(
            rate: Double(done.operations) / done.seconds, cpu: cpu,
            median: done.latencies.isEmpty ? nil : Self.median(done.latencies))
    }

    private static func median(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }

    private static func line(_ row: String, _ ours: [Result], _ theirs: [Result]) -> String {
        func text(_ value: Double, _ width: Int, _ digits: Int = 0) -> String {
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(1, width - text.count)) + text
        }
        let ratios = zip(ours, theirs).map { $0.rate / $1.rate }.sorted()
        let medians = (ours.compactMap(\.median), theirs.compactMap(\.median))
        return row + String(repeating: " ", count: max(1, 15 - row.count)) + text(median(ours.map(\.rate)), 10)
            + text(median(theirs.map(\.rate)), 11) + text(median(ratios), 8, 2)
            + String(format: " (%.2f..%.2f)", ratios[0], ratios[ratios.count - 1])
            + text(median(ours.map(\.cpu)), 14, 1) + text(median(theirs.map(\.cpu)), 8, 1)
            + (medians.0.isEmpty ? "" : text(median(medians.0), 16) + text(median(medians.1), 8))
    }
}

/// A server as a process, over a copy of a file.
final class ServerUnderTest {
    let port = Int.random(in: 20_000..<30_000)
    private let process = Process()
    private let copy: URL

    /// - Parameter command: what takes `-C zeo.conf`.
    init(_ command: [String], _ file: String, _ folder: URL) throws {
        copy = folder.appending(path: "copy-\(port)")
        try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
        let data = copy.appending(path: "Data.fs")
        for suffix in ["", ".index"] where FileManager.default.fileExists(atPath: file + suffix) {
            try FileManager.default.copyItem(at: URL(filePath: file + suffix), to: URL(filePath: data.path + suffix))
        }
        let configuration = copy.appending(path: "zeo.conf")
        try """
        <zeo>
          address 127.0.0.1:\(port)
        </zeo>
        <filestorage 1>
          path \(data.path)
        </filestorage>
        <eventlog>
          level warning
          <logfile>
            path \(copy.appending(path: "log").path)
          </logfile>
        </eventlog>
        """.write(to: configuration, atomically: true, encoding: .utf8)
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command + ["-C", configuration.path]
        try process.run()
        for _ in 0..<600 {
            if (try? WireConnection(port: port, registers: false)) != nil { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        stop()
        throw WireConnection.Failed(description: "\(command.joined(separator: " ")) does not answer")
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: copy)
    }

    /// User and system time so far.
    var cpuSeconds: Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return 0 }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Memory that is not a file's.
    var megabytes: Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) })
        else { return 0 }
        return kilobytes / 1024
    }
}

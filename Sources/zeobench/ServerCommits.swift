import ArgumentParser
import Foundation
import ZEOClient
import ZEOProtocol
import ZODB

/// Commits per second to a ZEO server of Python: by our client and by Python's, in turn, against the same server.
struct ServerCommits: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zeo-commits",
        abstract: "Measure commits per second over ZEO, beside Python's client.",
        discussion: """
            Starts a server of the given Python on a new Data.fs, which is removed afterwards. Each commit writes the \
            same objects anew; both clients hand over finished records, so that no pickling is measured. Medians of the \
            runs; ratios are of one run each. The CPU is the client's, per commit.
            """)

    @Option(help: "A Python with ZODB and ZEO.")
    var python: String

    @Option(help: "A directory on the disk the server is to write to.")
    var directory = "."

    @Option(help: "Runs of each row.")
    var runs = 5

    @Flag(help: "Let the server speak msgpack.")
    var messagePack = false

    private struct Row {
        var objects: Int, size: Int
        /// Commits in one run.
        var count: Int
        static let all = [
            Row(objects: 1, size: 100, count: 300), Row(objects: 10, size: 1000, count: 200),
            Row(objects: 100, size: 1000, count: 100), Row(objects: 1, size: 1_000_000, count: 50),
        ]

        /// A `PersistentMapping` with one string.
        var record: [UInt8] {
            Array("cpersistent.mapping\nPersistentMapping\n.}U\u{4}data}U\u{1}kT".utf8)
                + (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
                + [UInt8](repeating: UInt8(ascii: "x"), count: size) + Array("ss.".utf8)
        }
    }

    private struct Result {
        /// Commits a second, and microseconds of the client's CPU for one.
        var rate: Double, cpu: Double
    }

    func run() throws {
        let folder = URL(filePath: directory).appending(path: "zeobench-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let port = Int.random(in: 20_000..<30_000)
        let server = try serve(port, folder)
        defer {
            server.terminate()
            server.waitUntilExit()
        }
        let storage = try connect(port, server)
        print("objects x bytes    ours/s  python/s   ratio (min..max)    CPU us ours  python")
        for row in Row.all {
            var (ours, theirs): ([Result], [Result]) = ([], [])
            for run in 0..<runs {
                if run.isMultiple(of: 2) { ours.append(try measure(row, storage)) }
                theirs.append(try measurePython(row, port))
                if !run.isMultiple(of: 2) { ours.append(try measure(row, storage)) }
            }
            print(line(row, ours, theirs))
        }
        storage.close()
    }

    private func line(_ row: Row, _ ours: [Result], _ theirs: [Result]) -> String {
        func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
        func text(_ value: Double, _ width: Int, _ digits: Int = 0) -> String {
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(1, width - text.count)) + text
        }
        let name = "\(row.objects) x \(row.size)"
        let ratios = zip(ours, theirs).map { $0.rate / $1.rate }.sorted()
        return name + String(repeating: " ", count: max(1, 15 - name.count)) + text(median(ours.map(\.rate)), 10)
            + text(median(theirs.map(\.rate)), 10) + text(median(ratios), 8, 2)
            + String(format: " (%.2f..%.2f)", ratios[0], ratios[ratios.count - 1])
            + text(median(ours.map(\.cpu)), 13) + text(median(theirs.map(\.cpu)), 8)
    }

    // MARK: Ours

    private func measure(_ row: Row, _ storage: ZEOClientStorage) throws -> Result {
        let oids = try storage.newObjectIDs(row.objects)
        let record = row.record
        var tid = try commit(oids, record, .none, storage)
        let (start, cpu) = (ContinuousClock.now, clock())
        for _ in 0..<row.count { tid = try commit(oids, record, tid, storage) }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let used = Double(clock() - cpu) / Double(CLOCKS_PER_SEC)
        return Result(rate: Double(row.count) / seconds, cpu: used / Double(row.count) * 1e6)
    }

    private func commit(
        _ oids: [ObjectID], _ record: [UInt8], _ serial: TransactionID, _ storage: ZEOClientStorage
    ) throws -> TransactionID {
        let transaction = try storage.begin(
            TransactionMetadata(user: Array("bench".utf8), description: Array("commit".utf8)))
        for oid in oids { try transaction.store(record, for: oid, basedOn: serial) }
        _ = try transaction.vote()
        return try transaction.finish()
    }

    // MARK: Python's

    private func measurePython(_ row: Row, _ port: Int) throws -> Result {
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-c", Self.script] + [port, row.objects, row.size, row.count].map(String.init)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard numbers.count == 2 else { throw ValidationError("Python's client said: \(text)") }
        return Result(rate: numbers[0], cpu: numbers[1])
    }

    private static let script = """
        import struct, sys, time
        from ZEO.ClientStorage import ClientStorage
        from ZODB.Connection import TransactionMetaData
        port, objects, size, count = map(int, sys.argv[1:])
        storage = ClientStorage(('127.0.0.1', port), wait_timeout=30)
        data = (b'cpersistent.mapping\\nPersistentMapping\\n.}U\\x04data}U\\x01kT' + struct.pack('<I', size)
                + b'x' * size + b'ss.')
        oids = [storage.new_oid() for _ in range(objects)]
        tid = b'\\0' * 8
        def commit():
            global tid
            t = TransactionMetaData(b'bench', b'commit')
            storage.tpc_begin(t)
            for oid in oids:
                storage.store(oid, tid, data, '', t)
            storage.tpc_vote(t)
            tid = storage.tpc_finish(t)
        commit()
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            commit()
        print(count / (time.perf_counter() - start), (time.process_time() - cpu) / count * 1e6)
        storage.close()
        """

    private func serve(_ port: Int, _ folder: URL) throws -> Process {
        let configuration = folder.appending(path: "zeo.conf")
        let text = """
            <zeo>
              address 127.0.0.1:\(port)
              msgpack \(messagePack)
            </zeo>
            <filestorage 1>
              path \(folder.appending(path: "Data.fs").path)
            </filestorage>
            """
        try text.write(to: configuration, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-m", "ZEO.runzeo", "-C", configuration.path]
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func connect(_ port: Int, _ server: Process) throws -> ZEOClientStorage {
        while true {
            do throws(StorageError) {
                return try ZEOClientStorage(.host("127.0.0.1", port: port), .init(readOnly: false))
            } catch {
                guard case .connection = error, server.isRunning else { throw error }
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
    }
}

import Foundation
import ZODB
import ZODBFile

/// Transactions of one size, written as fast as they can be.
struct CommitRow {
    enum Side: CaseIterable {
        case ours, oursFlushedOnce, python, twoFlushes, oneFlush
    }

    struct Result {
        /// Commits a second.
        var rate: Double
        /// Microseconds of CPU time for each.
        var cpu: Double
    }

    let objects: Int
    let size: Int
    /// How many commits a run makes.
    let count: Int

    static let all = [
        CommitRow(objects: 1, size: 100, count: 400), CommitRow(objects: 10, size: 1000, count: 300),
        CommitRow(objects: 100, size: 1000, count: 150), CommitRow(objects: 1, size: 1_000_000, count: 40),
    ]

    var name: String { "\(objects)x\(size)" }

    func measure(_ side: Side, in directory: String, python: String) throws -> Result {
        let folder = "\(directory)/zeobench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "\(folder)/Data.fs"
        switch side {
        case .ours: return try ours(path, flushes: 2)
        case .oursFlushedOnce: return try ours(path, flushes: 1)
        case .python: return try theirs(path, python)
        case .twoFlushes: return try limit(path, flushes: 2)
        case .oneFlush: return try limit(path, flushes: 1)
        }
    }

    /// Objects that exist are changed, ten transactions' worth of them in turn.
    private func ours(_ path: String, flushes: Int) throws -> Result {
        var options = FileStorage.Options(isWritable: true, newFileGeneration: .python3)
        options.flushesBeforeMark = flushes == 2
        let storage = try FileStorage(path, options: options)
        defer { storage.close() }
        let data = [UInt8](repeating: 0x78, count: size)
        var serials = [TransactionID](repeating: .none, count: 10)
        return try Self.timed(count) { number in
            let transaction = try storage.begin(.init(user: Array("bench".utf8)))
            let first = number % 10 * objects
            for oid in first..<first + objects {
                try transaction.store(data, for: ObjectID(rawValue: UInt64(oid)), basedOn: serials[number % 10])
            }
            _ = try transaction.vote()
            serials[number % 10] = try transaction.finish()
        }
    }

    private func theirs(_ path: String, _ python: String) throws -> Result {
        let code = """
            import sys, time
            from ZODB.Connection import TransactionMetaData
            from ZODB.FileStorage import FileStorage
            from ZODB.utils import p64, z64
            fs = FileStorage(sys.argv[1])
            objects, size, count = map(int, sys.argv[2:])
            data, serials = b'x' * size, [z64] * 10
            wall, cpu = time.perf_counter(), time.process_time()
            for number in range(count):
                t = TransactionMetaData(u'bench')
                fs.tpc_begin(t)
                for oid in range(number % 10 * objects, (number % 10 + 1) * objects):
                    fs.store(p64(oid), serials[number % 10], data, '', t)
                fs.tpc_vote(t)
                serials[number % 10] = fs.tpc_finish(t)
            print(time.perf_counter() - wall, time.process_time() - cpu)
            """
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-c", code, path] + [objects, size, count].map(String.init)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard numbers.count == 2 else {
            throw Measurement.Failed(command: [python, "-c", "(commits)"], status: process.terminationStatus)
        }
        return Result(rate: Double(count) / numbers[0], cpu: numbers[1] / Double(count) * 1e6)
    }

    /// As many bytes, flushed as often, and nothing else.
    private func limit(_ path: String, flushes: Int) throws -> Result {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        defer { close(descriptor) }
        let bytes = [UInt8](repeating: 0x78, count: 36 + objects * (42 + size))
        let mark: [UInt8] = [0x20]
        var position = 4
        return try Self.timed(count) { _ in
            guard pwrite(descriptor, bytes, bytes.count, off_t(position)) == bytes.count,
                flushes == 1 || fdatasync(descriptor) == 0,
                pwrite(descriptor, mark, 1, off_t(position + 16)) == 1, fdatasync(descriptor) == 0
            else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
            position += bytes.count
        }
    }

    /// - Parameter atEnd: waits for what is under way.
    static func timed(
        _ count: Int, _ commit: (Int) throws -> Void, atEnd: () -> Void = {}
    ) throws -> Result {
        func cpu() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let (start, cpuStart) = (ContinuousClock.now, cpu())
        for number in 0..<count { try commit(number) }
        atEnd()
        let took = ContinuousClock.now - start
        let wall = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        return Result(rate: Double(count) / wall, cpu: (cpu() - cpuStart) / Double(count) * 1e6)
    }
}

import Foundation
import ZODB
import ZODBFile

/// Transactions of 10 objects of 1,000 bytes of which several are on their way to the disk at once, as with a server
/// that has so many clients who commit: each begins its next when its last is on the disk.
struct PipelineRow {
    let committers: Int

    static let all = [1, 2, 8, 32].map(PipelineRow.init)

    func measure(in directory: String) throws -> CommitRow.Result {
        let folder = "\(directory)/zeobench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let storage = try FileStorage(
            "\(folder)/Data.fs", options: .init(isWritable: true, newFileGeneration: .python3))
        defer { storage.close() }
        let count = 200 * min(committers, 8)
        let data = [UInt8](repeating: 0x78, count: 1000)
        var serials = [TransactionID](repeating: .none, count: committers)
        let free = DispatchSemaphore(value: committers)
        return try CommitRow.timed(count) { number in
            // They are free in the order in which they committed.
            free.wait()
            let committer = number % committers
            guard let transaction = try storage.begin(.init(user: Array("bench".utf8))) as? any PipelinedTransaction
            else { return }
            for oid in committer * 10..<(committer + 1) * 10 {
                try transaction.store(data, for: ObjectID(rawValue: UInt64(oid)), basedOn: serials[committer])
            }
            _ = try transaction.vote()
            serials[committer] = transaction.tid
            try transaction.finish(publish: { _ in }, completion: { _ in free.signal() })
        } atEnd: {
            for _ in 0..<committers { free.wait() }
            // A semaphore may not go with less than it came with.
            for _ in 0..<committers { free.signal() }
        }
    }
}

import Foundation
import Verification
import ZODB
import ZODBFile

/// A Data.fs, or an `.index` beside a good one: everything that opening,
/// reading and verifying them does.
struct FileTarget: Target {
    let name = "file"
    private let folder: URL
    private let dataFile: URL
    private let index: URL
    /// The undamaged file that a damaged index lies beside.
    private let good: [UInt8]

    /// - Parameter seeds: the inputs to come; the first Data.fs among them serves as the good one.
    init(seeds: [[UInt8]]) throws {
        // Memory rather than disk, where there is such a place: this writes a file for every input.
        let memory = URL(filePath: "/dev/shm")
        let parent =
            FileManager.default.isWritableFile(atPath: memory.path) ? memory : FileManager.default.temporaryDirectory
        folder = parent.appending(path: "zeofuzz-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        dataFile = folder.appending(path: "Data.fs")
        index = folder.appending(path: "Data.fs.index")
        good = seeds.first { Self.isDataFile($0) } ?? []
    }

    private static func isDataFile(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "FS".utf8) }

    func run(_ input: [UInt8]) -> String? {
        do {
            if Self.isDataFile(input) {
                try Data(input).write(to: dataFile)
                try? FileManager.default.removeItem(at: index)
            } else {
                try Data(good).write(to: dataFile)
                try Data(input).write(to: index)
            }
        } catch {
            return "cannot write to \(folder.path): \(error)"
        }
        if let complaint = verify() { return complaint }
        guard let storage = try? FileStorage(dataFile.path) else { return nil }
        _ = try? storage.information()
        drain {
            try storage.transactionLog()
        } each: { transaction in
            drain {
                try storage.records(of: transaction.tid).records
            } each: { _ in
            }
        }
        drain {
            try storage.currentRecords(from: .root)
        } each: { record in
            _ = try? ObjectRecord(record.revision, oid: record.oid)
            _ = try? storage.history(of: record.oid, limit: 20)
            _ = try? storage.load(record.oid, at: record.revision.serial.predecessor)
        }
        _ = try? storage.poll()
        return nil
    }

    /// A verification comes to its end whatever the bytes are, and each of its findings says where.
    private func verify() -> String? {
        var options = VerificationOptions()
        (options.level, options.threads, options.limit) = (.deep, 1, 200)
        do {
            let result = try FileVerification(dataFile.path, options: options).run()
            let defect = result.list.defects.first { $0.severity > .note && $0.offset == nil && $0.oid == nil }
            return defect.map { "a finding without a place: \($0)" }
        } catch {
            return "verification failed: \(error)"
        }
    }

    /// A thousand elements are enough to find what is wrong.
    private func drain<Element>(_ cursor: () throws -> any Cursor<Element>, each: (Element) -> Void) {
        guard let cursor = try? cursor() else { return }
        for _ in 0..<1000 {
            guard let element = try? cursor.next() else { return }
            each(element)
        }
    }
}

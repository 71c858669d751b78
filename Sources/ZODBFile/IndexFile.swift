internal import ByteCoding
package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The `.index` file beside a Data.fs: the index as of a position, so that opening need not read the whole file.
///
/// Python writes it when it closes the storage, after a pack and after a scan, not while it runs: it may be older than
/// the file, and whoever reads it scans on from its position. It may also be wrong (restored from another day's
/// backup, half written), and a wrong index shows wrong revisions. So nothing in it is believed that the file
/// contradicts, and any doubt means a scan of the whole file.
package enum IndexFile {
    /// What reading came to.
    package enum Outcome: Sendable {
        /// The index of the file up to `position`, the end of a transaction.
        case index(FileIndex, position: Int)
        /// No index to be used, and why.
        case unusable(String)
    }

    /// The name of the index file of a data file.
    package static func path(forDataFile path: String) -> String { path + ".index" }

    /// Reads an index of any generation, without comparing it with its data file.
    /// - Throws: `interrupted` only; everything wrong with the file is an outcome.
    package static func read(_ path: String, calls: FileCalls = .system) throws(StorageError) -> Outcome {
        do throws(StorageError) {
            let file = try DataFile(path, calls: calls)
            let size = try file.size()
            var reader = try ChunkedIndexReader(file, size: size)
            switch try reader.read() {
            case .index(let index, let position): return .index(index, position: position)
            case .damaged(let reason): return .unusable(reason)
            case .otherForm: return try DictionaryIndex.read(file, size: size)
            }
        } catch .interrupted {
            throw .interrupted
        } catch .io(_, errno: ENOENT) {
            return .unusable("there is none")
        } catch {
            return .unusable("\(error)")
        }
    }

    /// Compares an index with its data file, as `FileStorage._sane` does and somewhat further; nil when nothing speaks
    /// against it, else what does.
    ///
    /// The newest transaction before `position` that has records must lead back to it by its lengths, and its first
    /// records must be where the index says. Beyond Python, a few entries from all over the index must point at a
    /// record of their object.
    ///
    /// - Parameter end: where the last complete transaction of the file ends, or the file's size when that is unknown.
    package static func objection(
        to index: FileIndex, position: Int, file: DataFile, end: Int
    ) throws(StorageError) -> String? {
        try objection(
            position: position, file: file, end: end, lookUp: { index.position(of: $0) },
            samples: {
                guard let largest = index.largest else { return [] }
                return (0..<16).compactMap { step in
                    var entries = index.entries(from: ObjectID(rawValue: largest.rawValue / 16 * UInt64(step)))
                    return entries.next()
                }
            })
    }

    /// - Parameters:
    ///   - lookUp: what the index has for an oid.
    ///   - samples: a few entries from all over it; none when it is empty.
    static func objection(
        position: Int, file: DataFile, end: Int, lookUp: LookUp,
        samples: () throws(StorageError) -> [FileIndex.Entry]
    ) throws(StorageError) -> String? {
        // A file with one transaction is scanned faster than checked.
        guard position >= 100 else { return "it covers \(position) bytes only" }
        guard position <= end else { return "it covers \(position) bytes of \(end)" }
        do throws(StorageError) {
            if let objection = try newestTransactionObjection(lookUp, position, file) { return objection }
            return try sampleObjection(try samples(), position, file)
        } catch .corrupt(_, let error) {
            return "the file does not bear it out: \(error)"
        }
    }

    typealias LookUp = (ObjectID) throws(StorageError) -> Int?

    private static func newestTransactionObjection(
        _ lookUp: LookUp, _ position: Int, _ file: DataFile
    ) throws(StorageError) -> String? {
        let reader = TransactionReader(file: file, end: position)
        var entry = try reader.last()
        while let current = entry {
            let status = current.header.status
            guard
                status == TransactionHeader.complete || status == TransactionHeader.packed
                    || status == TransactionHeader.undone
            else { return "the transaction at \(current.header.position) has an odd status" }
            if status != TransactionHeader.undone, current.header.length > UInt64(current.header.headerSize) {
                return try recordsObjection(lookUp, in: current, file)
            }
            entry = try reader.entry(before: current)
        }
        return "no transaction before its position has records"
    }

    private static func recordsObjection(
        _ lookUp: LookUp, in transaction: TransactionReader.Entry, _ file: DataFile
    ) throws(StorageError) -> String? {
        var scanner = try FileScanner(file, from: transaction.header.position, to: transaction.end, .boundary)
        var positions: [ObjectID: Int] = [:]
        // One more than Python looks at, to know whether the same oid comes again among the first.
        for _ in 0..<6 {
            guard try scanner.next() else { break }
            positions[scanner.oid] = scanner.recordPosition
        }
        for (oid, position) in positions {
            guard let indexed = try lookUp(oid) else { return "it lacks \(oid), which is at \(position)" }
            // Later than what was looked at, within this transaction: the object was stored twice.
            guard indexed == position || indexed > position && indexed < transaction.end else {
                return "it has \(oid) at \(indexed), the file at \(position)"
            }
        }
        return nil
    }

    private static func sampleObjection(
        _ samples: [FileIndex.Entry], _ position: Int, _ file: DataFile
    ) throws(StorageError) -> String? {
        guard !samples.isEmpty else { return "it is empty" }
        for entry in samples {
            let bytes = try file.bytes(at: entry.position, count: RecordHeader.fixedSize)
            guard bytes.count == RecordHeader.fixedSize, entry.position < position else {
                return "it has \(entry.oid) at \(entry.position), behind its end"
            }
            let header = bytes.withUnsafeBytes { unsafe RecordHeader($0, at: entry.position) }
            guard header.oid == entry.oid else {
                return "it has \(entry.oid) at \(entry.position), where \(header.oid) is"
            }
        }
        return nil
    }
}

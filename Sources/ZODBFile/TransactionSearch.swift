internal import ByteCoding
package import ZODB

/// Finds where the next transaction begins, behind bytes that are none: damage, or the middle of another.
///
/// A place is believed to be the head of a transaction when everything that frames one fits: a tid of a plausible
/// century, a status that a finished transaction has, a length that its trailer repeats, room for the head's own strings,
/// and a first record that names this place as its transaction's. So a Data.fs stored inside a Data.fs is not taken for
/// part of it.
package struct TransactionSearch {
    private let file: DataFile
    /// Where the file ends.
    private let limit: Int
    private let watch: ScanWatch?

    private static let windowSize = 1 << 20
    /// The first bytes of tids from 1965 to 2149.
    private static let centuries: ClosedRange<UInt8> = 0x02...0x07

    package init(_ file: DataFile, limit: Int, watch: ScanWatch? = nil) {
        (self.file, self.limit, self.watch) = (file, limit, watch)
    }

    /// The first place from `start` on where a complete transaction begins; nil when there is none.
    /// - Throws: `io`, `interrupted`.
    package func next(from start: Int) throws(StorageError) -> Int? {
        var start = start
        let head = TransactionHeader.fixedSize
        while limit - start >= head + TransactionHeader.trailerSize {
            try watch?.check(at: start)
            let bytes = try file.bytes(at: start, count: min(Self.windowSize, limit - start))
            guard bytes.count >= head else { return nil }
            var offset = 0
            while offset <= bytes.count - head {
                if let candidate = Self.candidate(in: bytes, from: offset) {
                    if try isTransaction(at: start + candidate) { return start + candidate }
                    offset = candidate + 1
                } else {
                    break
                }
            }
            start += bytes.count - head + 1
        }
        return nil
    }

    /// The first offset whose bytes may be a head, by the four of them that say most.
    private static func candidate(in bytes: [UInt8], from first: Int) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
            var offset = first
            let last = bytes.count - TransactionHeader.fixedSize
            while offset <= last {
                // A length of less than 2^48, a known status, a tid of our times.
                if bytes[offset + 8] == 0, bytes[offset + 9] == 0, isComplete(bytes[offset + 16]),
                    centuries.contains(bytes[offset])
                {
                    return offset
                }
                offset += 1
            }
            return nil
        }
    }

    private static func isComplete(_ status: UInt8) -> Bool {
        status == TransactionHeader.complete || status == TransactionHeader.packed
            || status == TransactionHeader.undone
    }

    /// Whether a complete transaction begins at `position`.
    package func isTransaction(at position: Int) throws(StorageError) -> Bool {
        guard position >= FileFormat.firstTransaction,
            limit - position >= TransactionHeader.fixedSize + TransactionHeader.trailerSize
        else { return false }
        let bytes = try file.bytes(at: position, count: TransactionHeader.fixedSize)
        guard bytes.count == TransactionHeader.fixedSize else { return false }
        let header = bytes.withUnsafeBytes { unsafe TransactionHeader($0, at: position) }
        guard Self.isComplete(header.status), let end = header.end(inFileOf: limit),
            header.length >= UInt64(header.headerSize)
        else { return false }
        let trailer = try file.bytes(at: end - TransactionHeader.trailerSize, count: TransactionHeader.trailerSize)
        guard trailer.count == TransactionHeader.trailerSize,
            trailer.withUnsafeBytes({ unsafe $0.bigEndian(0, as: UInt64.self) }) == header.length
        else { return false }
        let records = Int(header.length) - header.headerSize
        guard header.status != TransactionHeader.undone, records > 0 else { return true }
        guard records >= RecordHeader.fixedSize else { return false }
        let record = try file.bytes(at: position + header.headerSize, count: RecordHeader.fixedSize)
        guard record.count == RecordHeader.fixedSize else { return false }
        return record.withUnsafeBytes { unsafe RecordHeader($0, at: position) }.transaction == UInt64(position)
    }
}

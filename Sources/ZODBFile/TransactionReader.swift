internal import ByteCoding
internal import ZODB

/// Reads single transactions of a file, without their records: at a position, or the one that ends there.
///
/// One `pread` for each: it begins 8 bytes early, to have the length of the transaction before at hand.
struct TransactionReader {
    let file: DataFile
    /// Where the last complete transaction ends. Nothing behind it is read.
    let end: Int

    /// A transaction without its records.
    struct Entry {
        var header: TransactionHeader
        /// Where it ends, its trailer included.
        var end: Int
        var summary: TransactionSummary
        /// The trailer in front of it: the length of the transaction before; nil for the first.
        var precedingLength: UInt64?
    }

    private static let readAhead = 512

    /// The last transaction; nil in an empty file.
    func last() throws(StorageError) -> Entry? {
        guard end > FileFormat.firstTransaction else { return nil }
        let trailerPosition = end - TransactionHeader.trailerSize
        let trailer = try file.bytes(at: trailerPosition, count: 8)
        guard trailer.count == 8 else { throw truncated(8, trailer.count, at: trailerPosition) }
        return try entry(endingAt: end, length: trailer.withUnsafeBytes { unsafe $0.bigEndian(0) })
    }

    /// The transaction before; nil when `entry` is the first.
    func entry(before entry: Entry) throws(StorageError) -> Entry? {
        guard let length = entry.precedingLength else { return nil }
        return try self.entry(endingAt: entry.header.position, length: length)
    }

    /// The transaction after; nil when `entry` is the last. Checks the trailer of `entry`.
    func entry(after entry: Entry) throws(StorageError) -> Entry? {
        guard entry.end < end else { return nil }
        let next = try self.entry(at: entry.end)
        guard next.precedingLength == entry.header.length else {
            throw damage(
                "trailing transaction length", "\(next.precedingLength ?? 0), not \(entry.header.length)",
                at: entry.end - TransactionHeader.trailerSize)
        }
        return next
    }

    /// The first transaction; nil in an empty file.
    func first() throws(StorageError) -> Entry? {
        guard end > FileFormat.firstTransaction else { return nil }
        return try entry(at: FileFormat.firstTransaction)
    }

    /// The transaction of `length` that ends at `position`.
    private func entry(endingAt position: Int, length: UInt64) throws(StorageError) -> Entry {
        let trailerPosition = position - TransactionHeader.trailerSize
        let room = trailerPosition - FileFormat.firstTransaction
        guard room >= 0, length <= UInt64(room), length >= UInt64(TransactionHeader.fixedSize) else {
            throw damage("trailing transaction length", "\(length)", at: trailerPosition)
        }
        let entry = try entry(at: trailerPosition - Int(length))
        guard entry.header.length == length else {
            throw damage("trailing transaction length", "\(length), not \(entry.header.length)", at: trailerPosition)
        }
        return entry
    }

    /// The transaction that begins at `position`.
    func entry(at position: Int) throws(StorageError) -> Entry {
        let lead = position >= FileFormat.firstTransaction + TransactionHeader.trailerSize ? 8 : 0
        let start = position - lead
        guard start >= 0, start < end else { throw damage("transaction position", "\(position)", at: position) }
        var bytes = try file.bytes(at: start, count: min(lead + Self.readAhead, end - start))
        guard bytes.count >= lead + TransactionHeader.fixedSize else {
            throw truncated(TransactionHeader.fixedSize, max(0, bytes.count - lead), at: position)
        }
        let header = bytes.withUnsafeBytes { buffer in
            unsafe TransactionHeader(UnsafeRawBufferPointer(rebasing: buffer[lead...]), at: position)
        }
        guard let ownEnd = header.end(inFileOf: end), header.length >= UInt64(header.headerSize) else {
            throw damage("transaction length", "\(header.length)", at: position + 8)
        }
        guard header.status != TransactionHeader.checkpoint else {
            throw damage("transaction status", "'c' before the end of the file", at: position + 16)
        }
        if bytes.count < lead + header.headerSize {
            bytes = try file.bytes(at: start, count: lead + header.headerSize)
            guard bytes.count == lead + header.headerSize else {
                throw truncated(header.headerSize, max(0, bytes.count - lead), at: position)
            }
        }
        let preceding: UInt64? = lead == 0 ? nil : bytes.withUnsafeBytes { unsafe $0.bigEndian(0) }
        return Entry(
            header: header, end: ownEnd, summary: Self.summary(header, bytes[(lead + TransactionHeader.fixedSize)...]),
            precedingLength: preceding)
    }

    /// - Parameter strings: user, description and extension, one after the other, and perhaps more.
    static func summary(_ header: TransactionHeader, _ strings: ArraySlice<UInt8>) -> TransactionSummary {
        let afterUser = strings.dropFirst(header.userSize)
        let afterDescription = afterUser.dropFirst(header.descriptionSize)
        return TransactionSummary(
            tid: header.tid, status: .init(rawValue: header.status) ?? .other,
            user: Array(strings.prefix(header.userSize)),
            description: Array(afterUser.prefix(header.descriptionSize)),
            extensionData: Array(afterDescription.prefix(header.extensionSize)),
            length: Int(header.length))
    }

    func damage(_ field: String, _ found: String, at offset: Int) -> StorageError {
        .corrupt(file.path, FormatError(.invalid(field: field, found: found), at: offset))
    }

    private func truncated(_ needed: Int, _ available: Int, at offset: Int) -> StorageError {
        .corrupt(file.path, FormatError(.truncated(needed: needed, available: available), at: offset))
    }
}

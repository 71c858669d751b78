package import ZODB
package import ZODBFile

/// What one pass over a Data.fs found out: where everything is, and what of the file can be read.
///
/// Memory: 6 to 8 bytes for each object (`FileIndex`).
package struct FileSurvey: Sendable {
    package let file: DataFile
    /// Bytes of the file when it was looked at; what is appended later is not seen.
    package let size: Int
    /// nil when the file is empty, or its first four bytes are wrong.
    package internal(set) var generation: PythonGeneration?
    /// Where each object's last record begins, of all records that could be reached.
    package internal(set) var index = FileIndex()
    /// Objects whose last record says that they do not exist: deleted, or their creation undone.
    package internal(set) var gone = ObjectSet()
    /// Parts of the file that are whole transactions from their first byte to their last.
    package internal(set) var segments: [Range<Int>] = []
    /// Places where transactions begin, some distance apart: where a pass over the records may be divided.
    package internal(set) var milestones: [Int] = []
    /// What could not be read.
    package internal(set) var gaps: [Range<Int>] = []
    /// What lies behind the last complete transaction.
    package internal(set) var tail: FileTail?
    package internal(set) var first = TransactionID.none
    package internal(set) var last = TransactionID.none
    /// The first transaction that no pack has seen.
    package internal(set) var firstUnpacked: TransactionID?
    package internal(set) var transactions = 0, records = 0
    /// Records that belong to a version (ZODB before 3.9).
    package internal(set) var versionRecords = 0

    /// Where the last complete transaction ends.
    package var end: Int { segments.last?.upperBound ?? min(size, FileFormat.firstTransaction) }

    init(_ file: DataFile, size: Int) { (self.file, self.size) = (file, size) }
}

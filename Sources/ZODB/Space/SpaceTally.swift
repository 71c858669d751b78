/// Counts objects, revisions and their bytes by class, or by something that each transaction tells.
///
/// Its memory depends on the number of classes, or of other groups, alone.
public struct SpaceTally: RevisionVisitor {
    /// What records are counted by.
    public enum Grouping {
        case byClass
        /// By a text that is the same for all transactions that belong together.
        case byTransaction((TransactionSummary) -> String)
    }

    /// Objects, revisions, and the bytes of their data without record heads.
    public struct Count: Hashable, Sendable {
        /// Transactions, when they are what is counted by.
        public var transactions = 0
        /// Objects whose current record is here.
        public var objects = 0
        /// Bytes that a pack to this moment keeps, as long as their object can be reached.
        public var currentBytes = 0
        /// Records that are not current, deletions included.
        public var oldRevisions = 0
        public var historyBytes = 0
        /// Files of blobs, current and old ones; 0 where their sizes are not known.
        public var blobs = 0
        public var currentBlobBytes = 0
        public var historyBlobBytes = 0

        public init() {}

        public var bytes: Int { currentBytes + historyBytes }
        public var blobBytes: Int { currentBlobBytes + historyBlobBytes }

        public static func += (sum: inout Count, count: Count) {
            sum.transactions += count.transactions
            sum.objects += count.objects
            sum.currentBytes += count.currentBytes
            sum.oldRevisions += count.oldRevisions
            sum.historyBytes += count.historyBytes
            sum.blobs += count.blobs
            sum.currentBlobBytes += count.currentBlobBytes
            sum.historyBlobBytes += count.historyBlobBytes
        }
    }

    /// One group.
    public struct Line: Hashable, Sendable {
        public enum Label: Hashable, Sendable {
            /// `module.Name`, or a text of the transactions.
            case named(String)
            /// Records whose class cannot be told.
            case unreadable
            /// Records that say that an object is no more; they have no class.
            case deletions
        }

        public var label: Label
        public var count: Count
    }

    /// The size of a blob's file: nil where it cannot be told.
    public typealias BlobSizer = (ObjectID, TransactionID) throws(StorageError) -> Int?

    private let grouping: Grouping
    private let blobSize: BlobSizer?
    private var names = ClassNames()
    private var counts: [Count] = []
    private var unreadable = Count()
    private var deletions = Count()
    private var groups: [String: Int] = [:]
    /// The group of the transaction whose records are being visited.
    private var group = 0
    private let blobClass: Int?
    /// The files counted last, all of one transaction: an object may be written twice in one, and has one file then.
    private var files: (serial: TransactionID, sizes: [ObjectID: Int]) = (.none, [:])
    /// Revisions of blobs whose file is missing.
    public private(set) var missingBlobs = 0

    /// - Parameter blobSize: nil when blobs are not to be looked at.
    public init(_ grouping: Grouping, blobSize: BlobSizer? = nil) {
        self.grouping = grouping
        self.blobSize = blobSize
        let blob = Array("cZODB.blob\nBlob\n.N.".utf8)
        blobClass = blobSize == nil ? nil : names.number(ofClassIn: blob.span.bytes)
    }

    public var interest: RevisionInterest {
        wantsTransactions ? [.transactions, .currentness] : .currentness
    }

    /// Transactions, and not classes, are what is counted by.
    public var wantsTransactions: Bool {
        if case .byTransaction = grouping { true } else { false }
    }

    public mutating func visit(_ transaction: TransactionSummary) throws(StorageError) {
        guard let index = groupIndex(of: transaction) else { return }
        group = index
        counts[index].transactions += 1
    }

    private mutating func groupIndex(of transaction: TransactionSummary) -> Int? {
        guard case .byTransaction(let text) = grouping else { return nil }
        let label = text(transaction)
        if let index = groups[label] { return index }
        groups[label] = counts.count
        counts.append(Count())
        return counts.count - 1
    }

    public mutating func visit(_ record: VisitedRecord, _ data: RawSpan) throws(StorageError) {
        let isByClass = !wantsTransactions
        guard data.byteCount > 0 else {
            // A deletion.
            if isByClass { deletions.oldRevisions += 1 } else { counts[group].oldRevisions += 1 }
            return
        }
        let number = isByClass || blobClass != nil ? names.number(ofClassIn: data) : nil
        var count = Count()
        if record.isCurrent { count.objects = 1 } else { count.oldRevisions = 1 }
        if record.isNeeded { count.currentBytes = record.storedSize } else { count.historyBytes = record.storedSize }
        if let number, number == blobClass { try addBlob(of: record, to: &count) }
        add(count, isByClass ? number : group)
    }

    public mutating func keep(_ data: RawSpan, of owner: TransactionSummary) throws(StorageError) {
        var count = Count()
        count.currentBytes = data.byteCount
        count.historyBytes = -data.byteCount
        add(count, wantsTransactions ? groupIndex(of: owner) : names.number(ofClassIn: data))
    }

    private mutating func add(_ count: Count, _ number: Int?) {
        guard let number else {
            unreadable += count
            return
        }
        while number >= counts.count { counts.append(Count()) }
        counts[number] += count
    }

    /// Each revision of a blob has a file of its own, that of an undo too.
    private mutating func addBlob(of record: VisitedRecord, to count: inout Count) throws(StorageError) {
        if files.serial != record.serial { files = (record.serial, [:]) }
        if let size = files.sizes[record.oid] {
            // Counted with the other record; if that was the old one, it moves from there to here.
            guard record.isCurrent else { return }
            count.currentBlobBytes = size
            count.historyBlobBytes = -size
            return
        }
        let size: Int?
        do throws(StorageError) {
            size = try blobSize?(record.oid, record.serial)
        } catch .noBlob {
            missingBlobs += 1
            // Missed once, not with each record.
            files.sizes[record.oid] = 0
            return
        }
        guard let size else { return }
        files.sizes[record.oid] = size
        count.blobs = 1
        if record.isCurrent { count.currentBlobBytes = size } else { count.historyBlobBytes = size }
    }

    /// What was counted, the most bytes first, blobs included.
    public var lines: [Line] {
        var lines: [Line] = []
        if wantsTransactions {
            lines = groups.map { Line(label: .named($0), count: counts[$1]) }
        } else {
            for (number, count) in counts.enumerated() where count != Count() {
                lines.append(Line(label: .named(names.name(number)), count: count))
            }
        }
        if unreadable != Count() { lines.append(Line(label: .unreadable, count: unreadable)) }
        if deletions != Count() { lines.append(Line(label: .deletions, count: deletions)) }
        return lines.sorted { left, right in
            let (a, b) = (left.count, right.count)
            let sizes = (a.bytes + a.blobBytes, b.bytes + b.blobBytes)
            guard sizes.0 == sizes.1 else { return sizes.0 > sizes.1 }
            return "\(left.label)" < "\(right.label)"
        }
    }

    /// All of it.
    public var total: Count {
        lines.reduce(into: Count()) { $0 += $1.count }
    }
}

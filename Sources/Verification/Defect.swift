public import ZODB

/// One thing that is wrong with a database: what, where, how bad, and what to try.
public struct Defect: Hashable, Sendable {
    /// How bad it is.
    public enum Severity: String, CaseIterable, Comparable, Sendable {
        /// Worth knowing; nothing is wrong.
        case note
        /// It works, and is not as it should be.
        case warning
        /// Something cannot be read, or is read wrongly.
        case damage

        private var rank: Int { self == .note ? 0 : self == .warning ? 1 : 2 }

        public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
    }

    /// What kind of thing it is: a stable word for scripts.
    public enum Kind: String, CaseIterable, Sendable {
        case fileHeader = "file-header"
        case transaction
        case transactionEnd = "transaction-end"
        case transactionOrder = "transaction-order"
        case transactionStatus = "transaction-status"
        case transactionTime = "transaction-time"
        case tail
        case record
        case serial
        case oidRange = "oid-range"
        case previousPointer = "previous-pointer"
        case backPointer = "back-pointer"
        case versionPointer = "version-pointer"
        case version
        case index
        case noRoot = "no-root"
        case pickle
        case excessBytes = "excess-bytes"
        case reference
        case btree
        case folder
        case missingBlob = "missing-blob"
        case orphanedBlob = "orphaned-blob"
        case unchecked
    }

    public var kind: Kind
    public var severity: Severity
    /// In the file, in bytes; nil where there is no file.
    public var offset: Int?
    /// The object that is concerned; of a dangling reference the one that refers.
    public var oid: ObjectID?
    /// The revision of the object, or the transaction.
    public var tid: TransactionID?
    /// What a reference leads to.
    public var target: ObjectID?
    /// A way to the object from the root; nil when none is known, or none leads there.
    public var path: String?
    /// False when no way leads to the object from the root: a pack would remove it. nil when nobody looked.
    public var isReachable: Bool?
    public var what: String

    public init(
        _ kind: Kind, _ severity: Severity = .damage, offset: Int? = nil, oid: ObjectID? = nil,
        tid: TransactionID? = nil, target: ObjectID? = nil, _ what: String
    ) {
        (self.kind, self.severity, self.offset, self.oid) = (kind, severity, offset, oid)
        (self.tid, self.target, self.what) = (tid, target, what)
    }
}

extension Defect {
    /// What to try; nil where nothing need be done.
    public var advice: String? {
        switch kind {
        case .fileHeader where severity == .warning:
            "if there should be something in it, restore a backup; ZODB opens it as a new database"
        case .fileHeader: "restore the file from a backup, or set the first four bytes on a copy"
        case .transaction, .transactionEnd, .record:
            "stop writing, and restore a backup ('backup restore'); without one, 'log' shows which transactions there are,"
                + " and fsrecover of Python's ZODB copies what is left"
        case .tail:
            switch severity {
            case .note: nil
            case .warning:
                "an unfinished commit, or the end of a copy that was cut short: compare with a backup; opening it for"
                    + " writing moves these bytes aside, or cuts them off"
            case .damage:
                "stop writing, and restore a backup ('backup restore') or copy the file again; what was committed before"
                    + " this place is there"
            }
        case .transactionOrder: "reads still work; look at the clock, and copy the database to get ascending tids"
        case .transactionStatus: "it is read as a normal transaction; a pack writes a status that is known"
        case .transactionTime:
            "new commits get tids just behind it, so their times are wrong until then: look at the clock"
        case .serial, .previousPointer, .versionPointer:
            "a pack writes these fields anew, as far as it keeps the record"
        case .backPointer: "this revision is lost: revert the object to an older one, or take it from a backup"
        case .oidRange: "new oids are counted from the largest one: copy the database without this object"
        case .version: "ZODB from 3.9 on cannot read it: commit or abort the versions with ZODB 3.8, and pack"
        case .index: "remove the .index file; the next open builds it anew"
        case .noRoot: "restore from a backup; without a root object nothing can be reached"
        case .pickle: "revert the object to an older revision, or take it from a backup; 'dis' shows the bytes"
        case .excessBytes: "Python ignores them; storing the object anew removes them"
        case .reference: "take the reference out where it stands, or bring the target back from a backup"
        case .btree: "rebuild it from its items: a copy of the tree made by Python, or a new index"
        case .folder: "'rescue folders PATH' stages the cure"
        case .missingBlob: "bring the file back from a backup of the blob directory"
        case .orphanedBlob: "it takes space and nothing else; remove it once a backup has it"
        case .unchecked: nil
        }
    }
}

/// What was found so far, as much as anybody will read; the rest is only counted.
public struct DefectList: Sendable {
    /// The first `limit` of them, in the order in which they were found.
    public internal(set) var defects: [Defect] = []
    /// How many of each kind, the ones not kept included.
    public private(set) var counts: [Defect.Kind: Int] = [:]
    /// How many of each severity.
    public internal(set) var severities: [Defect.Severity: Int] = [:]
    let limit: Int

    /// - Parameter limit: how many are kept.
    public init(limit: Int = 10_000) { self.limit = limit }

    public mutating func add(_ defect: Defect) {
        counts[defect.kind, default: 0] += 1
        severities[defect.severity, default: 0] += 1
        if defects.count < limit { defects.append(defect) }
    }

    mutating func add(_ other: DefectList) {
        for defect in other.defects.prefix(max(0, limit - defects.count)) { defects.append(defect) }
        counts.merge(other.counts, uniquingKeysWith: +)
        severities.merge(other.severities, uniquingKeysWith: +)
    }

    /// Warnings and damage; notes are no findings.
    public var findingCount: Int { (severities[.warning] ?? 0) + (severities[.damage] ?? 0) }
    public var damageCount: Int { severities[.damage] ?? 0 }
    /// Those that were counted and are not kept.
    public var omittedCount: Int { severities.values.reduce(0, +) - defects.count }
}

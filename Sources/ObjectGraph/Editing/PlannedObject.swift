internal import Pickle
public import ZODB

/// An object as a plan has it: what it is to become, and what this is based on.
public struct PlannedObject: Hashable, Sendable {
    public enum Basis: Hashable, Sendable {
        /// Nothing: the object is made by the plan, and its oid means something in the plan alone.
        case new
        /// An object that others know by its oid and that cannot be read: deleted by the transaction, lost (`.none`), or with a
        /// damaged record of that transaction.
        case lost(TransactionID)
        /// The revision that was edited, and its bytes.
        case revision(TransactionID, data: [UInt8])
    }

    public var oid: ObjectID
    public var basis: Basis
    /// Class pickle and state pickle.
    public var data: [UInt8]
    /// The BTree that the object is a part of, when it was edited through that.
    public var tree: ObjectID?

    public init(oid: ObjectID, basis: Basis, data: [UInt8], tree: ObjectID? = nil) {
        (self.oid, self.basis, self.data, self.tree) = (oid, basis, data, tree)
    }

    public var isNew: Bool { basis == .new }

    /// The serial of the revision that was edited; `.none` where there was none.
    public var baseSerial: TransactionID {
        switch basis {
        case .new: .none
        case .lost(let tid), .revision(let tid, data: _): tid
        }
    }

    /// What it is to become, read.
    /// - Throws: `corrupt` for what is no record.
    public func record() throws(StorageError) -> ObjectRecord {
        try ObjectRecord(Revision(data: data, serial: baseSerial, next: nil), oid: oid)
    }

    /// What was edited, read; nil where there was nothing.
    /// - Throws: `corrupt` for what is no record.
    public func base() throws(StorageError) -> ObjectRecord? {
        guard case .revision(let serial, let data) = basis else { return nil }
        return try ObjectRecord(Revision(data: data, serial: serial, next: nil), oid: oid)
    }
}

extension StagedObject {
    /// The edit as a plan has it.
    var planned: PlannedObject.Basis {
        if let base { return .revision(base.serial, data: base.document.source) }
        return hasGivenOID ? .new : .lost(deletion)
    }
}

extension Workspace {
    /// A staged object as a plan has it; nil for what is not staged.
    public func planned(_ oid: ObjectID) -> PlannedObject? {
        staging[oid].map {
            PlannedObject(
                oid: oid, basis: $0.planned, data: $0.record.document.source, tree: staging.trees[oid])
        }
    }
}

extension ObjectRecord {
    /// Whether it is one of those objects whose bytes are in a file beside the database.
    public var isBlob: Bool { className == Workspace.blobClass }
}

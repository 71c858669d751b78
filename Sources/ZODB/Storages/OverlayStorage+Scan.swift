extension OverlayStorage: CurrentRecordStorage {
    /// Current records by oid. An object that the base has lost since, by an undo or a pack, may be missing.
    public func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord> {
        let below = try baseAs((any CurrentRecordStorage).self, "list its objects")
        return OverlaidRecords(
            self, own: try changes.currentRecords(from: first), below: try below.currentRecords(from: first))
    }

    /// What the overlay shows in place of a record of the base; nil when it has its own, or the object does not exist.
    fileprivate func shown(_ record: CurrentRecord) throws(StorageError) -> CurrentRecord? {
        guard !changes.hasChanged(record.oid) else { return nil }
        guard record.revision.serial > baseTransaction else {
            var record = record
            record.revision.next = nil
            return record
        }
        do throws(StorageError) {
            return CurrentRecord(oid: record.oid, revision: try changes.load(record.oid, at: baseTransaction))
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }
}

/// The records of a base and of the changes over it, merged by oid.
private final class OverlaidRecords: Cursor {
    private let overlay: OverlayStorage
    private let own: any Cursor<CurrentRecord>
    private let below: any Cursor<CurrentRecord>
    private var nextOwn: CurrentRecord?
    private var nextBelow: CurrentRecord?
    private var hasBegun = false

    init(_ overlay: OverlayStorage, own: any Cursor<CurrentRecord>, below: any Cursor<CurrentRecord>) {
        self.overlay = overlay
        self.own = own
        self.below = below
    }

    func next() throws(StorageError) -> CurrentRecord? {
        if !hasBegun {
            hasBegun = true
            nextOwn = try own.next()
            try advanceBelow()
        }
        guard let below = nextBelow, nextOwn.map({ below.oid < $0.oid }) ?? true else {
            let record = nextOwn
            nextOwn = nil
            nextOwn = try own.next()
            return record
        }
        nextBelow = nil
        try advanceBelow()
        return below
    }

    private func advanceBelow() throws(StorageError) {
        while let record = try below.next() {
            nextBelow = try overlay.shown(record)
            if nextBelow != nil { return }
        }
        nextBelow = nil
    }
}

extension OverlayStorage: ScannableStorage {
    public func scanCurrentRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        guard let below = base as? any ScannableStorage else {
            let records = try currentRecords(from: .root)
            while let record = try records.next() {
                try body(record.oid, record.revision.serial, record.revision.data.span.bytes)
            }
            return
        }
        try below.scanCurrentRecords { (oid, serial, data) throws(StorageError) in
            guard !changes.hasChanged(oid) else { return }
            guard serial > baseTransaction else { return try body(oid, serial, data) }
            let record = CurrentRecord(oid: oid, revision: Revision(data: [], serial: serial, next: nil))
            guard let shown = try shown(record) else { return }
            try body(oid, shown.revision.serial, shown.revision.data.span.bytes)
        }
        try changes.scanCurrentRecords(body)
    }

    public func scanRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        if let below = base as? any ScannableStorage {
            try below.scanRecords { (oid, serial, data) throws(StorageError) in
                if serial <= baseTransaction { try body(oid, serial, data) }
            }
        } else {
            let below = try baseAs((any TransactionLogStorage).self, "list its transactions")
            let transactions = try below.transactions(from: .none, through: baseTransaction)
            while let transaction = try transactions.next() {
                let records = try below.records(of: transaction.tid).records
                while let record = try records.next() {
                    guard let data = record.data, record.dataTransaction == nil else { continue }
                    try body(record.oid, transaction.tid, data.span.bytes)
                }
            }
        }
        try changes.scanRecords(body)
    }
}

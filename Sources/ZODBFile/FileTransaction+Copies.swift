public import ZODB

extension FileStorage: DeletingStorage {}

extension FileTransaction: DeletingTransaction {
    /// Writes that the object is no more, as Python's `deleteObject` does.
    func delete(_ oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        try attempt { () throws(StorageError) in
            guard let current = try currentRecord(of: oid) else { throw .noSuchObject(oid) }
            guard current.header.serial == serial else {
                throw .conflict(oid, committed: current.header.serial, read: serial)
            }
            let place = try staged.append(head(oid, previous: current.header.position), backPointer: 0)
            staged.setCurrent(oid, place)
        }
    }
}

extension FileTransaction: RestoringTransaction {
    /// Source: ZODB 6, `FileStorage.restore` and `_data_find`.
    func restore(
        _ data: [UInt8]?, for oid: ObjectID, from previous: TransactionID?
    ) throws(StorageError) {
        try attempt { () throws(StorageError) in
            guard data.map({ !$0.isEmpty && $0.count <= FileFormat.largestRecord }) ?? true else {
                throw .unsupported("\(storage.name): a record of \(data?.count ?? 0) bytes for \(oid)")
            }
            try writer.requireRoom(after: oid)
            let current = try currentRecord(of: oid)
            let head = head(oid, previous: current?.header.position ?? 0)
            writer.noteUse(of: oid)
            let place: StagedRecords.Place
            if let previous, let position = try restorable(oid, in: previous, data) {
                place = try staged.append(head, backPointer: UInt64(position))
            } else if let data {
                place = try staged.append(head, data: data)
            } else {
                place = try staged.append(head, backPointer: 0)
            }
            staged.setCurrent(oid, place)
        }
    }

    /// The object's last record in the transaction `tid`, when it holds this data or only points to some.
    private func restorable(
        _ oid: ObjectID, in tid: TransactionID, _ data: [UInt8]?
    ) throws(StorageError) -> Int? {
        guard
            let position = try histories.position(
                of: oid, in: tid,
                { () throws(StorageError) in
                    try currentRecord(of: oid)
                }, reader)
        else { return nil }
        let record = try reader.read(at: position, oid: oid, withData: false)
        guard record.header.dataSize > 0 else { return record.header.position }
        return try reader.data(of: record) == data ? record.header.position : nil
    }
}

/// How far objects' histories have been gone through for records of other storages: each tells of which transaction its data
/// is, and the objects may be the same, with many revisions.
struct RestoredHistories {
    fileprivate struct History {
        /// Newest first.
        var revisions: [(serial: TransactionID, position: Int)] = []
        /// The one to go on from; nil at the end.
        var last: RecordReader.Record?
    }

    /// Revisions that are remembered; beyond, all are forgotten.
    private static let most = 1 << 20

    private var histories: [ObjectID: History] = [:]
    private var count = 0

    /// Where the object's last record in the transaction `tid` is; nil when there is none.
    mutating func position(
        of oid: ObjectID, in tid: TransactionID, _ newest: () throws(StorageError) -> RecordReader.Record?,
        _ reader: RecordReader
    ) throws(StorageError) -> Int? {
        var history = histories.removeValue(forKey: oid) ?? History()
        if history.revisions.isEmpty {
            guard let newest = try newest() else { return nil }
            history.add(newest)
            count += 1
        }
        while let last = history.last, last.header.serial > tid {
            if let older = try reader.older(than: last) {
                history.add(older)
                count += 1
            } else {
                history.last = nil
            }
        }
        let found = history.revision(notAfter: tid)
        if count > Self.most {
            histories = [:]
            count = 0
        } else {
            histories[oid] = history
        }
        return found?.serial == tid ? found?.position : nil
    }
}

extension RestoredHistories.History {
    fileprivate mutating func add(_ record: RecordReader.Record) {
        revisions.append((record.header.serial, record.header.position))
        last = record
    }

    /// The newest of those that are not younger than `tid`; nil when all are.
    fileprivate func revision(notAfter tid: TransactionID) -> (serial: TransactionID, position: Int)? {
        var (low, high) = (0, revisions.count)
        while low < high {
            let middle = (low + high) / 2
            if revisions[middle].serial <= tid { high = middle } else { low = middle + 1 }
        }
        return low < revisions.count ? revisions[low] : nil
    }
}

extension FileStorage: BlobReceivingStorage {
    public func blobReceptionDirectory() throws(StorageError) -> String? { try blobs?.temporaryDirectory() }

    public func sharedBlobDirectory(of oid: ObjectID) throws(StorageError) -> String? {
        try blobs.map { (blobs) throws(StorageError) in
            Directories.parent(of: try blobs.knownPath(of: oid, serial: .none))
        }
    }
}

extension FileTransaction: BlobAdoptingTransaction {
    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, adopting path: String
    ) throws(StorageError) {
        try store(data, for: oid, basedOn: serial)
        try attempt { () throws(StorageError) in
            note(path, for: oid, in: try blobDirectory(), isAdopted: true)
        }
    }
}

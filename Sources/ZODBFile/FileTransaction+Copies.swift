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
        guard var record = try currentRecord(of: oid) else { return nil }
        while record.header.serial > tid {
            guard let older = try reader.older(than: record) else { return nil }
            record = older
        }
        guard record.header.serial == tid else { return nil }
        guard record.header.dataSize > 0 else { return record.header.position }
        return try reader.data(of: record) == data ? record.header.position : nil
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

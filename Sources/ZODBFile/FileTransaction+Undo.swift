internal import ByteCoding
internal import ZODB

extension FileTransaction {
    /// Writes, for each record of the transaction `undone`, what the object was before, as Python does.
    ///
    /// Source: ZODB 6, `FileStorage._txn_undo_write` and `_transactionalUndoRecord`.
    func undo(_ undone: TransactionID) throws(StorageError) {
        try attempt { () throws(StorageError) in
            // What is read here transaction by transaction is read as the disk has it.
            writer.drain()
            try writer.requireUsable()
            let entry = try undoable(undone)
            var obstacles: [(oid: ObjectID, reason: String)] = []
            // Records of one object are judged by what was there before this undo, not by one another.
            var places: [ObjectID: StagedRecords.Place] = [:]
            var scanner = try FileScanner(view.file, from: entry.header.position, to: entry.end, .boundary)
            while try scanner.next() {
                try storage.options.interruption?.check()
                let oid = scanner.oid
                let record = try reader.read(at: scanner.recordPosition, oid: oid, withData: true)
                obstacles.removeAll { $0.oid == oid }
                do throws(UndoObjection) {
                    places[oid] = try restore(record)
                } catch {
                    switch error {
                    case .obstacle(let reason): obstacles.append((oid, reason))
                    case .failure(let failure): throw failure
                    }
                }
            }
            guard obstacles.isEmpty else {
                throw .undoFailed(undone, obstacles.map { UndoObstacle(oid: $0.oid, reason: $0.reason) })
            }
            for (oid, place) in places.sorted(by: { $0.key < $1.key }) {
                staged.setCurrent(oid, place)
                noteChange(of: oid)
            }
        }
    }

    /// The transaction, looked for backwards from the file's end, since a pack ends what can be undone.
    private func undoable(_ tid: TransactionID) throws(StorageError) -> TransactionReader.Entry {
        var entry = try view.transactions.last()
        while let current = entry {
            try storage.options.interruption?.check()
            let isPacked = current.header.status == TransactionHeader.packed
            if current.header.tid == tid {
                guard current.header.status == TransactionHeader.complete else {
                    throw .undoFailed(tid, [UndoObstacle(oid: nil, reason: "non-undoable transaction")])
                }
                return current
            }
            guard !isPacked else { break }
            entry = try view.transactions.entry(before: current)
        }
        throw .noSuchTransaction(tid)
    }

    /// Stages the object's revision before `undone`.
    private func restore(_ undone: RecordReader.Record) throws(UndoObjection) -> StagedRecords.Place {
        let oid = undone.header.oid
        guard !undone.isInVersion,
            let committed = try UndoObjection.of({ () throws(StorageError) in
                try currentRecord(of: oid)
            })
        else { throw .failure(.unsupported("\(storage.name): \(oid) belongs to a version, or is not in the index")) }
        let head = head(oid, previous: committed.header.position)
        let before = undone.header.previous
        let isCopy = try isRestorable(undone, committed: committed)
        guard before > 0 else {
            // The object was made by that transaction: it is not there any more.
            guard isCopy else {
                throw .obstacle("Can't undo an add transaction followed by conflicting transactions.")
            }
            return try UndoObjection.of { () throws(StorageError) in try staged.append(head, backPointer: 0) }
        }
        guard isCopy else { return try merge(undone, committed: committed, head) }
        return try UndoObjection.of { () throws(StorageError) in
            let target = try record(before: undone)
            try restoreBlob(of: target)
            return try staged.append(head, backPointer: before)
        }
    }

    /// Whether what the object is now is what the undone transaction made it, so that nothing else is lost by going back.
    private func isRestorable(
        _ undone: RecordReader.Record, committed: RecordReader.Record
    ) throws(UndoObjection) -> Bool {
        let position = undone.header.position
        let pending = staged.places[undone.header.oid]
        guard pending != nil || committed.header.position != position else { return true }
        let pointer: UInt64? =
            if let pending {
                pending.dataSize > 0 ? nil : pending.backPointer
            } else {
                committed.header.dataSize > 0 ? nil : committed.backPointer
            }
        if pointer == UInt64(position) { return true }
        let (was, now) = try UndoObjection.of { () throws(StorageError) in
            (try reader.data(of: undone), try currentData(of: undone.header.oid, committed))
        }
        guard let was else { throw .obstacle("it had removed the object, which was there again later") }
        guard let now else { throw .obstacle("the object does not exist any more") }
        return was == now
    }

    /// What the object is now: in this transaction, or as committed; nil when it does not exist.
    private func currentData(
        of oid: ObjectID, _ committed: RecordReader.Record
    ) throws(StorageError) -> [UInt8]? {
        guard let pending = staged.places[oid] else { return try reader.data(of: committed) }
        if pending.dataSize > 0 { return try staged.data(at: pending) }
        guard pending.backPointer > 0 else { return nil }
        return try reader.data(of: reader.read(at: Int(pending.backPointer), oid: oid, withData: true))
    }

    private func record(before undone: RecordReader.Record) throws(StorageError) -> RecordReader.Record {
        guard undone.header.previous < UInt64(undone.header.position) else {
            throw .corrupt(
                storage.name,
                FormatError(
                    .invalid(field: "position of an older record", found: "\(undone.header.previous)"),
                    at: undone.header.position))
        }
        return try reader.read(at: Int(undone.header.previous), oid: undone.header.oid, withData: true)
    }

    /// Takes what the transaction did out of what others have done to the object since.
    private func merge(
        _ undone: RecordReader.Record, committed: RecordReader.Record, _ head: RecordHead
    ) throws(UndoObjection) -> StagedRecords.Place {
        let (old, now, before) = try UndoObjection.of { () throws(StorageError) in
            (
                try reader.data(of: undone), try currentData(of: head.oid, committed),
                try reader.data(of: record(before: undone))
            )
        }
        guard let old, let now, let before, let data = merge(old: old, committed: now, new: before)
        else {
            throw .obstacle("Some data were modified by a later transaction")
        }
        return try UndoObjection.of { () throws(StorageError) in try staged.append(head, data: data) }
    }

    /// Gives the restored revision its blob, when it has one.
    private func restoreBlob(of target: RecordReader.Record) throws(StorageError) {
        guard let holder = try reader.holder(of: target), let data = try reader.data(of: holder),
            BlobRecord.isBlob(data)
        else { return }
        try copyBlob(of: target.header.oid, from: holder.header.serial)
    }
}

/// Why a record is not restored: something of the database, which the caller is told with all others, or an error.
private enum UndoObjection: Error {
    case obstacle(String)
    case failure(StorageError)

    static func of<Value>(_ body: () throws(StorageError) -> Value) throws(UndoObjection) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            throw .failure(error)
        }
    }
}

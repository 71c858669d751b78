internal import Synchronization
internal import ZODB

/// A two-phase commit to a Data.fs.
///
/// Records are staged until `vote`, which writes the whole transaction behind the last one, marked as unfinished, and
/// flushes it; `finish` changes the one byte of the mark and flushes that. So the mark on the disk never says more than
/// the disk holds. (Python flushes once, after the mark: see `docs/decisions/`.)
final class FileTransaction: PipelinedTransaction {
    enum Phase {
        case storing
        /// Written; the mark is to be changed.
        case voted
        case ended
    }

    let storage: FileStorage
    let writer: FileWriter
    /// The file as of the beginning; nobody else changes it until the end.
    let view: FileStorage.View
    let metadata: TransactionMetadata
    let tid: TransactionID
    var staged: StagedRecords
    var phase = Phase.storing
    /// The first error: after it, `abort` is all that is left.
    private var failure: StorageError?
    private var changedOIDs: [ObjectID] = []
    private var changed: Set<ObjectID> = []
    var stagedBlobs: [ObjectID: StagedBlob] = [:]

    /// - Precondition: the turn has been taken.
    init(
        _ storage: FileStorage, _ writer: FileWriter, _ view: FileStorage.View, _ metadata: TransactionMetadata,
        tid: TransactionID
    ) {
        self.storage = storage
        self.writer = writer
        self.view = view
        self.metadata = metadata
        self.tid = tid
        let headSize =
            TransactionHeader.fixedSize + metadata.user.count + metadata.description.count
            + metadata.extensionData.count
        staged = StagedRecords(
            headSize: headSize, spillPath: storage.name + ".tmp", calls: storage.calls,
            memoryLimit: storage.options.stagingLimit)
    }

    deinit { abort() }

    /// Where the transaction will stand.
    var position: Int { view.end.position }
    var reader: RecordReader { storage.recordReader(for: view) }

    // MARK: Storing

    func store(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        try attempt { () throws(StorageError) in try stage(data, for: oid, basedOn: serial) }
    }

    private func stage(_ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID) throws(StorageError) {
        // A record without data would be taken for a back pointer.
        guard !data.isEmpty, data.count <= FileFormat.largestRecord else {
            throw .unsupported("\(storage.name): a record of \(data.count) bytes for \(oid); it has 1 byte to 1 GiB")
        }
        var data = data
        let previous = try currentRecord(of: oid)
        if let previous, previous.header.serial != serial {
            data = try merged(data, of: oid, basedOn: serial, with: previous)
            noteChange(of: oid)
        }
        writer.noteUse(of: oid)
        let place = try staged.append(head(oid, previous: previous?.header.position ?? 0), data: data)
        staged.setCurrent(oid, place)
    }

    func requireCurrent(_ oid: ObjectID, serial: TransactionID) throws(StorageError) {
        try attempt { () throws(StorageError) in
            guard let current = try currentRecord(of: oid),
                current.header.dataSize > 0 || current.backPointer > 0
            else { throw .noSuchObject(oid) }
            guard current.header.serial == serial else {
                throw .conflict(oid, committed: current.header.serial, read: serial)
            }
        }
    }

    /// The object's newest committed record; nil when it has none.
    /// - Throws: `unsupported` when it belongs to a version.
    func currentRecord(of oid: ObjectID) throws(StorageError) -> RecordReader.Record? {
        guard let position = try storage.lookUp(oid).position else { return nil }
        let record = try reader.read(at: position, oid: oid, withData: false)
        guard !record.isInVersion else {
            throw .unsupported("\(storage.name): \(oid) was changed in a version of ZODB 3.8 or before: read-only")
        }
        return record
    }

    func head(_ oid: ObjectID, previous: Int) -> RecordHead {
        RecordHead(oid: oid, tid: tid, previous: previous, transaction: position)
    }

    func noteChange(of oid: ObjectID) {
        if changed.insert(oid).inserted { changedOIDs.append(oid) }
    }

    /// Runs a call of the first phase, and keeps its error.
    func attempt(_ call: () throws(StorageError) -> Void) throws(StorageError) {
        guard phase == .storing else {
            throw .wrongState("\(storage.name): the transaction was voted on, or has ended")
        }
        try writer.requireUsable(storage.name)
        do throws(StorageError) {
            try call()
        } catch {
            failure = failure ?? error
            throw error
        }
    }

    // MARK: Two phases

    func vote() throws(StorageError) -> VoteResult {
        try attempt { () throws(StorageError) in
            if let failure { throw .wrongState("\(storage.name): the transaction can only be aborted: \(failure)") }
            guard staged.size <= FileFormat.largestPosition - position else {
                throw .unsupported("\(storage.name): no room: a Data.fs has less than 2^48 bytes")
            }
            try voteBlobs()
            try writer.core.withLock { (core) throws(StorageError) in
                if let obstacle = core.obstacle { throw .wrongState("\(storage.name): \(obstacle)") }
                try write(&core)
                core.voted = position
            }
        }
        phase = .voted
        return VoteResult(changedOIDs: changedOIDs)
    }

    private func write(_ core: inout FileWriter.Core) throws(StorageError) {
        var header = header
        header.status = TransactionHeader.checkpoint
        guard try writer.file.size() == position else {
            throw .wrongState("\(storage.name): somebody else has written to it, in spite of the lock")
        }
        do throws(StorageError) {
            try staged.write(head: header.bytes(metadata), to: writer.file, at: position)
        } catch {
            // Out of space, most likely: what is there of the transaction goes, and all is as before.
            try takeBack(&core, after: error, closing: false)
        }
        guard storage.options.flushesBeforeMark else { return }
        do throws(StorageError) {
            try writer.file.sync()
        } catch {
            try takeBack(&core, after: error, closing: true)
        }
    }

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        guard phase == .voted else { throw .wrongState("\(storage.name): the transaction was not voted on") }
        try writer.core.withLock { (core) throws(StorageError) in
            if let obstacle = core.obstacle { throw .wrongState("\(storage.name): \(obstacle)") }
            do throws(StorageError) {
                try writer.file.write([TransactionHeader.complete], at: position + 16)
                try writer.file.sync()
            } catch {
                // The mark may be on the disk: a blob's file must not be missing then.
                stagedBlobs = [:]
                try takeBack(&core, after: error, closing: true)
            }
            core.voted = nil
            core.unsavedRecords += staged.recordCount
        }
        phase = .ended
        stagedBlobs = [:]
        publish(tid)
        storage.takeIn(self)
        writer.turn.giveBack()
        storage.saveIndexNowAndThen()
        return tid
    }

    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError) {
        completion(.success(try finish(publish)))
    }

    func abort() {
        guard phase != .ended else { return }
        phase = .ended
        writer.core.withLock { core in
            guard core.voted == position, core.obstacle == nil else { return }
            core.voted = nil
            do throws(StorageError) {
                try writer.file.truncate(to: position)
            } catch {
                core.obstacle = "closed for writing: an aborted transaction could not be cut off: \(error)"
            }
        }
        removeBlobs()
        writer.turn.giveBack()
    }

    /// Cuts off what was written of the transaction, and throws.
    ///
    /// - Parameter closing: Whether what the disk holds is unknown: then nothing more is written.
    private func takeBack(
        _ core: inout FileWriter.Core, after error: StorageError, closing: Bool
    ) throws(StorageError) -> Never {
        core.voted = nil
        var closing = closing
        do throws(StorageError) {
            try writer.file.truncate(to: position)
            if closing { try writer.file.sync() }
        } catch {
            closing = true
        }
        if closing {
            let isUncertain = phase == .voted
            core.obstacle =
                "closed for writing, since the disk failed: \(error)"
                + (isUncertain ? "; whether transaction \(tid) is in the file, opening it again will tell" : "")
        }
        throw error
    }

    /// The transaction as it stands in the file when it is finished.
    var header: TransactionHeader {
        TransactionHeader(
            position: position, tid: tid, length: staged.size, status: TransactionHeader.complete, metadata)
    }
}

extension FileStorage {
    /// Shows a transaction that is on the disk.
    func takeIn(_ transaction: FileTransaction) {
        // A scan under way would put an index of before in the place of this one.
        maintenance.withLock { _ in
            state.withLock { state in
                guard state.file === transaction.writer.file else { return }
                let header = transaction.header
                let end = header.position + Int(header.length) + TransactionHeader.trailerSize
                state.end = FileEnd(position: end, last: header, tail: nil)
                for (oid, place) in transaction.staged.places {
                    state.index?.set(oid, to: header.position + place.offset)
                }
            }
        }
    }

    /// Saves the index when many records were written since: who opens the file after a crash scans less.
    func saveIndexNowAndThen() {
        guard let writer else { return }
        let count = state.withLock { $0.index?.count } ?? 0
        if writer.core.withLock({ $0.unsavedRecords }) > max(10_000, count) { saveIndex() }
    }
}

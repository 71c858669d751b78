internal import Synchronization
internal import ZODB

/// A two-phase commit to a Data.fs.
///
/// Records are staged until `vote`, which writes the whole transaction behind the last one, marked as unfinished. From
/// then on the writer's thread brings it to the disk; after `finish` it changes the one byte of the mark and flushes that.
/// So the mark on the disk never says more than the disk holds. (Python flushes once, after the mark: see
/// `docs/decisions/`.)
final class FileTransaction: PipelinedTransaction {
    enum Phase {
        case storing
        /// Written; the mark is to be changed.
        case voted
        case ended
    }

    struct Identity {
        var tid: TransactionID
        /// What marks it as complete: of a copy of a packed transaction, that it is one.
        var status: UInt8
        /// What the last tid was before, when the transaction has brought its own.
        var tidBefore: TransactionID?
    }

    let storage: FileStorage
    let writer: FileWriter
    /// The file as of the beginning, with the transactions that are not on the disk yet; nobody else adds to it until
    /// the end.
    let view: FileStorage.View
    let metadata: TransactionMetadata
    private let identity: Identity
    var tid: TransactionID { identity.tid }
    var staged: StagedRecords
    var phase = Phase.storing
    /// The first error: after it, `abort` is all that is left.
    private var failure: StorageError?
    private var changedOIDs: [ObjectID] = []
    private var changed: Set<ObjectID> = []
    var stagedBlobs: [ObjectID: StagedBlob] = [:]
    var histories = RestoredHistories()
    /// Among those that are pending, from the vote on.
    private var number: Int?

    /// - Precondition: the turn has been taken.
    init(
        _ storage: FileStorage, _ writer: FileWriter, _ view: FileStorage.View, _ metadata: TransactionMetadata,
        _ identity: Identity
    ) {
        self.storage = storage
        self.writer = writer
        self.view = view
        self.metadata = metadata
        self.identity = identity
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
        try writer.requireRoom(after: oid)
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

    /// The object's newest record, of the transactions not yet on the disk too; nil when it has none.
    /// - Throws: `unsupported` when it belongs to a version.
    func currentRecord(of oid: ObjectID) throws(StorageError) -> RecordReader.Record? {
        // In this order: what is pending no more is in the index.
        let pending = writer.core.withLock { $0.pending.positions[oid] }
        let known = try pending == nil ? storage.lookUp(oid).position : nil
        guard let position = pending ?? known else { return nil }
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
        try writer.requireUsable()
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
            if let quota = storage.options.quota, position + staged.size > quota {
                throw .unsupported("\(storage.name): the transaction would exceed the quota of \(quota) bytes")
            }
            try voteBlobs()
            number = try writer.core.change { (core) throws(StorageError) in
                try core.requireUsable(storage.name)
                try writer.requireFlusher(&core)
                try write(&core)
                let positions = staged.places.mapValues { position + $0.offset }
                return core.pending.append(
                    header, positions: positions, recordCount: staged.recordCount,
                    blobs: stagedBlobs.values.map(\.path))
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
            cutOff(&core)
            throw error
        }
    }

    func finish(_ publish: (TransactionID) -> Void) throws(StorageError) -> TransactionID {
        let told = Monitor<Result<TransactionID, StorageError>?>(nil)
        let result = try withoutActuallyEscaping(publish) { (publish) throws(StorageError) in
            let loan = Loan(publish)
            defer { loan.end() }
            try finish(
                publish: { loan.call($0) },
                completion: { result in
                    loan.end()
                    told.change { $0 = result }
                })
            return writer.wait(for: told)
        }
        return try result.get()
    }

    func finish(
        publish: @escaping @Sendable (TransactionID) -> Void,
        completion: @escaping @Sendable (Result<TransactionID, StorageError>) -> Void
    ) throws(StorageError) {
        guard phase == .voted, let number else {
            throw .wrongState("\(storage.name): the transaction was not voted on")
        }
        try writer.core.change { (core) throws(StorageError) in
            try core.requireUsable(storage.name)
            let request = PendingTransaction.Request(storage: storage, publish: publish, completion: completion)
            precondition(core.pending.accept(number, request), "only an error, or this object, takes it back")
        }
        phase = .ended
        // They are the record's now.
        stagedBlobs = [:]
        writer.settleOIDs(isFinished: true)
        writer.turn.giveBack()
    }

    func abort() {
        guard phase != .ended else { return }
        phase = .ended
        writer.core.change { core in
            if let number, core.pending.takeBack(number) != nil { cutOff(&core) }
        }
        removeBlobs()
        writer.settleOIDs(isFinished: false)
        if let before = identity.tidBefore { writer.giveBack(tid, to: before) }
        writer.turn.giveBack()
    }

    /// Cuts off what was written of the transaction.
    private func cutOff(_ core: inout FileWriter.Core) {
        do throws(StorageError) {
            try writer.file.truncate(to: position)
        } catch {
            core.obstacle =
                core.obstacle ?? "closed for writing: an aborted transaction could not be cut off: \(error)"
        }
    }

    /// The transaction as it stands in the file when it is finished.
    var header: TransactionHeader {
        TransactionHeader(
            position: position, tid: tid, length: staged.size, status: identity.status, metadata)
    }
}

/// A caller's closure, lent to another thread while the caller waits.
// @unchecked: the borrower calls it before it says that it is done, the lender looks at it after.
private final class Loan: @unchecked Sendable {
    private var publish: ((TransactionID) -> Void)?

    init(_ publish: @escaping (TransactionID) -> Void) { self.publish = publish }

    func call(_ tid: TransactionID) { publish?(tid) }

    func end() { publish = nil }
}

extension FileStorage {
    /// Shows a transaction that is on the disk.
    func takeIn(_ transaction: PendingTransaction) {
        // A scan under way would put an index of before in the place of this one.
        maintenance.withLock { _ in
            state.withLock { state in
                guard state.file === writer?.file else { return }
                state.end = transaction.end
                for (oid, position) in transaction.positions { state.index?.set(oid, to: position) }
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

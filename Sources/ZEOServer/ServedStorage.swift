internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// One storage and all that its clients share: its statistics, its news, and the turn to commit.
///
/// Loads are answered by whoever asks, at once. What writes runs on one thread, in the order in which it arrived; what reads
/// for long runs on others, for the clients in turn.
final class ServedStorage: Sendable {
    let name: String
    let storage: any Storage
    let policy: ServicePolicy
    let logger: Logger
    let publications: Publications
    let statistics: Mutex<StorageStatistics>
    /// Everything that writes.
    let writing = NIOThreadPool(numberOfThreads: 1)
    /// Loads that go far back in an object's history.
    let loading = WorkLine(threads: 1)
    /// Everything else that reads for longer than a load: whoever goes through the whole log leaves others a thread.
    let reading = WorkLine(threads: 2)
    /// Blobs, in and out.
    let blobs = WorkLine(threads: 2)
    /// Packs: they take minutes. A second one is told at once that one is under way.
    let packing = NIOThreadPool(numberOfThreads: 2)
    let turn = CommitTurn()
    var lines: [WorkLine] { [loading, reading, blobs] }
    let wakeClients: @Sendable (ServedStorage) -> Void

    /// Which Python's pickles the storage holds.
    let generation: PythonGeneration
    let direct: (any DirectLoadStorage)?
    /// nil when nobody may write.
    let writable: (any WritableStorage)?

    /// - Throws: what the storage throws when it is asked for its last transactions.
    init(
        _ name: String, _ storage: any Storage, isReadOnly: Bool, policy: ServicePolicy, logger: Logger,
        wakeClients: @escaping @Sendable (ServedStorage) -> Void
    ) throws(StorageError) {
        self.name = name
        self.storage = storage
        self.policy = policy
        self.logger = logger
        self.wakeClients = wakeClients
        let information = try storage.information()
        generation = information.generation ?? .python3
        direct = storage as? any DirectLoadStorage
        if !isReadOnly, let writable = storage as? any WritableStorage, writable.isWritable {
            self.writable = writable
        } else {
            writable = nil
        }
        var history = InvalidationHistory(count: policy.invalidationQueueSize, age: policy.invalidationAge)
        try Self.fill(&history, from: storage)
        publications = Publications(history: history, loops: policy.threads)
        statistics = Mutex(StorageStatistics(start: Clock.now()))
        writing.start()
        packing.start()
    }

    /// Takes the last transactions from the storage: clients keep their caches over a restart of the server.
    private static func fill(_ history: inout InvalidationHistory, from storage: any Storage) throws(StorageError) {
        guard let storage = storage as? any TransactionLogStorage else { return }
        let oldest = history.age.map { TransactionID(unixTime: Clock.now() - $0) ?? .none } ?? .latest
        var tids: [TransactionID] = []
        let log = try storage.transactionLog()
        while let transaction = try log.next(), tids.count < history.count || transaction.tid > oldest {
            tids.append(transaction.tid)
        }
        for tid in tids.reversed() {
            let records = try storage.records(of: tid).records
            var seen: Set<ObjectID> = []
            var oids: [ObjectID] = []
            while let record = try records.next() {
                if seen.insert(record.oid).inserted { oids.append(record.oid) }
            }
            history.append(tid, oids)
        }
    }

    /// Nothing more is read for clients but near loads.
    func stopReading() {
        for line in lines { line.stop() }
    }

    /// Returns when what has been asked to be written so far is done, packs aside, and its answers are on their way. What is
    /// handed to the thread after `close` would run on the thread that hands it over, beside what is still running.
    func waitForWork(_ loop: any EventLoop) {
        try? writing.runIfActive(eventLoop: loop) {}.wait()
    }

    func close() {
        try? writing.syncShutdownGracefully()
        for line in lines { line.close() }
        (storage as? any PackableStorage)?.cancelPack()
        try? packing.syncShutdownGracefully()
        storage.close()
    }

    // MARK: What it says of itself

    func lastTransaction() throws(StorageError) -> TransactionID { try storage.lastTransaction() }

    /// What `get_info` tells.
    func servedInformation() throws(StorageError) -> ServedInformation {
        let information = try storage.information()
        let undoable = writable as? any UndoableStorage
        var interfaces: [String] = []
        // In the order of Python's servers.
        if storage is any RestorableStorage, writable != nil { interfaces.append("IStorageRestoreable") }
        if storage is any TransactionLogStorage { interfaces.append("IStorageIteration") }
        if undoable?.supportsUndo == true { interfaces.append("IStorageUndoable") }
        if storage is any CurrentRecordStorage { interfaces.append("IStorageCurrentRecordIteration") }
        if try keepsBlobs() { interfaces.append("IBlobStorage") }
        if storage is any DeletingStorage, writable != nil { interfaces.append("IExternalGC") }
        interfaces.append("IStorage")
        var served = ServedInformation(
            length: information.objectCount ?? 0, size: information.size ?? 0, name: information.storageName,
            supportsUndo: undoable?.supportsUndo ?? false,
            supportsRecordIteration: storage is any CurrentRecordStorage, interfaces: interfaces)
        served.ownVersion = policy.version
        return served
    }

    func keepsBlobs() throws(StorageError) -> Bool {
        guard let storage = storage as? any BlobReceivingStorage else { return false }
        return try storage.blobReceptionDirectory() != nil
    }

    /// `server_status`.
    func status(in generation: Generation) -> WireValue {
        let statistics = statistics.withLock { $0 }
        let last = (try? lastTransaction()) ?? .none
        var fields: [WireValue.Entry] = []
        func add(_ name: String, _ value: WireValue) { fields.append(.init(.string(name), value)) }
        add("start", .string(Clock.text(statistics.start)))
        add("loads", .integer(Int64(statistics.loads)))
        add("stores", .integer(Int64(statistics.stores)))
        add("commits", .integer(Int64(statistics.commits)))
        add("aborts", .integer(Int64(statistics.aborts)))
        add("active_txns", .integer(Int64(statistics.activeTransactions)))
        add("lock_time", statistics.lockTime.map { .float($0) } ?? .none)
        add("conflicts", .integer(Int64(statistics.conflicts)))
        add("conflicts_resolved", .integer(Int64(statistics.conflictsResolved)))
        add("waiting", .integer(Int64(statistics.waiting)))
        add("timeout-thread-is-alive", policy.transactionTimeout == nil ? .string("stub") : .bool(true))
        add("connections", .integer(Int64(statistics.connections)))
        if generation <= .v4 { add("verifying_clients", .integer(0)) }
        add("last-transaction", .string(last.hex))
        // Only then: Python's server has no such field, and there are clients that know all that it has.
        if let progress = (storage as? any PackableStorage)?.packProgress {
            add("pack", .string(progress.description))
        }
        return .dict(fields)
    }
}

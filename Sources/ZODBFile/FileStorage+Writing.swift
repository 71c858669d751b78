internal import ByteCoding
internal import Synchronization
public import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension FileStorage: WritableStorage {
    /// Whether it was opened for writing. It says so too when an error has ended writing since: `begin` tells.
    public var isWritable: Bool { writer != nil }

    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        guard let writer else { throw .readOnly(name) }
        try writer.requireUsable()
        return try writer.newObjectIDs(count)
    }

    /// Begins a transaction, when the one before is accepted or has been aborted.
    /// - Throws: `readOnly`; `wrongState` when an error has ended writing, or somebody has changed the file in spite of
    ///   the lock; `unsupported` when a string of `metadata` has more than 65,535 bytes; `interrupted`.
    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        try begin(metadata) { (writer) throws(StorageError) in
            FileTransaction.Identity(tid: try writer.nextTID(), status: TransactionHeader.complete)
        }
    }

    /// Begins a transaction whose tid and status `identity` tells, when it is its turn.
    private func begin(
        _ metadata: TransactionMetadata,
        _ identity: (FileWriter) throws(StorageError) -> FileTransaction.Identity
    ) throws(StorageError) -> FileTransaction {
        guard let writer else { throw .readOnly(name) }
        for (what, bytes) in [
            ("user", metadata.user), ("description", metadata.description), ("extension", metadata.extensionData),
        ] where bytes.count > Int(UInt16.max) {
            throw .unsupported("\(name): the \(what) of a transaction has \(bytes.count) bytes; at most 65535 fit")
        }
        try writer.requireUsable()
        try writer.turn.take(options.interruption)
        do throws(StorageError) {
            try writer.requireUsable()
            // In this order: what is pending no more is known.
            let pending = writer.core.withLock { $0.pending.end }
            var view = try indexSnapshot().view
            if let pending { view.end = pending }
            try requireUndisturbed(view, writer)
            return FileTransaction(self, writer, view, metadata, try identity(writer))
        } catch {
            writer.turn.giveBack()
            throw error
        }
    }

    /// - Throws: `wrongState` when the file is not as this storage left it: somebody does not respect the lock.
    func requireUndisturbed(_ view: View, _ writer: FileWriter) throws(StorageError) {
        let found = FileIdentity(path: name)
        guard found == view.file.identity else {
            let fate = found == nil ? "the file is gone" : "another file has been put in its place"
            throw .wrongState("\(name): \(fate); \(options.adviceWhenDisplaced)")
        }
        let size = try view.file.size()
        guard size == view.end.position, try isUnchanged(view, size: size) else {
            // Or what was pending has been cut off just now.
            try writer.requireUsable()
            throw .wrongState(
                "\(name): somebody else has written to it, in spite of the lock; close it and open it again")
        }
    }

    // MARK: Opening

    /// Takes the locks and opens the file, making it where that was asked for.
    static func openForWriting(
        _ path: String, options: Options, calls: FileCalls
    ) throws(StorageError) -> (writer: FileWriter, generation: PythonGeneration) {
        // Of a file that is not there, and not to be made, there is nothing to lock.
        if options.newFileGeneration == nil, FileIdentity(path: path) == nil { throw .io(path, errno: ENOENT) }
        let lock = try LockFile(forDataFile: path)
        let file: DataFile
        do throws(StorageError) {
            file = try DataFile(path, .writing, calls: calls)
        } catch .io(_, errno: ENOENT) where options.newFileGeneration != nil {
            file = try DataFile(path, .creating(permissions: 0o666), calls: calls)
            try Directories.sync(Directories.parent(of: path))
        }
        try file.lock()
        // A pack that ended in between has put another file in its place.
        guard FileIdentity(path: path) == file.identity else { throw .locked(path) }
        PackedFiles(dataFile: path).cleanUp(file)
        let generation: PythonGeneration
        if let existing = try checkMagic(of: file) {
            generation = existing
        } else {
            // An empty file is an empty database, of whoever writes first.
            generation = options.newFileGeneration ?? .python3
            try file.write(FileFormat.magic(of: generation), at: 0)
            try file.sync()
        }
        let writer = FileWriter(path, lock: lock, file: file, options)
        return (writer, generation)
    }

    /// Reads the index, and moves aside what lies behind the last transaction.
    ///
    /// - Throws: `corrupt` when the file is damaged where it should not be: nothing may be written behind that.
    func prepareForWriting(_ writer: FileWriter) throws(StorageError) {
        let (view, index) = try indexSnapshot()
        let size = try view.file.size()
        if size > view.end.position {
            let tail = view.end.tail ?? .garbage(at: view.end.position, bytes: size - view.end.position)
            let path = try TailRescue.move(
                view.end.position..<size, of: view.file, to: name + ".tr", calls: calls)
            writer.rescuedTail.withLock { $0 = RescuedTail(tail: tail, path: path) }
        }
        state.withLock { $0.end?.tail = nil }
        writer.core.withLock { $0.lastTID = view.end.last?.tid ?? .none }
        writer.oids.withLock { $0.largest = index.largest ?? .root }
        if case .scan = state.withLock({ $0.indexOrigin }) { saveIndex() }
    }

    // MARK: The index file

    /// Saves the index beside the file. That it cannot be saved is no error: the next to open the file scans it.
    func saveIndex() {
        let snapshot = state.withLock { state -> (FileIndex, Int, PythonGeneration)? in
            guard let index = state.index, let end = state.end, let generation = state.generation else { return nil }
            return (index, end.position, generation)
        }
        guard let writer, let (index, position, generation) = snapshot else { return }
        do throws(StorageError) {
            try IndexFile.write(
                index, position: position, generation: generation, to: indexPath, calls: calls)
            writer.core.withLock { $0.unsavedRecords = 0 }
        } catch {
            return
        }
    }

    /// Ends writing: a transaction in progress is taken back, those that are accepted are waited for, the index is saved,
    /// the lock given back.
    func closeWriter() {
        guard let writer else { return }
        cancelPack()
        let isUsable = writer.core.change { core in
            let isUsable = core.obstacle == nil
            core.obstacle = core.obstacle ?? "the storage is closed"
            if let transaction = core.pending.takeBack() {
                // What cannot be cut off is not committed, and cut off by the next to open the file.
                try? writer.file.truncate(to: transaction.header.position)
            }
            return isUsable
        }
        writer.packing.wait { $0 == nil ? () : nil }
        writer.endFlusher()
        if isUsable, isIndexToBeSaved(writer) { saveIndex() }
        writer.file.unlock()
        writer.lock.release()
    }

    private func isIndexToBeSaved(_ writer: FileWriter) -> Bool {
        if writer.core.withLock({ $0.unsavedRecords }) > 0 { return true }
        return state.withLock { state in
            guard case .file(let position) = state.indexOrigin else { return false }
            return position != state.end?.position
        }
    }
}

extension FileStorage: UndoableStorage {
    public var supportsUndo: Bool { isWritable }
}

extension FileStorage: RestorableStorage {
    /// - Throws: `wrongState` when the tid is not later than the last one: a file has its transactions in their order.
    public func begin(
        _ metadata: TransactionMetadata, tid: TransactionID, status: TransactionSummary.Status
    ) throws(StorageError) -> any StorageTransaction {
        guard status == .complete || status == .packed else {
            throw .unsupported("\(name): no transaction is written with the status '\(status)'")
        }
        return try begin(metadata) { (writer) throws(StorageError) in
            FileTransaction.Identity(tid: tid, status: status.rawValue, tidBefore: try writer.take(tid))
        }
    }
}

internal import ByteCoding
internal import Synchronization
public import ZODB

/// A Data.fs. Opened for reading, it is read where it lies: no lock is taken and nothing is written, so a server may have
/// it open and go on committing to it. Opened for writing, it is locked, and nobody else may write to it.
///
/// Opening reads four bytes. The transaction log and the last transaction are found from the file's end; the index is
/// read, or built by a scan of the file, when the first object is asked for. What is shown is the file as of then; only
/// `poll` takes in what was appended since.
///
/// Committed bytes never change, so any number of threads may load at once: a look into the index under a mutex, then
/// one `pread` outside it.
public final class FileStorage: Storage {
    /// How to open a Data.fs.
    public struct Options: Sendable {
        /// The directory with its blobs; nil when there is none, or it does not matter.
        public var blobDirectory: String?
        /// Whether it may be written to: then it is locked, and what a crash left behind its last transaction is moved
        /// to a file beside it.
        public var isWritable: Bool
        /// Whether a transaction is on the disk before it is marked as complete, which is flushed again. Without, it is
        /// flushed once, with its mark, as Python does: then a power cut may leave a part of it that looks whole, where
        /// the file system does not write data before the file's length.
        public var flushesBeforeMark = true
        /// Whether `withRevision` reads a file that is opened for writing through a map of it, and not by calls: several
        /// times as fast, but a disk that fails under it, or somebody who shortens the file, ends the process.
        public var mapsFile = true
        /// In bytes: a transaction that would make the file longer is refused.
        public var quota: Int?
        /// Makes the file when there is none, for this Python; only when it is opened for writing.
        public var newFileGeneration: PythonGeneration?
        /// Scans the file for its index, as if there were no `.index` file: for whoever does not trust it.
        public var ignoresIndexFile: Bool
        /// Raised, it stops a scan of the file.
        public var interruption: Interruption?
        /// Told now and then how far a scan of the file has come, on the thread that caused the scan. It must not call
        /// the storage.
        public var progress: (@Sendable (ScanProgress) -> Void)?
        /// Whether a pack drops objects that nothing refers to, unless it is told.
        public var packCollectsGarbage = true
        /// Whether a pack leaves the file as it was as `.old`, unless it is told.
        public var packKeepsOld = true
        /// What to do when the file was removed, renamed or replaced: for the message of a commit that is refused then.
        package var adviceWhenDisplaced = "close it and open it again"
        /// Called at each step of a pack: for tests.
        package var packStep: (@Sendable (PackStep) throws(StorageError) -> Void)?
        /// Where its `.index` is; nil for the usual place beside it.
        package var indexPath: String?
        /// How many bytes of a transaction in progress are kept in memory.
        package var stagingLimit = StagedRecords.memoryLimit

        public init(
            blobDirectory: String? = nil, isWritable: Bool = false, newFileGeneration: PythonGeneration? = nil,
            ignoresIndexFile: Bool = false, interruption: Interruption? = nil,
            progress: (@Sendable (ScanProgress) -> Void)? = nil
        ) {
            self.blobDirectory = blobDirectory
            self.isWritable = isWritable
            self.newFileGeneration = newFileGeneration
            self.ignoresIndexFile = ignoresIndexFile
            self.interruption = interruption
            self.progress = progress
        }
    }

    /// Where the index came from.
    enum IndexOrigin: Sendable {
        /// Nobody asked for an object yet.
        case none
        /// From the `.index` file, which reached to this position; the rest was scanned.
        case file(position: Int)
        /// By a scan of the whole file, because the `.index` file could not be used.
        case scan(reason: String)
    }

    /// What is known of the file. Parts that are nil have not been needed yet.
    struct State: Sendable {
        /// nil when the storage is closed.
        var file: DataFile?
        /// Of a file opened for writing; nil where it cannot be mapped, or is not to be.
        var map: FileMap?
        /// nil for a file of 0 bytes.
        var generation: PythonGeneration?
        var end: FileEnd?
        var index: FileIndex?
        var indexOrigin = IndexOrigin.none
        var peek = Peek.untried
        var timeReductions = 0
        var replacements = 0
        /// Where transactions begin that were listed lately: `log` is followed by `show`.
        var positions: [TransactionID: Int] = [:]
        /// The last transaction when it was packed: perhaps nothing of it is left.
        var lastPacked = TransactionID.none
    }

    /// The committed part of the file at one moment.
    struct View: Sendable {
        var file: DataFile
        var end: FileEnd
        var map: FileMap?

        var transactions: TransactionReader { TransactionReader(file: file, end: end.position) }
    }

    /// The path, as given.
    public let name: String
    let options: Options
    let calls: FileCalls
    let blobs: BlobDirectory?
    /// nil when it was opened for reading.
    let writer: FileWriter?
    let state: Mutex<State>
    /// Held by whoever finds the end, builds the index or polls: one at a time, while loads go on.
    let maintenance = Mutex(())

    /// Opens the file at `path`.
    /// - Throws: `corrupt` when it is no Data.fs, or, for writing, damaged; `locked` when somebody else writes to it; `io`.
    public convenience init(_ path: String, options: Options = Options()) throws(StorageError) {
        try self.init(path, options: options, calls: .system)
    }

    package init(_ path: String, options: Options, calls: FileCalls) throws(StorageError) {
        let opened: (file: DataFile, generation: PythonGeneration?)
        if options.isWritable {
            let (writer, generation) = try Self.openForWriting(path, options: options, calls: calls)
            self.writer = writer
            opened = (writer.file, generation)
        } else {
            writer = nil
            opened = try Self.open(path, calls: calls)
        }
        name = path
        self.options = options
        self.calls = calls
        if let directory = options.blobDirectory {
            blobs = try options.isWritable ? .openForWriting(directory) : BlobDirectory(directory)
        } else {
            blobs = nil
        }
        let map = options.isWritable && options.mapsFile ? opened.file.map() : nil
        state = Mutex(State(file: opened.file, map: map, generation: opened.generation))
        if let writer {
            try prepareForWriting(writer)
            blobs?.removeLeftovers()
        }
    }

    /// Reads what is open already: the pieces of a backup.
    /// - Parameter name: what to call it; nothing is looked for under this name but the `.index`, unless the options say
    ///   where that is.
    package init(reading file: DataFile, name: String, options: Options) throws(StorageError) {
        writer = nil
        self.name = name
        self.options = options
        calls = .system
        blobs = try options.blobDirectory.map { (path) throws(StorageError) in try BlobDirectory(path) }
        state = Mutex(State(file: file, generation: try Self.checkMagic(of: file)))
    }

    deinit { close() }

    /// Where its `.index` is.
    package var indexPath: String { options.indexPath ?? IndexFile.path(forDataFile: name) }

    static func open(
        _ path: String, calls: FileCalls
    ) throws(StorageError) -> (file: DataFile, generation: PythonGeneration?) {
        let file = try DataFile(path, calls: calls)
        return (file, try checkMagic(of: file))
    }

    /// Which Python wrote the file; nil when it is empty.
    /// - Throws: `corrupt` when it is no Data.fs; `unsupported` when it is too large for one.
    static func checkMagic(of file: DataFile) throws(StorageError) -> PythonGeneration? {
        let path = file.path
        let magic = try file.bytes(at: 0, count: FileFormat.firstTransaction)
        let size = try file.size()
        guard size < FileFormat.largestPosition else {
            throw .unsupported("\(path): \(size) bytes; a Data.fs has less than 2^48")
        }
        let generation = FileFormat.generation(ofMagic: magic)
        guard generation != nil || magic.isEmpty else {
            let text = String(decoding: magic.map { (0x20..<0x7f).contains($0) ? $0 : 0x3f }, as: UTF8.self)
            let found = "'\(text)' (\(Hexadecimal.text(magic))), not FS21 or FS30"
            throw .corrupt(path, FormatError(.invalid(field: "magic of a Data.fs", found: found), at: 0))
        }
        return generation
    }

    /// Lets go of the file. One opened for writing has its index saved and is unlocked; a transaction in progress is
    /// aborted.
    public func close() {
        closeWriter()
        state.withLock { state in
            state.file = nil
            state.map = nil
            state.index = nil
            state.peek = .unusable
            state.positions = [:]
        }
    }

    // MARK: What is needed, when it is needed

    /// The file and its end as known; nil when the end has not been looked for.
    func knownView() throws(StorageError) -> View? {
        try state.withLock { (state) throws(StorageError) -> View? in
            guard let file = state.file else { throw .unsupported("\(name): the storage is closed") }
            return state.end.map { View(file: file, end: $0, map: state.map) }
        }
    }

    /// The file and its end, found now if need be.
    func view() throws(StorageError) -> View {
        if let view = try knownView() { return view }
        return try maintenance.withLock { (_) throws(StorageError) -> View in try findEnd() }
    }

    /// - Precondition: `maintenance` is held.
    func findEnd() throws(StorageError) -> View {
        if let view = try knownView() { return view }
        guard let file = state.withLock({ $0.file }) else { throw .unsupported("\(name): the storage is closed") }
        guard let end = try FileEnd.located(in: file, size: try file.size()) else {
            // Only a scan can tell; and who scans has the index.
            return try buildIndex(of: file, upTo: nil)
        }
        state.withLock { if $0.file === file { $0.end = end } }
        return View(file: file, end: end)
    }

    /// Where the current record of the object is, and the file it is in.
    func lookUp(_ oid: ObjectID) throws(StorageError) -> (view: View, position: Int?) {
        while true {
            if let found = lookUpAtOnce(oid) { return found }
            if let found = try peek(oid) { return found }
            // Again when `poll` has gone over to another file in between.
            try requireIndex()
        }
    }

    private func lookUpAtOnce(_ oid: ObjectID) -> (view: View, position: Int?)? {
        state.withLock { state in
            guard let file = state.file, let end = state.end, state.index != nil else { return nil }
            return (View(file: file, end: end, map: state.map), state.index?.position(of: oid))
        }
    }

    /// The index as it is now.
    package func currentIndex() throws(StorageError) -> FileIndex { try indexSnapshot().index }

    /// The index as it is now, with the file it belongs to.
    func indexSnapshot() throws(StorageError) -> (view: View, index: FileIndex) {
        while true {
            try requireIndex()
            let snapshot = state.withLock { state -> (View, FileIndex)? in
                guard let file = state.file, let end = state.end, let index = state.index else { return nil }
                return (View(file: file, end: end, map: state.map), index)
            }
            if let snapshot { return snapshot }
        }
    }

    func requireIndex() throws(StorageError) {
        guard state.withLock({ $0.index == nil }) else { return }
        try maintenance.withLock { (_) throws(StorageError) in
            guard state.withLock({ $0.index == nil }) else { return }
            let view = try findEnd()
            guard state.withLock({ $0.index == nil }) else { return }
            _ = try buildIndex(of: view.file, upTo: view.end)
        }
    }
}

// MARK: Loading

extension FileStorage {
    public func lastTransaction() throws(StorageError) -> TransactionID {
        let last = try view().end.last?.tid ?? .none
        return max(last, state.withLock { $0.lastPacked })
    }

    /// Objects known to the index, deleted ones that no pack has removed included.
    public func objectCount() throws(StorageError) -> Int {
        try requireIndex()
        return state.withLock { $0.index?.count } ?? 0
    }

    public func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        try newestRecord(of: oid) { (reader, position) throws(StorageError) in
            try reader.revision(of: oid, from: position, at: tid)
        }
    }

    /// Calls `body` with the position of the object's newest record.
    ///
    /// An index that leads to another object's record is wrong, however well it passed its checks: the file is scanned
    /// then, once, and the new index used.
    /// - Parameter mapped: Where there is a map, the reader uses it.
    func newestRecord<Result>(
        of oid: ObjectID, mapped: Bool = false, _ body: (RecordReader, Int) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let (view, position) = try lookUp(oid)
        guard let position else { throw .noSuchObject(oid) }
        do throws(StorageError) {
            return try body(recordReader(for: view, mapped: mapped), position)
        } catch .corrupt(let what, let error) {
            guard try discardSavedIndex(that: oid, at: position, in: view) else { throw .corrupt(what, error) }
        }
        let (rebuiltView, rebuiltPosition) = try lookUp(oid)
        guard let rebuiltPosition else { throw .noSuchObject(oid) }
        return try body(recordReader(for: rebuiltView, mapped: mapped), rebuiltPosition)
    }

    func recordReader(for view: View, mapped: Bool = false) -> RecordReader {
        RecordReader(
            file: view.file, end: view.end.position, interruption: options.interruption,
            map: mapped ? view.map : nil)
    }
}

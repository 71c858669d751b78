internal import Synchronization
public import ZODB

extension FileStorage: PackableStorage {
    /// Writes what is needed for states from `tid` on to a new file, which takes the place of this one.
    ///
    /// Others go on loading and committing. The file is, byte for byte, what Python's pack would have made of it, except
    /// that nothing is lost which something refers to that stays: see `docs/decisions/`.
    /// - Throws: `readOnly` when it was opened for reading; `unsupported` for a file with versions, or a garbage
    ///   collection that would have to guess; `corrupt` for a damaged file, and for a reference to nothing when the options are strict;
    ///   `io`, also when the disk has not enough room. Then the file is as it was, and nothing is left behind.
    @discardableResult
    public func pack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackSummary {
        guard let writer else { throw .readOnly(name) }
        try writer.requireUsable()
        guard tid > .none else { throw .unsupported("\(name): invalid pack time") }
        let cancellation = Interruption()
        // Another pack of ours has it locked, and is found out below.
        let status = PackStatusFile(forDataFile: Directories.resolved(name))
        let watch = PackWatch(
            bytesPerSecond: options.bytesPerSecond,
            interruptions: [cancellation] + [options.interruption, self.options.interruption].compactMap { $0 },
            report: { progress in
                status?.write(progress)
                options.progress?(progress)
            })
        try writer.packing.change { (packing) throws(StorageError) in
            guard packing == nil else { throw StorageError.alreadyPacking }
            packing = FileWriter.Packing(watch: watch, cancellation: cancellation)
        }
        defer {
            status?.remove()
            writer.packing.change { $0 = nil }
        }
        return try PackRun(self, writer, tid, options, watch).perform()
    }

    public var packProgress: PackProgress? { writer?.packing.withLock { $0?.watch.progress } }

    public func cancelPack() { writer?.packing.withLock { $0?.cancellation.raise() } }
}

/// One pack of a FileStorage, from beginning to end.
struct PackRun {
    /// How often it begins anew, because a transaction committed meanwhile needs what was to be dropped.
    private static let mostAttempts = 4
    /// Fewer bytes to catch up with than this are left for the switch.
    private static let smallRest = 256 << 10
    /// Bytes of the disk that are left for others.
    private static let reserve = 16 << 20

    let storage: FileStorage
    let writer: FileWriter
    let tid: TransactionID
    let watch: PackWatch
    private let options: PackOptions
    private let collectsGarbage: Bool
    private let keepsOld: Bool
    private let files: PackedFiles

    init(
        _ storage: FileStorage, _ writer: FileWriter, _ tid: TransactionID, _ options: PackOptions, _ watch: PackWatch
    ) {
        self.storage = storage
        self.writer = writer
        self.tid = tid
        self.watch = watch
        self.options = options
        collectsGarbage = options.collectsGarbage ?? storage.options.packCollectsGarbage
        keepsOld = options.keepsOld ?? storage.options.packKeepsOld
        files = PackedFiles(dataFile: storage.name)
    }

    private enum Attempt {
        case done(PackSummary)
        /// A transaction committed meanwhile needs something that was to be dropped.
        case again
    }

    func perform() throws(StorageError) -> PackSummary {
        for _ in 0..<Self.mostAttempts {
            let attempt: Attempt
            do throws(StorageError) {
                attempt = try self.attempt()
            } catch {
                files.removeNew()
                throw error
            }
            if case .done(let summary) = attempt { return summary }
            files.removeNew()
        }
        throw .wrongState(
            "\(storage.name): transactions committed while it was packed brought back what was to be dropped, "
                + "\(Self.mostAttempts) times; try again when less is undone")
    }

    private func attempt() throws(StorageError) -> Attempt {
        let (view, current) = try storage.indexSnapshot()
        let end = view.end.position
        guard current.count > 0 else { return .done(nothingToDo("there are no objects", view)) }
        let source = PackSource(
            file: view.file, map: storage.options.mapsFile ? view.map : nil, watch: watch)
        try watch.begin(.index, total: end, share: 0.15)
        let packIndex = try PackIndex(
            source, end: end, to: tid, current: current, last: view.end.last?.tid ?? .none)
        if let reason = packIndex.redundancy {
            var summary = nothingToDo(reason, view)
            try completeEarlier(source, view.end, &summary)
            return .done(summary)
        }
        try watch.begin(.mark, total: packIndex.index.count, share: collectsGarbage ? 0.3 : 0)
        var marker = try PackMarker(
            source, packIndex, end: end, collectsGarbage: collectsGarbage, isStrict: options.isStrict)
        try marker.mark()
        try step(.marked)
        try requireRoom(
            for: (collectsGarbage ? marker.keptBytes + packIndex.headBytes : packIndex.position)
                + end - packIndex.position)
        var summary = PackSummary(.packed)
        summary.objectsBefore = current.count
        summary.bytesBefore = end
        (summary.dangling, summary.danglingCount) = (marker.dangling, marker.danglingCount)
        summary.rescued = marker.rescued
        return try copy(source, marker.marks, packIndex.position, end, summary)
    }

    private func copy(
        _ source: PackSource, _ marks: PackMarks, _ packPosition: Int, _ end: Int, _ summary: PackSummary
    ) throws(StorageError) -> Attempt {
        var summary = summary
        if keepsOld { try files.requireKeeping() }
        let (file, note) = try files.makeNew(like: source.file, calls: storage.calls)
        summary.notes += [note].compactMap { $0 }
        try file.lock()
        try step(.made)
        try watch.begin(.copy, total: end, share: collectsGarbage ? 0.5 : 0.8)
        let blobs = try storage.blobs.map { (directory) throws(StorageError) in
            try DroppedBlobs(directory, calls: storage.calls)
        }
        var copier = try PackCopier(
            source, marks, packPosition: packPosition, end: end, to: file, droppedBlobs: blobs)
        try copier.copyToPackTime()
        guard copier.newPackPosition != packPosition else {
            files.removeNew()
            blobs?.giveUp()
            let view = try storage.view()
            let found = summary
            summary = nothingToDo("nothing of it can go", view)
            // What was looked into was found all the same.
            (summary.dangling, summary.danglingCount, summary.rescued) = (
                found.dangling, found.danglingCount, found.rescued
            )
            try completeEarlier(source, view.end, &summary)
            return .done(summary)
        }
        try copier.copyRest(packPosition..<end)
        try blobs?.sync()
        try step(.copied)

        var done = end
        var news = PackNews(source, marks, packPosition: packPosition)
        try watch.begin(.catchUp, total: 1, share: 0.04)
        guard try catchUp(&done, &news, &copier) else { return .again }
        try copier.sync()
        try step(.caughtUp)
        try IndexFile.write(
            copier.index, position: copier.output.position, generation: storage.fileGeneration, to: files.newIndex,
            calls: storage.calls)
        let indexPosition = copier.output.position
        guard try catchUp(&done, &news, &copier) else { return .again }
        try copier.sync()
        try step(.indexWritten)

        try watch.begin(.switchOver, total: 1, share: 0.01)
        guard
            let last = try switchOver(
                done: done, &news, &copier, file, indexPosition: indexPosition)
        else { return .again }
        files.nameOld(keepsOld: keepsOld)
        try? step(.oldNamed)
        summary.objectsAfter = copier.index.count
        summary.bytesAfter = copier.output.position
        if let blobs {
            try? watch.begin(.blobs, total: 1, share: 0)
            var removal = BlobRemoval(storage, blobs, keepsOld: keepsOld, last: last, watch: watch)
            do throws(StorageError) {
                try removal.perform()
            } catch {
                summary.notes.append("not all blobs of dropped revisions were removed; the next pack goes on: \(error)")
            }
            summary.blobsRemoved = removal.count
        }
        try? step(.blobsRemoved)
        return .done(summary)
    }

    /// Copies what was committed since, until little is left; false when it needs what was dropped.
    private func catchUp(
        _ done: inout Int, _ news: inout PackNews, _ copier: inout PackCopier
    ) throws(StorageError) -> Bool {
        while true {
            try writer.requireUsable()
            let end = try storage.view().end.position
            let rest = end - done
            if rest > 0 {
                guard try news.fit(done..<end) else { return false }
                try copier.copyRest(done..<end)
                done = end
            }
            guard rest > Self.smallRest else { return true }
            try copier.sync()
        }
    }

    /// - Returns: the last transaction; nil when one was committed that needs what was dropped.
    private func switchOver(
        done: Int, _ news: inout PackNews, _ copier: inout PackCopier, _ file: DataFile, indexPosition: Int
    ) throws(StorageError) -> TransactionID? {
        try writer.turn.take(storage.options.interruption, isUrgent: true)
        defer { writer.turn.giveBack() }
        watch.hurry()
        defer { watch.takeTime() }
        writer.drain()
        try writer.requireUsable()
        let view = try storage.view()
        try storage.requireUndisturbed(view, writer)
        try step(.locked)
        let end = view.end.position
        if end > done {
            guard try news.fit(done..<end) else { return nil }
            try copier.copyRest(done..<end)
        }
        try copier.sync()
        try step(.synced)
        try watch.advance(to: 1)
        let last = try storage.lastTransaction()
        try files.switchOver(keepsOld: keepsOld) { (step) throws(StorageError) in try self.step(step) }
        file.noteRenaming(to: storage.name)
        do throws(StorageError) {
            try Directories.sync(Directories.parent(of: files.data))
        } catch {
            // A power cut may bring the old file back: nothing may be committed to the new one.
            writer.core.change { core in
                core.obstacle =
                    core.obstacle
                    ?? "closed for writing: it was packed, and the directory could not be flushed: \(error)"
            }
        }
        try? step(.directorySynced)
        let newEnd = FileEnd(position: copier.output.position, last: copier.last, tail: nil)
        storage.take(file, newEnd, copier.index, indexPosition: indexPosition, last: last)
        try? step(.switched)
        return last
    }

    /// Takes away the blobs that a pack has left which was cut off after it had dropped their revisions.
    /// - Throws: `interrupted` only; what else comes between is a note.
    private func completeEarlier(
        _ source: PackSource, _ end: FileEnd, _ summary: inout PackSummary
    ) throws(StorageError) {
        guard let directory = storage.blobs else { return }
        do throws(StorageError) {
            guard let list = try DroppedBlobs.left(in: directory, calls: storage.calls) else { return }
            try watch.begin(.blobs, total: end.position, share: 0)
            var removal = try BlobRemoval(completing: list, of: storage, source, end: end, keepsOld: keepsOld)
            try removal.perform()
            summary.blobsRemoved = removal.count
        } catch {
            if case .interrupted = error { throw error }
            summary.notes.append("not all blobs of dropped revisions were removed; the next pack goes on: \(error)")
        }
    }

    private func nothingToDo(_ reason: String, _ view: FileStorage.View) -> PackSummary {
        var summary = PackSummary(.nothingToDo(reason))
        let count = storage.state.withLock { $0.index?.count }
        (summary.objectsBefore, summary.objectsAfter) = (count, count)
        (summary.bytesBefore, summary.bytesAfter) = (view.end.position, view.end.position)
        return summary
    }

    /// - Throws: `io`, no space left, when what is to be written does not fit on the disk.
    private func requireRoom(for bytes: Int) throws(StorageError) {
        // The index is written too.
        let index = 10 * (storage.state.withLock { $0.index?.count } ?? 0)
        let needed = bytes + index + Self.reserve
        guard let free = files.freeSpace(), free < needed else { return }
        throw .io("\(files.new) needs up to \(needed >> 20) MB, and \(free >> 20) MB are free", errno: 28)
    }

    private func step(_ step: PackStep) throws(StorageError) { try storage.options.packStep?(step) }
}

extension FileStorage {
    fileprivate var fileGeneration: PythonGeneration { state.withLock { $0.generation } ?? .python3 }

    /// Goes over to the packed file; readers of the old one finish there.
    /// - Precondition: the caller has the turn, and nothing is pending.
    fileprivate func take(
        _ file: DataFile, _ end: FileEnd, _ index: FileIndex, indexPosition: Int, last: TransactionID
    ) {
        let map = options.mapsFile ? file.map() : nil
        // What was there before is freed when the locks are given back.
        let before = state.withLock { ($0.index, $0.map) }
        defer { withExtendedLifetime(before) {} }
        maintenance.withLock { _ in
            state.withLock { state in
                state.file = file
                state.map = map
                state.end = end
                state.index = index
                state.indexOrigin = .file(position: indexPosition)
                state.peek = .unusable
                state.positions = [:]
                state.lastPacked = last
            }
        }
        writer?.replace(file)
        writer?.core.withLock { $0.unsavedRecords = end.position > indexPosition ? 1 : 0 }
    }
}

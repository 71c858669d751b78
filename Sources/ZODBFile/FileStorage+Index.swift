internal import ByteCoding
internal import Synchronization
internal import ZODB

extension FileStorage {
    /// Makes the index of `file`: from its `.index` where that can be believed, and by a scan of what it does not cover.
    ///
    /// - Parameter end: where the file ends; nil when only the scan can tell, which then sets it.
    /// - Precondition: `maintenance` is held.
    func buildIndex(of file: DataFile, upTo end: FileEnd?) throws(StorageError) -> View {
        let size = try file.size()
        let limit = end?.position ?? size
        let (saved, savedPosition, origin) = try savedIndex(of: file, limit: limit)
        return try scan(file, from: savedPosition, upTo: end, limit: limit, adding: saved, origin: origin)
    }

    /// The `.index` file's content, or an empty index of nothing.
    private func savedIndex(
        of file: DataFile, limit: Int
    ) throws(StorageError) -> (index: FileIndex, position: Int, origin: IndexOrigin) {
        guard !options.ignoresIndexFile else {
            return (FileIndex(), FileFormat.firstTransaction, .scan(reason: "not asked for"))
        }
        switch try IndexFile.read(indexPath, calls: calls) {
        case .unusable(let reason):
            return (FileIndex(), FileFormat.firstTransaction, .scan(reason: reason))
        case .index(let index, let position):
            if let objection = try IndexFile.objection(to: index, position: position, file: file, end: limit) {
                return (FileIndex(), FileFormat.firstTransaction, .scan(reason: objection))
            }
            return (index, position, .file(position: position))
        }
    }

    private func scan(
        _ file: DataFile, from start: Int, upTo end: FileEnd?, limit: Int, adding saved: FileIndex,
        origin: IndexOrigin
    ) throws(StorageError) -> View {
        let watch = ScanWatch(
            task: "building the index of \(name)", total: limit, interruption: options.interruption,
            progress: options.progress)
        var index = saved
        var scanner = try FileScanner(file, from: start, to: limit, end == nil ? .endOfFile : .boundary, watch: watch)
        while try scanner.nextTransaction() {
            while try scanner.nextRecord() { index.set(scanner.oid, to: scanner.recordPosition) }
        }
        let found: FileEnd
        if let end {
            found = end
        } else {
            let reader = TransactionReader(file: file, end: scanner.completeEnd)
            found = FileEnd(position: scanner.completeEnd, last: try reader.last()?.header, tail: scanner.tail)
        }
        let reductions = scanner.timeReductions
        state.withLock { state in
            // Closed, or replaced, while it was scanned: then nobody wants this index.
            guard state.file === file else { return }
            state.end = found
            state.index = index
            state.indexOrigin = origin
            state.timeReductions = reductions
        }
        return View(file: file, end: found)
    }

    /// Scans the file anew when the index came from an `.index` file and has something else than a record of `oid` at
    /// `position`; whether it did.
    func discardSavedIndex(that oid: ObjectID, at position: Int, in view: View) throws(StorageError) -> Bool {
        do throws(StorageError) {
            _ = try recordReader(for: view).read(at: position, oid: oid, withData: false)
            return false
        } catch .corrupt {
            // As suspected.
        }
        return try maintenance.withLock { (_) throws(StorageError) -> Bool in
            let current = state.withLock { (file: $0.file, end: $0.end, origin: $0.indexOrigin) }
            guard current.file === view.file, let end = current.end else { return true }
            // An index not read yet was looked into.
            if case .scan = current.origin { return false }
            _ = try scan(
                view.file, from: FileFormat.firstTransaction, upTo: end, limit: end.position, adding: FileIndex(),
                origin: .scan(reason: "it had \(oid) at \(position), where another record is"))
            return true
        }
    }
}

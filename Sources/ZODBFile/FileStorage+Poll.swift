internal import Synchronization
public import ZODB

extension FileStorage: SharedStorage {
    /// Takes in the transactions that were appended since the last call, or since the file's end was first looked for.
    ///
    /// A file that a pack has put in this one's place is opened instead; readers of the old one finish there.
    /// - Throws: `unsupported` when the file was replaced by an older one; what was open stays as it is.
    public func poll() throws(StorageError) -> [Invalidation] {
        // Nobody else writes to a file that we have locked, and what is written here shows itself.
        guard writer == nil else { return [] }
        return try maintenance.withLock { (_) throws(StorageError) -> [Invalidation] in
            guard let known = try knownView() else {
                // Nobody has seen anything yet.
                _ = try findEnd()
                return []
            }
            if let identity = FileIdentity(path: name), identity != known.file.identity {
                return try replace(known, by: try Self.open(name, calls: calls))
            }
            // A pack renames twice: for a moment there may be no file of this name.
            let size = try known.file.size()
            guard try isUnchanged(known, size: size) else {
                return try replace(known, by: try Self.open(name, calls: calls))
            }
            // Less than a magic: a file that is being created.
            return size < FileFormat.firstTransaction ? [] : try takeIn(known, size: size)
        }
    }

    /// Whether the last known transaction is still where it was: somebody may have written another file over this one.
    func isUnchanged(_ known: View, size: Int) throws(StorageError) -> Bool {
        guard let last = known.end.last else { return true }
        guard size >= known.end.position else { return false }
        let bytes = try known.file.bytes(at: last.position, count: TransactionHeader.fixedSize)
        guard bytes.count == TransactionHeader.fixedSize else { return false }
        let header = bytes.withUnsafeBytes { unsafe TransactionHeader($0, at: last.position) }
        return header.tid == last.tid && header.length == last.length
    }

    /// Reads what follows the known end, as far as it is complete.
    private func takeIn(_ known: View, size: Int) throws(StorageError) -> [Invalidation] {
        if state.withLock({ $0.generation == nil }) {
            // It was empty. What came first is the magic.
            let opened = try Self.open(name, calls: calls)
            state.withLock { $0.generation = opened.generation }
        }
        var changes: [Change] = []
        var scanner = try FileScanner(
            known.file, from: known.end.position, to: size, .endOfFile,
            watch: ScanWatch(
                task: "reading new transactions of \(name)", total: size, interruption: options.interruption,
                progress: options.progress))
        while try scanner.nextTransaction() { changes.append(try Change(of: &scanner)) }
        let tail = scanner.tail
        let last = changes.last?.header ?? known.end.last
        let end = FileEnd(position: scanner.completeEnd, last: last, tail: tail)
        state.withLock { state in
            guard state.file === known.file else { return }
            state.end = end
            if !changes.isEmpty { state.peek = .unusable }
            guard state.index != nil else { return }
            for change in changes {
                for (oid, position) in change.records { state.index?.set(oid, to: position) }
            }
        }
        return changes.map(\.invalidation)
    }

    /// Goes over to another file of the same name.
    private func replace(
        _ known: View, by opened: (file: DataFile, generation: PythonGeneration?)
    ) throws(StorageError) -> [Invalidation] {
        let size = try opened.file.size()
        let located = try FileEnd.located(in: opened.file, size: size)
        let end: FileEnd
        if let located {
            end = located
        } else {
            var scanner = try FileScanner(opened.file, from: FileFormat.firstTransaction, to: size, .endOfFile)
            while try scanner.nextTransaction() {}
            let reader = TransactionReader(file: opened.file, end: scanner.completeEnd)
            end = FileEnd(position: scanner.completeEnd, last: try reader.last()?.header, tail: scanner.tail)
        }
        let (was, now) = (known.end.last?.tid ?? .none, end.last?.tid ?? .none)
        guard now >= was else {
            throw .unsupported(
                "\(name) was replaced by an older file, whose last transaction is \(now), not \(was): open it again")
        }
        let view = View(file: opened.file, end: end)
        let invalidations = try changes(in: view, after: was)
        state.withLock { state in
            guard state.file === known.file else { return }
            state.file = opened.file
            state.generation = opened.generation
            state.end = end
            state.index = nil
            state.indexOrigin = .none
            state.peek = .unusable
            state.positions = [:]
            state.replacements += 1
        }
        return invalidations
    }

    private func changes(in view: View, after tid: TransactionID) throws(StorageError) -> [Invalidation] {
        var start = view.end.position
        var entry = try view.transactions.last()
        while let current = entry, current.header.tid > tid {
            try options.interruption?.check()
            start = current.header.position
            entry = try view.transactions.entry(before: current)
        }
        var invalidations: [Invalidation] = []
        var scanner = try FileScanner(view.file, from: start, to: view.end.position, .boundary)
        while try scanner.nextTransaction() { invalidations.append(try Change(of: &scanner).invalidation) }
        return invalidations
    }
}

/// A transaction that was appended: its head, and where its records are.
private struct Change {
    var header: TransactionHeader
    var records: [(oid: ObjectID, position: Int)] = []

    /// Reads the transaction that the scanner has just come to.
    init(of scanner: inout FileScanner) throws(StorageError) {
        header = scanner.transaction
        while try scanner.nextRecord() { records.append((scanner.oid, scanner.recordPosition)) }
    }

    var invalidation: Invalidation {
        var seen: Set<ObjectID> = []
        return Invalidation(tid: header.tid, oids: records.map(\.oid).filter { seen.insert($0).inserted })
    }
}

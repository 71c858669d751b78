internal import ByteCoding
public import ZODB
internal import ZODBFile

extension Repository {
    /// Restores a state into `scratch`, walks through all of what came out, and removes it again: what was found to be
    /// wrong, and what the database has.
    ///
    /// Every transaction and record has its form and its place, every current object can be loaded, the index that was saved
    /// is the one that the file has, and the blobs have their checksums.
    /// - Parameter scratch: a directory with room for the whole database.
    public func proveRestore(
        of time: RestoreTime = .newest, in scratch: String, _ watch: BackupWatch = BackupWatch()
    ) throws(StorageError) -> VerificationResult {
        let folder = "\(scratch)/zeoshell-restore-\(ProcessNumber.own)"
        try Directories.make(folder)
        defer { try? Directories.removeTree(folder) }
        var options = RestoreOptions()
        (options.time, options.watch) = (time, watch)
        let point = try point(time)
        if try hasBlobs(in: point.chain) { options.blobDirectory = "\(folder)/blobs" }
        let output = "\(folder)/Data.fs"
        var result = VerificationResult()
        do throws(StorageError) {
            let restored = try restore(to: output, options)
            (result.chainCount, result.fileCount, result.size) = (1, restored.fileCount, restored.size)
            (result.blobCount, result.restored) = (restored.blobCount, RestoredFacts(name: restored.name))
            try RestoreProof(output: output, watch: watch).walk(&result)
            if time == .newest { try compareCounts(of: point, &result) }
        } catch .corrupt(let what, let error) {
            result.problems.append(BackupProblem(what, "\(error)"))
        } catch .noBlob(let oid, let serial, let what) {
            result.problems.append(BackupProblem("blob \(oid) \(serial)", what))
        }
        return result
    }

    /// Whether a backup has blobs.
    var hasBlobs: Bool {
        get throws(StorageError) {
            for chain in chains {
                if try hasBlobs(in: chain) { return true }
            }
            return false
        }
    }

    private func hasBlobs(in chain: Chain) throws(StorageError) -> Bool {
        for file in chain.files {
            if let manifest = try manifest(of: file.name), !manifest.blobs.isEmpty { return true }
        }
        return false
    }

    /// What the manifest counted when the backup was made.
    private func compareCounts(of point: RestorePoint, _ result: inout VerificationResult) throws(StorageError) {
        guard let manifest = try manifest(of: point.name), let facts = result.restored else { return }
        if let count = manifest.objectCount, count != facts.objectCount {
            result.problems.append(
                BackupProblem("\(point.name)", "has \(facts.objectCount) objects when restored, should have \(count)"))
        }
        if manifest.last != facts.last {
            result.problems.append(
                BackupProblem("\(point.name)", "ends in transaction \(facts.last) when restored, not \(manifest.last)"))
        }
    }
}

private struct RestoreProof {
    let output: String
    let watch: BackupWatch

    func walk(_ result: inout VerificationResult) throws(StorageError) {
        guard var facts = result.restored else { return }
        // Once with the index that came with it, once without believing it.
        let options = FileStorage.Options(
            ignoresIndexFile: true, interruption: watch.interruption, progress: watch.progress)
        let storage = try FileStorage(output, options: options)
        defer { storage.close() }
        facts.last = try storage.lastTransaction()
        let (part, index) = try storage.committedPartWithIndex()
        if part.end != result.size {
            result.problems.append(BackupProblem(output, "\(result.size - part.end) bytes behind its last transaction"))
        }
        facts.objectCount = index.count
        var scanner = try storage.scanner(task: "walking through")
        var transaction = TransactionID.none
        while try scanner.next() {
            facts.recordCount += 1
            if scanner.serial != transaction {
                facts.transactionCount += 1
                transaction = scanner.serial
            }
        }
        var loaded = 0
        let cursor = try storage.currentRecords(from: .root)
        while try cursor.next() != nil {
            loaded += 1
            try watch.check("loading every object", loaded, of: index.count)
        }
        try compareIndex(with: index, part.end, &result)
        result.restored = facts
    }

    private func compareIndex(
        with index: FileIndex, _ end: Int, _ result: inout VerificationResult
    ) throws(StorageError) {
        let path = IndexFile.path(forDataFile: output)
        switch try IndexFile.read(path) {
        case .unusable(let why):
            guard FileSystem.exists(path) else { return }
            result.problems.append(BackupProblem("its index", why))
        case .index(let saved, let position):
            guard position <= end else {
                return result.problems.append(BackupProblem("its index", "reaches to \(position), the file to \(end)"))
            }
            var entries = saved.entries()
            var wrong = position == end && saved.count != index.count ? 1 : 0
            while let entry = entries.next() {
                let now = index.position(of: entry.oid)
                if now == nil || (position == end ? now != entry.position : (now ?? 0) < entry.position) { wrong += 1 }
            }
            if wrong > 0 { result.problems.append(BackupProblem("its index", "is wrong about \(wrong) objects")) }
        }
    }
}

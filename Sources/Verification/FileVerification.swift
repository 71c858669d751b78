internal import ObjectGraph
public import ZODB
internal import ZODBFile

/// Verifies a Data.fs where it lies, whatever state it is in: no lock is taken, nothing is written.
///
/// A pass over all heads first (`FileSurveyor`), then one over the records on two threads, then trees, folders and blobs by
/// what the second pass came upon, and last the ways that lead to the objects with defects.
///
/// Memory: 8 bytes for each object for the index, as many again while the `.index` file is compared, and while ways are
/// looked for; 16 for each part of a tree and each folder, 40 for each revision of a blob, with `.deep`; and what `limit`
/// defects take.
public struct FileVerification {
    private let path: String
    private let options: VerificationOptions

    /// - Parameter path: of the Data.fs.
    public init(_ path: String, options: VerificationOptions = VerificationOptions()) {
        (self.path, self.options) = (path, options)
    }

    /// - Throws: `io` when the file cannot be read; `interrupted`. What is wrong with its bytes is in the result.
    public func run() throws(StorageError) -> VerificationResult {
        let file = try DataFile(path)
        var progress: (@Sendable (ScanProgress) -> Void)?
        if let tell = options.progress {
            progress = { (scan: ScanProgress) in tell(scan.task, scan.done, scan.total, "bytes") }
        }
        let (survey, defects) = try FileSurveyor.survey(
            file, now: options.now, limit: options.limit, interruption: options.interruption,
            progress: progress)
        var result = VerificationResult(limit: options.limit)
        result.list.add(defects)
        result.lastTransaction = survey.last
        result.note("bytes", survey.size)
        result.note("transactions", survey.transactions)
        result.note("records", survey.records)
        result.note("objects", survey.index.count)
        try IndexCheck(survey: survey).run(into: &result.list)
        guard options.level >= .records else { return result }
        try readRecords(survey, &result)
        return result
    }

    private func readRecords(_ survey: FileSurvey, _ result: inout VerificationResult) throws(StorageError) {
        let harvest = try CheckpointedReading(survey: survey, options: options).run()
        result.list.add(harvest.defects)
        result.note("records_read", harvest.records)
        result.note("references", harvest.references)
        let storage = IndexedFile(
            survey.file, index: survey.index, end: survey.end, last: survey.last, generation: survey.generation,
            interruption: options.interruption)
        let workspace = try Workspace(storage, at: .latest, interruption: options.interruption)
        var search = PathSearch(workspace)
        let progress = options.progress
        if options.level >= .deep {
            // What nothing refers to is as it was when it was dropped: a stale node of a tree is no damage.
            try search.run { progress?("paths", $0, nil, "objects") }
            let deep = DeepVerification(workspace, options)
            try deep.run(
                trees: harvest.trees.oids.filter(search.isReachable),
                folders: harvest.folders.oids.filter(search.isReachable), &result)
            try BlobCheck(last: survey.last, options: options).run(harvest.blobs, &result)
        }
        let wanted = Set(result.list.defects.compactMap { $0.isAboutObject ? $0.oid : nil })
        guard !wanted.isEmpty else { return }
        if options.level < .deep { try search.run(wanted) { progress?("paths", $0, nil, "objects") } }
        try result.list.locate(search)
    }
}

extension Defect {
    /// Whether a way to the object tells more about it.
    var isAboutObject: Bool {
        switch kind {
        case .pickle, .reference, .btree, .folder, .missingBlob, .backPointer, .serial, .excessBytes: true
        default: false
        }
    }
}

extension DefectList {
    /// Says where the objects with defects are.
    mutating func locate(_ search: PathSearch) throws(StorageError) {
        for index in defects.indices where defects[index].isAboutObject {
            guard let oid = defects[index].oid, let outcome = try search.outcome(oid) else { continue }
            switch outcome {
            case .path(let path): (defects[index].path, defects[index].isReachable) = (path, true)
            case .unreachable:
                defects[index].isReachable = false
                // Nobody comes there, and a pack takes it away.
                if defects[index].kind == .reference { weaken(index) }
            }
        }
    }

    private mutating func weaken(_ index: Int) {
        guard defects[index].severity == .damage else { return }
        defects[index].severity = .warning
        severities[.damage, default: 0] -= 1
        severities[.warning, default: 0] += 1
    }
}

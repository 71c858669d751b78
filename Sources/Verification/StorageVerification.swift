internal import ObjectGraph
public import ZODB

/// Verifies what a storage gives: the current record of every object, by oid, whether it lies in a file or behind a server.
///
/// Memory: a quarter of a byte for each object, and with `.deep` as much again. Objects that others commit meanwhile are
/// looked at, or not, as they come.
public struct StorageVerification {
    private let storage: any Storage
    private let options: VerificationOptions

    /// Objects read once more to find paths.
    private static let pathLoads = 10_000

    public init(_ storage: any Storage, options: VerificationOptions = VerificationOptions()) {
        (self.storage, self.options) = (storage, options)
    }

    /// - Throws: `unsupported` when the storage cannot list its objects; `connection`, `interrupted`.
    public func run() throws(StorageError) -> VerificationResult {
        var result = VerificationResult(limit: options.limit)
        result.lastTransaction = try storage.lastTransaction()
        if options.includesHistory || options.level == .structure {
            try HistoryVerification(storage, options).run(&result)
        }
        guard options.level >= .records else { return result }
        guard let storage = storage as? any CurrentRecordStorage else {
            throw .unsupported("\(storage.name) cannot list its objects")
        }
        var pass = CurrentPass(storage, options)
        try pass.run()
        result.list.add(pass.harvest.defects)
        result.note("objects", pass.harvest.records)
        result.note("references", pass.harvest.references)
        let workspace = try Workspace(storage, interruption: options.interruption)
        try tellMissing(pass.missing, workspace, &result)
        if options.level >= .deep {
            let deep = DeepVerification(workspace, options)
            try deep.run(trees: pass.harvest.trees.oids, folders: pass.harvest.folders.oids, &result)
            if options.blobDirectory != nil {
                try BlobCheck(last: result.lastTransaction, options: options, isComplete: false)
                    .run(pass.harvest.blobs, &result)
            } else if !pass.harvest.blobs.isEmpty {
                result.list.add(
                    Defect(
                        .unchecked, .note,
                        "\(pass.harvest.blobs.count) blobs: a server tells of a blob's file only by sending it; --blob-dir"
                            + " says where the files are, if they can be seen from here"))
            }
        }
        try findPaths(workspace, &result)
        return result
    }

    /// Who refers to what is not there: only now it is known what is not, so all is read once more.
    private func tellMissing(
        _ candidates: [ObjectID], _ workspace: Workspace, _ result: inout VerificationResult
    ) throws(StorageError) {
        var missing: Set<ObjectID> = []
        for oid in candidates {
            try options.interruption.check()
            do throws(StorageError) {
                // It may have been created since.
                _ = try storage.load(oid, at: .latest)
            } catch {
                switch error {
                case .connection, .interrupted: throw error
                default: missing.insert(oid)
                }
            }
        }
        guard !missing.isEmpty else { return }
        let referrers = try workspace.referrers(of: missing) {
            options.progress?("referrers", $0, nil, "objects")
        }
        while let referrer = try referrers.next() {
            for reference in referrer.references {
                guard let target = reference.target, missing.contains(target) else { continue }
                result.list.add(
                    Defect(
                        .reference, oid: referrer.oid, tid: referrer.serial, target: target,
                        "refers to \(target), which does not exist"))
            }
        }
    }

    /// What is near the root; a whole search would read everything once more.
    private func findPaths(_ workspace: Workspace, _ result: inout VerificationResult) throws(StorageError) {
        let wanted = Set(result.list.defects.compactMap { $0.isAboutObject ? $0.oid : nil })
        guard !wanted.isEmpty else { return }
        var search = PathSearch(workspace, loadLimit: Self.pathLoads)
        try search.run(wanted) { options.progress?("paths", $0, nil, "objects") }
        try result.list.locate(search)
    }
}

/// The pass over current records.
private struct CurrentPass: ~Copyable {
    private let storage: any CurrentRecordStorage
    private let options: VerificationOptions
    private var check = RecordCheck()
    private(set) var harvest: RecordHarvest
    private var seen = ObjectSet()
    private var wanted = ObjectSet()
    private var next = ObjectID.root

    init(_ storage: any CurrentRecordStorage, _ options: VerificationOptions) {
        (self.storage, self.options) = (storage, options)
        harvest = RecordHarvest(defects: DefectList(limit: options.limit))
        guard let start = options.start, start.fits(storage, options) else { return }
        harvest = start.harvest(limit: options.limit)
        (seen, wanted, next) = (start.seen, start.wanted, ObjectID(rawValue: start.position))
    }

    /// What is referred to and was not met.
    var missing: [ObjectID] { wanted.subtracting(seen) }

    mutating func run() throws(StorageError) {
        let total = try storage.information().objectCount
        var stride: UInt64 = 1
        while true {
            do throws(StorageError) {
                try walk(total)
                break
            } catch {
                switch error {
                // One record that the storage cannot give must not hide those behind it.
                case .corrupt, .remote, .noSuchObject, .noRevision:
                    let (skipped, isBeyond) = next.rawValue.addingReportingOverflow(stride)
                    harvest.defects.add(
                        Defect(.record, oid: next, "no object could be read from \(next) on: \(error)"))
                    guard !isBeyond, stride < 1 << 40 else { return }
                    next = ObjectID(rawValue: skipped)
                    stride *= 2
                default:
                    checkpoint()
                    throw error
                }
            }
        }
        if seen.count > 0, !seen.contains(.root) {
            harvest.defects.add(Defect(.noRoot, oid: .root, "there is no root object"))
        }
    }

    private mutating func walk(_ total: Int?) throws(StorageError) {
        let cursor = try storage.currentRecords(from: next)
        while let current = try cursor.next() {
            look(at: current)
            guard current.oid.rawValue < .max else { return }
            next = ObjectID(rawValue: current.oid.rawValue + 1)
            try options.interruption.check()
            if harvest.records.isMultiple(of: 64) {
                options.progress?("objects", harvest.records, total, "objects")
            }
            if harvest.records.isMultiple(of: 100_000) { checkpoint() }
        }
    }

    private mutating func look(at current: CurrentRecord) {
        harvest.records += 1
        seen.insert(current.oid)
        let data = current.revision.data.span.bytes
        if let complaint = check.read(data, of: current.oid) {
            harvest.defects.add(
                Defect(
                    complaint.kind, complaint.severity, oid: current.oid, tid: current.revision.serial,
                    complaint.what))
        }
        for target in check.references {
            harvest.references += 1
            wanted.insert(ObjectID(rawValue: target))
        }
        guard options.level >= .deep else { return }
        let traits = RecordTraits(data)
        if traits.isTree { harvest.trees.insert(current.oid) }
        if traits.isFolder { harvest.folders.insert(current.oid) }
        if traits.isBlob { harvest.blobs.append(BlobRevision(oid: current.oid, serial: current.revision.serial)) }
    }

    private func checkpoint() {
        guard let tell = options.checkpoint else { return }
        tell(
            VerificationCheckpoint(
                storage: storage, options: options, position: next.rawValue, harvest: harvest, seen: seen,
                wanted: wanted))
    }
}

extension VerificationCheckpoint {
    init(
        storage: any Storage, options: VerificationOptions, position: UInt64, harvest: RecordHarvest, seen: ObjectSet,
        wanted: ObjectSet
    ) {
        self.position = position
        identity = "storage \(storage.name)"
        kind = Self.kind(options)
        (records, references, blobs) = (harvest.records, harvest.references, harvest.blobs)
        (trees, folders, defects) = (harvest.trees, harvest.folders, harvest.defects.defects)
        (self.seen, self.wanted) = (seen, wanted)
    }

    func fits(_ storage: any Storage, _ options: VerificationOptions) -> Bool {
        identity == "storage \(storage.name)" && kind == Self.kind(options)
    }
}

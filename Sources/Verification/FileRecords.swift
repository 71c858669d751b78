internal import Dispatch
internal import Synchronization
internal import ZODB
internal import ZODBFile

/// What a pass over the records of a file came upon, besides defects: who must be looked at more closely.
struct RecordHarvest: Sendable {
    var defects: DefectList
    /// Current records of trees and of their parts.
    var trees = ObjectSet()
    /// Current records that have attributes of folders.
    var folders = ObjectSet()
    /// Every revision of every blob.
    var blobs: [BlobRevision] = []
    var records = 0
    var references = 0

    mutating func add(_ other: RecordHarvest) {
        defects.add(other.defects)
        trees.formUnion(other.trees)
        folders.formUnion(other.folders)
        blobs += other.blobs
        records += other.records
        references += other.references
    }
}

struct BlobRevision: Hashable, Sendable {
    var oid: ObjectID
    var serial: TransactionID
}

/// Reads the records of a surveyed file, in the order in which they lie, on several threads.
struct FileRecords {
    let survey: FileSurvey
    let options: VerificationOptions

    /// A worker's share: pieces of segments, in order.
    typealias Share = [Range<Int>]

    /// Reads the records of the transactions from `start` up to `end`, both places between transactions.
    ///
    /// - Parameter progress: told how many bytes more have been read, on any thread.
    func read(
        from start: Int, to end: Int, progress: @escaping @Sendable (Int) -> Void
    ) throws(StorageError) -> RecordHarvest {
        let shares = shares(from: start, to: end, count: max(1, options.threads))
        let results = Mutex<[Int: Result<RecordHarvest, StorageError>]>([:])
        DispatchQueue.concurrentPerform(iterations: shares.count) { number in
            let result: Result<RecordHarvest, StorageError>
            do throws(StorageError) {
                result = .success(try read(shares[number], tell: progress))
            } catch {
                result = .failure(error)
            }
            results.withLock { $0[number] = result }
        }
        var harvest = RecordHarvest(defects: DefectList(limit: options.limit))
        for number in shares.indices {
            guard let result = results.withLock({ $0[number] }) else { continue }
            harvest.add(try result.get())
        }
        return harvest
    }

    /// Shares of about the same size that begin where transactions do.
    func shares(from start: Int, to end: Int, count: Int) -> [Share] {
        let segments = survey.segments.compactMap { segment -> Range<Int>? in
            let piece = segment.clamped(to: start..<max(start, end))
            return piece.isEmpty ? nil : piece
        }
        let total = segments.reduce(0) { $0 + $1.count }
        guard count > 1, total > 4 << 20 else { return segments.isEmpty ? [] : [segments] }
        var shares: [Share] = [[]]
        var filled = 0
        for segment in segments {
            var rest = segment
            while filled + rest.count > total / count, shares.count < count {
                let wanted = rest.lowerBound + total / count - filled
                guard let place = survey.milestones.first(where: { $0 >= wanted }), place < rest.upperBound,
                    place > rest.lowerBound
                else { break }
                shares[shares.count - 1].append(rest.lowerBound..<place)
                shares.append([])
                filled = 0
                rest = place..<rest.upperBound
            }
            shares[shares.count - 1].append(rest)
            filled += rest.count
        }
        return shares.filter { !$0.isEmpty }
    }

    private func read(
        _ share: Share, tell: (Int) -> Void
    ) throws(StorageError) -> RecordHarvest {
        var worker = RecordWorker(survey, options)
        for piece in share { try worker.read(piece, tell: tell) }
        return worker.harvest
    }
}

/// One thread's part of the work.
private struct RecordWorker: ~Copyable {
    private let survey: FileSurvey
    private let options: VerificationOptions
    private let index: FileIndex
    private let chains: RecordChains
    private let isDeep: Bool
    private var check = RecordCheck()
    private(set) var harvest: RecordHarvest

    init(_ survey: FileSurvey, _ options: VerificationOptions) {
        (self.survey, self.options, index) = (survey, options, survey.index)
        chains = RecordChains(survey.file, end: survey.size)
        isDeep = options.level >= .deep
        harvest = RecordHarvest(defects: DefectList(limit: options.limit))
    }

    mutating func read(_ piece: Range<Int>, tell: (Int) -> Void) throws(StorageError) {
        var told = piece.lowerBound
        let watch = ScanWatch(task: "pickles", total: survey.size, interruption: options.interruption)
        var scanner = try FileScanner(
            survey.file, from: piece.lowerBound, to: piece.upperBound, .boundary, watch: watch)
        while try scanner.next() {
            let record = scanner.record
            let isCurrent = index.position(of: record.oid) == record.position
            if scanner.recordPosition - told > 1 << 20 {
                tell(scanner.recordPosition - told)
                told = scanner.recordPosition
            }
            guard isCurrent || options.includesHistory else {
                if isDeep, record.dataSize > 0 { try noteBlob(&scanner) }
                continue
            }
            harvest.records &+= 1
            if record.dataSize == 0 {
                try readThroughPointer(record, isCurrent: isCurrent)
            } else if record.dataSize > 1 << 30 {
                complain(.init(kind: .pickle, severity: .damage, what: "\(record.dataSize) bytes are too many"), record)
            } else {
                try scanner.withData { (data) throws(StorageError) in look(at: data, record, isCurrent: isCurrent) }
            }
        }
        tell(piece.upperBound - told)
    }

    /// A past revision whose pickles are not wanted: its file is.
    private mutating func noteBlob(_ scanner: inout FileScanner) throws(StorageError) {
        let revision = BlobRevision(oid: scanner.oid, serial: scanner.serial)
        guard scanner.dataSize < 256 else { return }
        let isBlob = try scanner.withData { (data) throws(StorageError) in RecordTraits(data).isBlob }
        if isBlob == true { harvest.blobs.append(revision) }
    }

    /// The data of an undo's record is that of an older one: it is this object's state all the same.
    private mutating func readThroughPointer(_ record: RecordHeader, isCurrent: Bool) throws(StorageError) {
        guard isCurrent || isDeep else { return }
        do throws(StorageError) {
            guard let data = try chains.data(of: record.oid, at: record.position) else { return }
            look(at: data.span.bytes, record, isCurrent: isCurrent)
        } catch .corrupt {
            // Told by the survey.
        }
    }

    private mutating func look(at data: RawSpan, _ record: RecordHeader, isCurrent: Bool) {
        if let complaint = check.read(data, of: record.oid) { complain(complaint, record) }
        if isCurrent {
            let references = check.references
            harvest.references &+= references.count
            for target in references {
                let target = ObjectID(rawValue: target)
                if index.position(of: target) == nil || survey.gone.contains(target) { tellMissing(target, record) }
            }
        }
        guard isDeep else { return }
        let traits = RecordTraits(data)
        if traits.isBlob { harvest.blobs.append(BlobRevision(oid: record.oid, serial: record.serial)) }
        guard isCurrent else { return }
        if traits.isTree { harvest.trees.insert(record.oid) }
        if traits.isFolder { harvest.folders.insert(record.oid) }
    }

    private mutating func tellMissing(_ target: ObjectID, _ record: RecordHeader) {
        let why = survey.gone.contains(target) ? "was deleted, or its creation undone" : "does not exist"
        harvest.defects.add(
            Defect(
                .reference, offset: record.position, oid: record.oid, tid: record.serial, target: target,
                "refers to \(target), which \(why)"))
    }

    private mutating func complain(_ complaint: RecordCheck.Complaint, _ record: RecordHeader) {
        harvest.defects.add(
            Defect(
                complaint.kind, complaint.severity, offset: record.dataPosition, oid: record.oid, tid: record.serial,
                complaint.what))
    }
}

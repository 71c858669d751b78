internal import ByteCoding
package import ZODB
package import ZODBFile

/// Walks over a Data.fs from its first byte to its last, whatever it meets: what is damaged is told, and passed.
///
/// Everything is checked that ZODB's `fstest` checks, and that the fields which it passes over say the truth: the serial
/// and the previous pointer of every record, back pointers, the pointers of versions.
package struct FileSurveyor {
    private var survey: FileSurvey
    private let watch: ScanWatch
    private let chains: RecordChains
    /// Of the current time, as a tid; `.latest` to believe every tid.
    private let now: TransactionID
    private var defects: DefectList
    private var previousTID = TransactionID.none

    /// How far apart milestones are, in bytes.
    private static let distance = 1 << 20
    /// Oids from here on are counted as damage: nobody ever handed out so many.
    private static let largestPlausible = ObjectID(rawValue: 1 << 63)

    /// Surveys a file.
    /// - Parameters:
    ///   - now: tids later than this are remarked upon.
    ///   - watch: asked and told now and then.
    /// - Returns: what is where, and what is wrong.
    /// - Throws: `io`, `interrupted`.
    package static func survey(
        _ file: DataFile, now: TransactionID = .latest, limit: Int = 10_000, interruption: Interruption? = nil,
        progress: (@Sendable (ScanProgress) -> Void)? = nil
    ) throws(StorageError) -> (FileSurvey, DefectList) {
        let size = try file.size()
        let watch = ScanWatch(
            task: "structure", total: size, interruption: interruption, progress: progress)
        var surveyor = FileSurveyor(file, size: size, now: now, limit: limit, watch: watch)
        try surveyor.run()
        return (surveyor.survey, surveyor.defects)
    }

    private init(_ file: DataFile, size: Int, now: TransactionID, limit: Int, watch: ScanWatch) {
        survey = FileSurvey(file, size: size)
        chains = RecordChains(file, end: size)
        (self.now, self.watch) = (now, watch)
        defects = DefectList(limit: limit)
    }

    private mutating func run() throws(StorageError) {
        guard try checkHeader() else { return }
        var position = FileFormat.firstTransaction
        while position < survey.size {
            var scanner = try FileScanner(survey.file, from: position, to: survey.size, .endOfFile, watch: watch)
            let next: Int?
            do throws(StorageError) {
                try walk(&scanner)
                close(position..<scanner.completeEnd)
                next = try pass(scanner.tail)
            } catch .corrupt(_, let error) {
                close(position..<scanner.completeEnd)
                next = try pass(error.offset, "\(error)", scanner.transaction, completeEnd: scanner.completeEnd)
            }
            guard let next, next > position else { break }
            position = next
        }
        if survey.records > 0, survey.index.position(of: .root) == nil || survey.gone.contains(.root) {
            defects.add(Defect(.noRoot, oid: .root, "there is no root object"))
        }
        if survey.versionRecords > 0 {
            defects.add(
                Defect(
                    .version, .note, "\(survey.versionRecords) records belong to versions, as ZODB before 3.9 had them")
            )
        }
    }

    private mutating func close(_ segment: Range<Int>) {
        if !segment.isEmpty { survey.segments.append(segment) }
    }

    /// Whether there is anything to walk over.
    private mutating func checkHeader() throws(StorageError) -> Bool {
        let magic = try survey.file.bytes(at: 0, count: FileFormat.firstTransaction)
        survey.generation = FileFormat.generation(ofMagic: magic)
        guard survey.generation == nil else { return true }
        if magic.isEmpty {
            defects.add(
                Defect(.fileHeader, .warning, offset: 0, "the file is empty: right only where nothing was ever stored"))
            return false
        }
        let found = String(decoding: magic.map { (0x20..<0x7f).contains($0) ? $0 : 0x3f }, as: UTF8.self)
        defects.add(Defect(.fileHeader, offset: 0, "the file begins with '\(found)', not with FS21 or FS30"))
        return magic.count == FileFormat.firstTransaction
    }

    // MARK: Transactions

    private mutating func walk(_ scanner: inout FileScanner) throws(StorageError) {
        while try scanner.nextTransaction() {
            let header = scanner.transaction
            check(header)
            while try scanner.nextRecord() { try check(&scanner, header) }
        }
    }

    private mutating func check(_ header: TransactionHeader) {
        survey.transactions += 1
        if header.tid <= previousTID {
            defects.add(
                Defect(
                    .transactionOrder, .warning, offset: header.position, tid: header.tid,
                    "transaction \(header.tid) is not later than \(previousTID) before it"))
        }
        previousTID = header.tid
        if survey.first == .none { survey.first = header.tid }
        survey.last = header.tid
        if header.tid > now {
            defects.add(
                Defect(
                    .transactionTime, .note, offset: header.position, tid: header.tid,
                    "transaction \(header.tid) is of a time still to come"))
        }
        switch header.status {
        case TransactionHeader.complete:
            if survey.firstUnpacked == nil { survey.firstUnpacked = header.tid }
        case TransactionHeader.packed, TransactionHeader.undone: break
        default:
            defects.add(
                Defect(
                    .transactionStatus, .warning, offset: header.position + 16, tid: header.tid,
                    "transaction \(header.tid) has the status \(header.status), not ' ', 'p' or 'u'"))
        }
        if header.position - (survey.milestones.last ?? 0) >= Self.distance {
            survey.milestones.append(header.position)
        }
    }

    // MARK: Records

    @inline(__always)
    private mutating func check(_ scanner: inout FileScanner, _ header: TransactionHeader) throws(StorageError) {
        let record = scanner.record
        survey.records &+= 1
        let known = survey.index.position(of: record.oid)
        if record.serial != header.tid || record.oid >= Self.largestPlausible { tellFields(record, header) }
        if record.previous != UInt64(known ?? 0) { try tellPrevious(record, known, header) }
        if record.versionSize > 0 { try checkVersion(&scanner, record) }
        if record.dataSize == 0 {
            try checkBackPointer(&scanner, record)
        } else if !survey.gone.isEmpty {
            survey.gone.remove(record.oid)
        }
        survey.index.set(record.oid, to: record.position)
    }

    private mutating func tellFields(_ record: RecordHeader, _ header: TransactionHeader) {
        if record.serial != header.tid {
            defects.add(
                Defect(
                    .serial, offset: record.position + 8, oid: record.oid, tid: header.tid,
                    "the record of \(record.oid) says that transaction \(record.serial) wrote it"))
        }
        if record.oid >= Self.largestPlausible {
            defects.add(
                Defect(
                    .oidRange, .warning, offset: record.position, oid: record.oid, tid: header.tid,
                    "the oid \(record.oid) is larger than any that was ever handed out"))
        }
    }

    /// A pack writes 0 for what it copies; an object that is stored twice in one transaction has the record before it.
    private mutating func tellPrevious(
        _ record: RecordHeader, _ known: Int?, _ header: TransactionHeader
    ) throws(StorageError) {
        if record.previous == 0, header.status == TransactionHeader.packed { return }
        if let known, known >= header.position, record.previous < UInt64(header.position) {
            if record.previous == 0 { return }
            if try chains.isRecord(of: record.oid, at: record.previous) { return }
        }
        // Into what could not be read: it may well be right.
        if let place = Int(exactly: record.previous), survey.gaps.contains(where: { $0.contains(place) }) { return }
        let expected = known.map { "\($0)" } ?? "0 (there is none)"
        let isDamage = record.previous >= UInt64(record.position)
        defects.add(
            Defect(
                .previousPointer, isDamage ? .damage : .warning, offset: record.position + 16, oid: record.oid,
                tid: header.tid,
                "the previous record of \(record.oid) is said to be at \(record.previous), not \(expected)"))
    }

    private mutating func checkVersion(_ scanner: inout FileScanner, _ record: RecordHeader) throws(StorageError) {
        survey.versionRecords += 1
        let (publicRecord, previous) = try scanner.versionPointers()
        if publicRecord > 0 {
            var isRight = publicRecord < UInt64(record.position)
            if isRight { isRight = try chains.isRecord(of: record.oid, at: publicRecord) }
            if !isRight {
                defects.add(
                    Defect(
                        .versionPointer, offset: record.position + 42, oid: record.oid, tid: record.serial,
                        "the record outside versions is said to be at \(publicRecord), where none of \(record.oid) is"))
            }
        }
        if previous >= UInt64(record.position) {
            defects.add(
                Defect(
                    .versionPointer, .warning, offset: record.position + 50, oid: record.oid, tid: record.serial,
                    "the version's previous record is said to be at \(previous), behind this one"))
        }
    }

    private mutating func checkBackPointer(
        _ scanner: inout FileScanner, _ record: RecordHeader
    ) throws(StorageError) {
        let pointer = try scanner.storedBackPointer()
        guard pointer > 0 else {
            survey.gone.insert(record.oid)
            return
        }
        do throws(StorageError) {
            if try chains.holder(of: record.oid, at: record.position) == nil {
                survey.gone.insert(record.oid)
            } else {
                survey.gone.remove(record.oid)
            }
        } catch .corrupt(_, let error) {
            defects.add(
                Defect(
                    .backPointer, offset: record.dataPosition, oid: record.oid, tid: record.serial,
                    "the data is said to be at \(pointer), and is not: \(error)"))
            survey.gone.insert(record.oid)
        }
    }

    // MARK: Damage, and what follows it

    /// - Returns: where to go on; nil at the end.
    private mutating func pass(_ tail: FileTail?) throws(StorageError) -> Int? {
        guard let tail else { return nil }
        let position = tail.position
        let search = TransactionSearch(survey.file, limit: survey.size, watch: watch)
        guard let next = try search.next(from: position + 1) else {
            survey.tail = tail
            // A server writes before it finishes: what looks cut short is then a commit that goes on this moment.
            let isGoingOn = survey.file.isLocked
            let what = "after the last transaction: \(tail)" + (isGoingOn ? "; the file is open for writing" : "")
            defects.add(Defect(.tail, isGoingOn ? .note : .warning, offset: position, what))
            return nil
        }
        survey.gaps.append(position..<next)
        defects.add(
            Defect(
                .transaction, offset: position,
                "\(next - position) bytes are no complete transaction (\(tail)), and others follow at \(next):"
                    + " opened for writing, the file would be cut off here"))
        return next
    }

    /// - Parameters:
    ///   - offset: of what is wrong.
    ///   - header: the transaction that was begun; its end is not reached when it lies behind `completeEnd`.
    private mutating func pass(
        _ offset: Int, _ what: String, _ header: TransactionHeader, completeEnd: Int
    ) throws(StorageError) -> Int? {
        let isInside = header.length > 0 && header.position >= completeEnd
        let start = isInside ? header.position : completeEnd
        let search = TransactionSearch(survey.file, limit: survey.size, watch: watch)
        var next: Int?
        if isInside, let end = header.end(inFileOf: survey.size) {
            let trailer = try survey.file.bytes(at: end - 8, count: 8)
            let isFramed = trailer.elementsEqual(
                (0..<8).map { UInt8(truncatingIfNeeded: header.length >> (56 - 8 * $0)) })
            if end == survey.size {
                if isFramed || offset == end - 8 { next = end }
            } else if try search.isTransaction(at: end) {
                next = end
            }
        }
        if next == nil { next = try search.next(from: start + 1) }
        let end = next ?? survey.size
        let isEnd = offset == (header.end(inFileOf: survey.size) ?? 0) - 8
        survey.gaps.append(min(offset, end)..<end)
        defects.add(
            Defect(
                isInside ? (isEnd ? .transactionEnd : .record) : .transaction, offset: offset,
                tid: isInside ? header.tid : nil,
                what + (next == nil ? "; nothing readable follows" : "; goes on at \(end)")))
        return end < survey.size ? end : nil
    }
}

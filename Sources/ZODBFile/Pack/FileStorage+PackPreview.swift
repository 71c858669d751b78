internal import Synchronization
public import ZODB

extension FileStorage: PreviewablePackStorage {
    public func previewPack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackPreview {
        let (view, current) = try indexSnapshot()
        let watch = PackWatch(
            bytesPerSecond: options.bytesPerSecond,
            interruptions: [options.interruption, self.options.interruption].compactMap { $0 },
            report: { progress in options.progress?(progress) })
        let end = view.end.position
        let source = PackSource(file: view.file, map: view.map, watch: watch)
        try watch.begin(.index, total: end, share: 0.2)
        let packIndex = try PackIndex(source, end: end, to: tid, current: current, last: view.end.last?.tid ?? .none)
        var preview = PackPreview()
        (preview.objectsBefore, preview.bytesBefore, preview.bytesAfter) = (current.count, end, end)
        preview.redundancy = packIndex.redundancy
        guard packIndex.redundancy == nil, current.count > 0 else { return preview }
        let collectsGarbage = options.collectsGarbage ?? self.options.packCollectsGarbage
        try watch.begin(.mark, total: packIndex.index.count, share: 0.3)
        var marker = try PackMarker(
            source, packIndex, end: end, collectsGarbage: collectsGarbage, isStrict: options.isStrict)
        try marker.mark()
        (preview.dangling, preview.danglingCount) = (marker.dangling, marker.danglingCount)
        preview.rescued = marker.rescued
        try watch.begin(.copy, total: end, share: 0.5)
        var survey = try PackSurvey(source, marker.marks, end: end)
        try survey.perform(to: packIndex.position)
        preview.bytesAfter = end - packIndex.position + survey.keptBytes
        preview.droppedRevisions = survey.droppedRevisions
        preview.droppedObjects = survey.droppedObjects
        preview.classes = survey.classes.result
        preview.largest = survey.largest(PackPreview.mostObjects)
        return preview
    }

    /// How far the pack of a Data.fs is that another process is at; nil when none is.
    public static func packProgress(ofFileAt path: String) -> PackProgress? {
        PackStatusFile.read(forDataFile: Directories.resolved(path))
    }
}

/// Counts what a pack would drop.
struct PackSurvey: ~Copyable {
    private let source: PackSource
    private let marks: PackMarks
    private var records: PackRecords
    /// By object: bytes of dropped records.
    private var dropped = FileIndex()
    private(set) var keptBytes = FileFormat.firstTransaction
    private(set) var droppedRevisions = 0
    private(set) var droppedObjects = 0
    private(set) var classes = ClassTally()

    init(_ source: PackSource, _ marks: PackMarks, end: Int) throws(StorageError) {
        self.source = source
        self.marks = marks
        records = try PackRecords(source, limit: end)
    }

    mutating func perform(to position: Int) throws(StorageError) {
        var scanner = try source.scanner(from: FileFormat.firstTransaction, to: position)
        while try scanner.nextTransaction() {
            let head = scanner.transaction.headerSize + TransactionHeader.trailerSize
            var kept = 0
            while try scanner.nextRecord() {
                let record = scanner.record
                let size = RecordHeader.fixedSize + Int(record.bodySize)
                let pointer = try scanner.backPointer()
                if marks.keeps(record.oid, at: record.position, isDeletion: pointer == 0) {
                    kept += RecordHeader.fixedSize + (try records.data(of: record)?.count ?? 8)
                } else {
                    try drop(record, size)
                }
            }
            if kept > 0 { keptBytes += head + kept }
        }
        var entries = dropped.entries()
        while let entry = entries.next() {
            if !marks.isReachable(entry.oid), marks.substitutes.position(of: entry.oid) == nil { droppedObjects += 1 }
        }
    }

    private mutating func drop(_ record: RecordHeader, _ size: Int) throws(StorageError) {
        droppedRevisions += 1
        dropped.set(record.oid, to: min((dropped.position(of: record.oid) ?? 0) + size, FileFormat.largestPosition - 1))
        guard let data = try records.data(of: record) else { return }
        let bytes = try unsafe records.bytes(data)
        unsafe classes.add(bytes.bytes, size: size)
    }

    /// The objects of which most would go.
    func largest(_ count: Int) -> [PackPreview.Loss] {
        var losses: [PackPreview.Loss] = []
        var entries = dropped.entries()
        while let entry = entries.next() {
            losses.append(
                PackPreview.Loss(
                    oid: entry.oid, bytes: entry.position,
                    isGarbage: !marks.isReachable(entry.oid) && marks.substitutes.position(of: entry.oid) == nil))
            if losses.count >= 2 * count + 1024 {
                losses.sort { ($0.bytes, $1.oid) > ($1.bytes, $0.oid) }
                losses.removeLast(losses.count - count)
            }
        }
        losses.sort { ($0.bytes, $1.oid) > ($1.bytes, $0.oid) }
        return Array(losses.prefix(count))
    }
}

internal import Synchronization
public import ZODB

extension FileStorage: CurrentRecordStorage {
    public func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord> {
        let (view, index) = try indexSnapshot()
        return CurrentRecordCursor(recordReader(for: view), index.entries(from: first))
    }
}

/// Current records by oid, from the index as it was when the cursor was made.
private final class CurrentRecordCursor: Cursor {
    private let reader: RecordReader
    private var entries: FileIndex.Entries?

    init(_ reader: RecordReader, _ entries: FileIndex.Entries) {
        self.reader = reader
        self.entries = entries
    }

    func next() throws(StorageError) -> CurrentRecord? {
        while let entry = entries?.next() {
            do throws(StorageError) {
                let revision = try reader.revision(of: entry.oid, from: entry.position, at: .latest)
                return CurrentRecord(oid: entry.oid, revision: revision)
            } catch .noSuchObject {
                continue
            } catch {
                entries = nil
                throw error
            }
        }
        return nil
    }
}

extension FileStorage: ScannableStorage {
    /// A walk over every record of the file up to its end as known, for counting and searching at the disk's speed.
    public func scanner(task: String = "reading") throws(StorageError) -> FileScanner {
        let view = try view()
        return try FileScanner(
            view.file, from: FileFormat.firstTransaction, to: view.end.position, .boundary,
            watch: watch(task, view.end.position))
    }

    public func scanRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        var scanner = try scanner()
        while try scanner.next() {
            let (oid, serial) = (scanner.oid, scanner.serial)
            _ = try scanner.withData { (data) throws(StorageError) in try body(oid, serial, data) }
        }
    }

    public func scanCurrentRecords(
        _ body: (ObjectID, TransactionID, RawSpan) throws(StorageError) -> Void
    ) throws(StorageError) {
        let (view, index) = try indexSnapshot()
        let reader = recordReader(for: view)
        var scanner = try FileScanner(
            view.file, from: FileFormat.firstTransaction, to: view.end.position, .boundary,
            watch: watch("reading", view.end.position))
        while try scanner.next() {
            let (oid, serial, position) = (scanner.oid, scanner.serial, scanner.recordPosition)
            guard index.position(of: oid) == position else { continue }
            if scanner.record.dataSize > 0, scanner.record.versionSize == 0 {
                _ = try scanner.withData { (data) throws(StorageError) in try body(oid, serial, data) }
            } else if let revision = try reader.publicRevision(of: oid, from: position) {
                try body(oid, revision.serial, revision.data.span.bytes)
            }
        }
    }

    func watch(_ task: String, _ total: Int) -> ScanWatch {
        ScanWatch(
            task: "\(task) \(name)", total: total, interruption: options.interruption, progress: options.progress)
    }
}

extension RecordReader {
    /// The current revision; nil when the object is deleted, or exists in a version only.
    func publicRevision(of oid: ObjectID, from position: Int) throws(StorageError) -> Revision? {
        do throws(StorageError) {
            return try revision(of: oid, from: position, at: .latest)
        } catch .noSuchObject {
            return nil
        }
    }
}

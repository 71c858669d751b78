public import ZODB

extension FileStorage: RevisionScanStorage {
    /// Reads the file once, from its first transaction of the range on. Which records are current, its index says; where
    /// nobody wants to know, it needs none.
    public func scanRevisions(
        from first: TransactionID, through last: TransactionID, _ visitor: inout some RevisionVisitor
    ) throws(StorageError) {
        let interest = visitor.interest
        let (view, index) = try viewWithIndex(interest.contains(.currentness))
        guard let start = try view.transactions.firstEntry(from: first, options.interruption)?.header.position else {
            return
        }
        let reader = recordReader(for: view)
        var scanner = try FileScanner(
            view.file, from: start, to: view.end.position, .boundary, watch: watch("reading", view.end.position))
        while try scanner.nextTransaction(), scanner.transaction.tid <= last {
            if interest.contains(.transactions) { try visitor.visit(try scanner.summary()) }
            while try scanner.nextRecord() {
                let (oid, position) = (scanner.oid, scanner.recordPosition)
                let isNewest = index.map { $0.position(of: oid) == position } ?? false
                if scanner.dataSize > 0 {
                    let record = VisitedRecord(
                        oid: oid, serial: scanner.serial, isCurrent: isNewest, isNeeded: isNewest,
                        storedSize: scanner.dataSize)
                    _ = try scanner.withData { (data) throws(StorageError) in try visitor.visit(record, data) }
                } else {
                    try visitBackPointer(at: position, of: oid, isNewest: isNewest, since: start, reader, &visitor)
                }
            }
        }
    }

    private func viewWithIndex(_ isIndexWanted: Bool) throws(StorageError) -> (view: View, index: FileIndex?) {
        guard isIndexWanted else { return (try view(), nil) }
        let snapshot = try indexSnapshot()
        return (snapshot.view, snapshot.index)
    }

    /// A record without data of its own: an undo, or a deletion.
    private func visitBackPointer(
        at position: Int, of oid: ObjectID, isNewest: Bool, since start: Int, _ reader: RecordReader,
        _ visitor: inout some RevisionVisitor
    ) throws(StorageError) {
        let record = try reader.read(at: position, oid: oid, withData: false)
        let target = try reader.target(of: record)
        let holder = try reader.holder(of: record)
        let data = try holder.flatMap { (holder) throws(StorageError) in try reader.data(of: holder) } ?? []
        let isCurrent = isNewest && holder != nil
        let visited = VisitedRecord(
            oid: oid, serial: record.header.serial, isCurrent: isCurrent, isNeeded: isCurrent, storedSize: 0,
            dataTransaction: holder == nil ? nil : target?.header.serial)
        try visitor.visit(visited, data.span.bytes)
        // What lies before the range has not been visited.
        guard isNewest, let holder, holder.header.position >= start else { return }
        let entry = try TransactionReader(file: reader.file, end: reader.end).entry(holding: holder.header)
        try visitor.keep(data.span.bytes, of: entry.summary)
    }
}

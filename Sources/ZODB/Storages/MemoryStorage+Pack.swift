internal import Synchronization

extension MemoryStorage: PackableStorage {
    /// - Throws: `unsupported` when it has been packed to a later time, as Python's MappingStorage says.
    public func pack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackSummary {
        guard isWritable else { throw .readOnly(name) }
        // What lies below may refer to anything here.
        let isAlone = database.base.map { $0.tid == .none } ?? true
        let collectsGarbage = (options.collectsGarbage ?? true) && isAlone
        return try database.history.withLock { (history) throws(StorageError) in
            var summary = PackSummary(.packed)
            (summary.objectsBefore, summary.bytesBefore) = (history.records.count, history.size)
            (summary.objectsAfter, summary.bytesAfter) = (summary.objectsBefore, summary.bytesBefore)
            guard !history.records.isEmpty else {
                summary.outcome = .nothingToDo("there are no objects")
                return summary
            }
            if let packTime = history.packTime, packTime >= tid {
                guard packTime == tid else { throw .unsupported("\(name): Already packed to a later time") }
                summary.outcome = .nothingToDo("it has been packed to that time")
                return summary
            }
            guard !collectsGarbage || history.records[.root] != nil else {
                throw .unsupported("\(name): there is no root object, so that all others would be garbage")
            }
            let dangling = try history.pack(to: tid, collectsGarbage: collectsGarbage) {
                (data, oid) throws(StorageError) in
                try options.interruption?.check()
                let record = try ObjectRecord(Revision(data: data, serial: .none, next: nil), oid: oid)
                return record.document.references.filter { $0.kind == .strong }.map(\.oid)
            }
            (summary.dangling, summary.danglingCount) = (Array(dangling.prefix(100)), dangling.count)
            (summary.objectsAfter, summary.bytesAfter) = (history.records.count, history.size)
            return summary
        }
    }
}

extension OverlayStorage: PackableStorage {
    /// Packs the changes; what they lie over is only read.
    public func pack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackSummary {
        try changes.pack(to: tid, options)
    }
}

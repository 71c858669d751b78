internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// Loads from servers that have no `loadBefore`, and from storages that keep no past.
extension ZEOClientStorage {
    /// What current is at `tid`, too.
    func isCurrent(_ tid: TransactionID) -> Bool { state.withLock { tid >= $0.view.lastTransaction } }

    /// The current revision, from a server whose storage does not understand `loadBefore`.
    /// - Throws: `noRevision` when it is younger than `tid`.
    func currentRevision(of oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        let pending = loading(oid, by: .loadCurrent(oid), at: tid) { value throws(MalformedReply) in
            try Reply.current(value)
        }
        state.withLock { $0.view.willLoad(oid) }
        do throws(StorageError) {
            try send([pending])
        } catch {
            _ = state.withLock { $0.view.loaded(oid, nil) }
            throw error
        }
        let revision = try wait(for: pending)
        guard revision.serial <= tid else { throw .noRevision(oid, at: tid) }
        return revision
    }

    /// The revision that was current at `tid`, from the object's history and by its serial.
    func pastRevision(of oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        var limit = 20
        while true {
            let entries = try history(of: oid, limit: limit)
            if let index = entries.firstIndex(where: { $0.transaction.tid <= tid }) {
                let serial = entries[index].transaction.tid
                let data = try perform(.loadSerial(oid, serial)) { value throws(MalformedReply) in
                    try Reply.data(value)
                }
                guard !data.isEmpty else { throw .noSuchObject(oid) }
                return Revision(
                    data: data, serial: serial, next: index > 0 ? entries[index - 1].transaction.tid : nil)
            }
            guard entries.count == limit, limit < 1 << 24 else { throw .noRevision(oid, at: tid) }
            limit *= 8
        }
    }
}

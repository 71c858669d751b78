internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage {
    /// Has the server drop what is not needed for states from `tid` on; returns when that is done, which may take hours.
    ///
    /// Interrupted, only the wait ends: servers cannot be told to stop.
    /// - Throws: `readOnly`, `remote` with what the server raises, `interrupted`.
    public func pack(to tid: TransactionID) throws(StorageError) {
        guard isWritable else { throw .readOnly("\(name) was opened for reading") }
        let pending = request(.pack(time: tid.unixTime)) { _ throws(MalformedReply) in }
        try send([pending])
        try pending.waiting.value(interruption)
    }
}

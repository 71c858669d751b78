internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: PackableStorage {
    /// Has the server pack, and waits for it as long as it takes. How it packs, its configuration says.
    /// - Throws: `unsupported` for options that a client cannot give; `connection(.lost)`: then the server may go on.
    public func pack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackSummary {
        guard options.collectsGarbage == nil, options.keepsOld == nil, !options.isStrict, options.bytesPerSecond == nil
        else { throw .unsupported("\(name): a server packs as its configuration says: it takes no options") }
        let before = try information()
        let pending = request(.pack(time: tid.unixTime)) { value throws(MalformedReply) in value }
        try send([pending])
        _ = try pending.waiting.value(interruption, telling: notice)
        let after = try information()
        var summary = PackSummary(.packed)
        (summary.objectsBefore, summary.objectsAfter) = (before.objectCount, after.objectCount)
        (summary.bytesBefore, summary.bytesAfter) = (before.size, after.size)
        return summary
    }
}

internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: BlobStorage {
    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        let pending = PendingBlob(oid, serial, BlobSpool(temporaryDirectory: options.temporaryDirectory))
        try send([pending])
        try pending.spool.waitForStart(interruption)
        return BlobCursor(pending.spool, interruption)
    }

    /// A server tells no sizes.
    public func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? { nil }
}

/// The call for a blob, whose chunks come before its reply.
private final class PendingBlob: PendingCall {
    let call: Call
    let spool: BlobSpool

    init(_ oid: ObjectID, _ serial: TransactionID, _ spool: BlobSpool) {
        call = .sendBlob(oid, serial)
        self.spool = spool
    }

    func received(_ part: ClientConnection.BlobPart) {
        switch part {
        case .start: spool.start()
        case .chunk(let bytes): spool.append(bytes)
        }
    }

    func complete(_ result: Result<WireValue, StorageError>) {
        switch result {
        case .success: spool.finish(.success(()))
        case .failure(.remote(let className, let message)) where className.hasSuffix(".TypeError"):
            // `Blobs are not supported`: the storage has no directory for them.
            spool.finish(.failure(.unsupported("the storage behind the server keeps no blobs (\(message))")))
        case .failure(let error): spool.finish(.failure(error))
        }
    }
}

private final class BlobCursor: Cursor {
    private let spool: BlobSpool
    private let interruption: Interruption
    private var hasEnded = false

    init(_ spool: BlobSpool, _ interruption: Interruption) {
        self.spool = spool
        self.interruption = interruption
    }

    deinit { spool.giveUp() }

    func next() throws(StorageError) -> [UInt8]? {
        guard !hasEnded else { return nil }
        do throws(StorageError) {
            let chunk = try spool.next(interruption)
            if chunk == nil { hasEnded = true }
            return chunk
        } catch {
            hasEnded = true
            throw error
        }
    }
}

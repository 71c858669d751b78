internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: BlobStorage {
    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        BlobCursor(self, oid, serial, try requestBlob(oid, serial))
    }

    /// Asks for the blob, and waits until it begins to come.
    fileprivate func requestBlob(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) -> BlobSpool {
        try repeating { () throws(StorageError) in
            let pending = PendingBlob(oid, serial, BlobSpool(temporaryDirectory: options.temporaryDirectory))
            try send([pending])
            try suspecting { () throws(StorageError) in try pending.spool.waitForStart(patience) }
            return pending.spool
        }
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

/// The chunks of a blob. When the connection is lost on the way, it is asked for again, and what was taken is passed over:
/// the blob of one revision never changes.
private final class BlobCursor: Cursor {
    private let storage: ZEOClientStorage
    private let oid: ObjectID
    private let serial: TransactionID
    private var spool: BlobSpool
    private var hasEnded = false
    /// Bytes that were handed out, and those that have come again since.
    private var taken = 0, passed = 0
    private var repetitions = 0

    init(_ storage: ZEOClientStorage, _ oid: ObjectID, _ serial: TransactionID, _ spool: BlobSpool) {
        self.storage = storage
        self.oid = oid
        self.serial = serial
        self.spool = spool
    }

    deinit { spool.giveUp() }

    func next() throws(StorageError) -> [UInt8]? {
        guard !hasEnded else { return nil }
        do throws(StorageError) {
            while let chunk = try nextOfAny() {
                let fresh = chunk.dropFirst(taken - passed)
                passed += chunk.count
                guard !fresh.isEmpty || chunk.isEmpty else { continue }
                taken = max(taken, passed)
                return Array(fresh)
            }
        } catch {
            hasEnded = true
            throw error
        }
        hasEnded = true
        return nil
    }

    private func nextOfAny() throws(StorageError) -> [UInt8]? {
        while true {
            do throws(StorageError) {
                let chunk = try storage.suspecting { () throws(StorageError) in try spool.next(storage.patience) }
                // One that ends before what there was is another blob.
                if chunk == nil, passed < taken {
                    throw .noBlob(oid, serial: serial, "it is shorter than when it was begun to be read")
                }
                return chunk
            } catch {
                guard case .connection(.lost) = error, repetitions < Self.mostRepetitions, try storage.reconnect()
                else {
                    throw error
                }
                repetitions += 1
                spool.giveUp()
                spool = try storage.requestBlob(oid, serial)
                passed = 0
            }
        }
    }

    private static let mostRepetitions = 3
}

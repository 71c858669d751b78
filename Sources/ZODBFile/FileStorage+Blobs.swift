public import ZODB

extension FileStorage: BlobStorage {
    public func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        BlobCursor(try blobFile(oid, serial))
    }

    public func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? {
        try blobFile(oid, serial).size()
    }

    public func blobPath(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> String? {
        try blobFile(oid, serial).path
    }

    private func blobFile(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) -> DataFile {
        guard let blobs else { throw .noBlob(oid, serial: serial, "\(name) was opened without a blob directory") }
        return try blobs.open(oid, serial: serial, calls: calls)
    }
}

/// A file's bytes, 256 KiB at a time.
private final class BlobCursor: Cursor {
    private static let chunkSize = 256 << 10

    private let file: DataFile
    private var offset: Int? = 0

    init(_ file: DataFile) { self.file = file }

    func next() throws(StorageError) -> [UInt8]? {
        guard let start = offset else { return nil }
        offset = nil
        let chunk = try file.bytes(at: start, count: Self.chunkSize)
        guard !chunk.isEmpty else { return nil }
        offset = start + chunk.count
        return chunk
    }
}

internal import ByteCoding
internal import ZODB
internal import ZODBFile

extension Repository {
    /// Calls `body` with the bytes of a chunk as they were before compression, piece by piece.
    /// - Throws: `corrupt` when they cannot be decompressed; what `body` throws.
    func read(
        _ chunk: ChunkFile, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        let file = try DataFile(file(chunk))
        let range = 0..<(try file.size())
        guard chunk.isCompressed else {
            try file.forEachChunk(of: range) { (bytes, _) throws(StorageError) in try unsafe body(bytes) }
            return
        }
        var gzip = try GzipReader(file.path)
        try file.forEachChunk(of: range) { (bytes, _) throws(StorageError) in try unsafe gzip.read(bytes, to: body) }
        try gzip.finish()
    }

    /// How many bytes a chunk holds, and their MD5 when it is asked for.
    func measure(
        _ chunk: ChunkFile, withChecksum: Bool, _ tick: (Int) throws(StorageError) -> Void = { _ in }
    ) throws(StorageError) -> (size: Int, md5: String?) {
        if !withChecksum, !chunk.isCompressed { return (try DataFile(file(chunk)).size(), nil) }
        var hash = MD5()
        var size = 0
        try read(chunk) { (bytes) throws(StorageError) in
            if withChecksum { unsafe hash.update(bytes) }
            size += bytes.count
            try tick(size)
        }
        return (size, withChecksum ? Hexadecimal.text(hash.digest) : nil)
    }
}

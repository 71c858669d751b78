internal import ByteCoding
internal import ZODB
internal import ZODBFile

extension CacheRing {
    /// Writes what a new, empty cache of `size` bytes consists of.
    static func make(_ file: DataFile, size: Int) throws(StorageError) {
        try file.write(CacheFormat.magic + TransactionID.none.bytes, at: 0)
        // So that the file has its size; Python's files end so.
        if size > CacheFormat.headSize { try file.write([UInt8(ascii: "x")], at: size - 1) }
        try writeFree(in: CacheFormat.headSize..<size, of: file)
    }

    /// Reads what is in a cache file, and gives it another size where one is wanted.
    ///
    /// Blocks beyond a smaller size are given up. Blocks with versions are, too: whoever keeps them would have to keep them up
    /// to date.
    /// - Throws: `corrupt` when the file is none, or its blocks do not fit together; `io`.
    init(opening file: DataFile, size: Int) throws(StorageError) {
        let head = try file.bytes(at: 0, count: CacheFormat.headSize)
        guard head.starts(with: CacheFormat.magic), let last = TransactionID(bytes: head.dropFirst(4)) else {
            throw .corrupt(file.path, FormatError(.invalid(field: "head of a cache file", found: "\(head)"), at: 0))
        }
        self.init(file, size: size, lastTransaction: last, place: CacheFormat.headSize)
        let fileSize = try file.size()
        var scan = try Scan(self, fileSize)
        while let block = try scan.next() { try take(block, &scan) }
        let isFitting = scan.versions.isEmpty && scan.giants.isEmpty && scan.offset == size && fileSize == size
        if !isFitting { try fit(scan, fileSize) }
        place = scan.firstFree ?? (scan.offset < size ? scan.offset : CacheFormat.headSize)
    }

    private func fit(_ scan: Scan, _ fileSize: Int) throws(StorageError) {
        try guarded { () throws(StorageError) in
            for block in scan.versions { try file.write([CacheFormat.Status.free.rawValue], at: block.offset) }
            for block in scan.giants { try Self.writeFree(in: block.offset..<block.end, of: file) }
            if scan.offset < size { try Self.writeFree(in: scan.offset..<size, of: file) }
            if fileSize != size { try file.truncate(to: size) }
        }
    }

    private mutating func take(_ block: CacheBlock, _ scan: inout Scan) throws(StorageError) {
        switch block.content {
        case .free:
            scan.firstFree = scan.firstFree ?? block.offset
            if block.size > CacheFormat.largestBlock { scan.giants.append(block) }
        case .object(let head) where head.versionSize > 0: scan.versions.append(block)
        case .object(let head):
            if let problem = found(block, head) {
                throw .corrupt(file.path, FormatError(.invalid(field: "block", found: problem), at: block.offset))
            }
        }
    }

    /// What came up on the way through the blocks.
    private struct Scan {
        private let ring: CacheRing
        private let fileSize: Int
        /// The next block; in the end, where what is kept ends.
        var offset = CacheFormat.headSize
        var firstFree: Int?
        var versions: [CacheBlock] = []
        var giants: [CacheBlock] = []

        init(_ ring: CacheRing, _ fileSize: Int) throws(StorageError) { (self.ring, self.fileSize) = (ring, fileSize) }

        mutating func next() throws(StorageError) -> CacheBlock? {
            guard offset < min(fileSize, ring.size) else { return nil }
            let block = try ring.block(at: offset)
            guard block.end <= fileSize else {
                throw .corrupt(
                    ring.file.path,
                    FormatError(.truncated(needed: block.size, available: fileSize - offset), at: offset))
            }
            // Cut off by the new size.
            guard block.end <= ring.size else { return nil }
            offset = block.end
            return block
        }
    }
}

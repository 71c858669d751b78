public import ByteCoding
public import ZODB
internal import ZODBFile

/// What is in a client cache of any generation, looked at without a lock, and without changing anything.
public struct CacheSurvey: Sendable {
    public struct Entry: Hashable, Sendable {
        public var oid: ObjectID
        public var serial: TransactionID
        /// The next revision's serial; nil of a current one.
        public var end: TransactionID?
        /// Bytes of data.
        public var size: Int
        /// The version it belongs to, in caches of ZODB up to 3.8.
        public var version: String?
        /// Which of the files it is in, and where.
        public var file: Int, offset: Int
        /// Where its data is in the file.
        public var data: Range<Int>
        /// How many bytes were written since, as far as the ring tells; small: new, or read lately. nil: no ring.
        public var age: Int?
    }

    public struct File: Hashable, Sendable {
        public var path: String
        public var size: Int
        public var lastTransaction: TransactionID?
        /// Of two files, the one that is written to.
        public var isWritten: Bool
    }

    public struct Problem: Hashable, Sendable {
        public var file: String
        public var error: FormatError
    }

    /// `ZEC3`, or an older one.
    public var generation: String
    public var files: [File]
    /// Usable revisions, in the files' order.
    public var entries: [Entry] = []
    public var freeBlocks = 0, freeBytes = 0
    /// Records that were made invalid; of two files, also those that a later one replaces.
    public var deadRecords = 0
    /// Where reading ended before its time.
    public var problems: [Problem] = []
    /// Where the next revision goes; nil: no ring.
    public var place: Int?
    /// The process that has the cache open, as far as the system tells.
    public var holder: Int?
    /// Whose objects they are, where we noted that.
    public var source: CacheSource?
    /// Why the content would not be believed, whatever a server says; nil when nothing speaks against it.
    public var doubt: String?

    public var lastTransaction: TransactionID? {
        (files.first(where: \.isWritten) ?? files.first)?.lastTransaction
    }

    /// - Throws: `unsupported` when it is no cache; `io`.
    public init(of path: String) throws(StorageError) {
        let file = try DataFile(path)
        let head = try file.bytes(at: 0, count: CacheFormat.headSize)
        if TwoFileCache.Generation(magic: head.prefix(4)) != nil {
            (generation, files) = ("", [])
            try readTwoFiles(path)
        } else if head.starts(with: CacheFormat.magic), let last = TransactionID(bytes: head.dropFirst(4)) {
            generation = "ZEC3"
            files = [File(path: path, size: try file.size(), lastTransaction: last, isWritten: true)]
            try readRing(file, last)
        } else {
            throw .unsupported("\(path) is no client cache: it begins with none of ZEC0 to ZEC3")
        }
        holder = DataFile.lockHolder(beside: path)
    }

    private mutating func readRing(_ file: DataFile, _ last: TransactionID) throws(StorageError) {
        let size = files[0].size
        // Only to read blocks with.
        let ring = CacheRing(file, size: size, lastTransaction: last, place: CacheFormat.headSize)
        var offset = CacheFormat.headSize
        var seen: Set<ObjectID> = []
        while offset < size {
            do throws(StorageError) {
                let block = try ring.block(at: offset)
                guard block.end <= size else {
                    throw .corrupt(
                        file.path, FormatError(.truncated(needed: block.size, available: size - offset), at: offset))
                }
                switch block.content {
                case .free:
                    freeBlocks += 1
                    freeBytes += block.size
                    place = place ?? offset
                case .object(let head): try take(block, head, file, &seen)
                }
                offset = block.end
            } catch .corrupt(_, let error) {
                problems.append(Problem(file: file.path, error: error))
                break
            }
        }
        let note = CacheNote(beside: file.path)
        source = note?.source
        if !entries.isEmpty { doubt = CacheFile.doubt(last, note) }
        guard let place else { return }
        for index in entries.indices {
            let end = entries[index].data.upperBound + 8
            entries[index].age = end <= place ? place - end : place - end + size - CacheFormat.headSize
        }
    }

    private mutating func take(
        _ block: CacheBlock, _ head: ObjectHead, _ file: DataFile, _ seen: inout Set<ObjectID>
    ) throws(StorageError) {
        let start = block.offset + CacheFormat.objectHeadSize
        let data = start + head.versionSize..<block.end - 8
        let version = try file.bytes(at: start, count: head.versionSize)
        guard try file.bytes(at: data.upperBound, count: 8) == head.oid.bytes else {
            let error = FormatError(
                .invalid(field: "end of a block", found: "not its oid, \(head.oid)"), at: data.upperBound)
            return problems.append(Problem(file: file.path, error: error))
        }
        if head.isCurrent, head.versionSize == 0, !seen.insert(head.oid).inserted {
            let error = FormatError(
                .invalid(field: "block", found: "a second current one of \(head.oid)"), at: block.offset)
            problems.append(Problem(file: file.path, error: error))
        }
        entries.append(
            Entry(
                oid: head.oid, serial: head.serial, end: head.isCurrent ? nil : head.end, size: head.dataSize,
                version: version.isEmpty ? nil : String(decoding: version, as: UTF8.self), file: 0,
                offset: block.offset,
                data: data))
    }

    private mutating func readTwoFiles(_ path: String) throws(StorageError) {
        var caches = [try TwoFileCache(path)]
        if let sibling = TwoFileCache.sibling(of: path), FileIdentity(path: sibling) != nil {
            caches.append(try TwoFileCache(sibling))
            caches.sort { $0.path < $1.path }
        }
        generation = caches.map(\.generation.name).max() ?? ""
        let written = caches.indices.max { caches[$0].rank < caches[$1].rank } ?? 0
        files = caches.indices.map {
            File(
                path: caches[$0].path, size: caches[$0].size, lastTransaction: caches[$0].lastTransaction,
                isWritten: $0 == written)
        }
        var known: Set<ObjectID> = []
        for index in [written] + caches.indices.filter({ $0 != written }) {
            let cache = caches[index]
            if let problem = cache.problem { problems.append(Problem(file: cache.path, error: problem)) }
            var last: [ObjectID: TwoFileCache.Record] = [:]
            for record in cache.records { last[record.oid] = record }
            deadRecords += cache.records.count
            for record in last.values.sorted(by: { $0.offset < $1.offset })
            where known.insert(record.oid).inserted && record.isValid {
                deadRecords -= 1
                take(record, file: index)
            }
        }
        doubt = "Zope 2.7 and before alone can use it"
    }

    private mutating func take(_ record: TwoFileCache.Record, file: Int) {
        // Without a serial, the object exists in the version only.
        if record.serial != .none {
            entries.append(
                Entry(
                    oid: record.oid, serial: record.serial, end: nil, size: record.data.count, version: nil, file: file,
                    offset: record.offset, data: record.data))
        }
        guard let version = record.version, record.status == UInt8(ascii: "v") else { return }
        entries.append(
            Entry(
                oid: record.oid, serial: version.serial, end: nil, size: version.data.count, version: version.name,
                file: file, offset: record.offset, data: version.data))
    }

    /// The data of an entry.
    /// - Throws: `io`, or `corrupt` where the file has changed meanwhile and is shorter now.
    public func data(of entry: Entry) throws(StorageError) -> [UInt8] {
        let path = files[entry.file].path
        let bytes = try DataFile(path).bytes(at: entry.data.lowerBound, count: entry.data.count)
        guard bytes.count == entry.data.count else {
            throw .corrupt(
                path, FormatError(.truncated(needed: entry.data.count, available: bytes.count), at: entry.offset))
        }
        return bytes
    }
}

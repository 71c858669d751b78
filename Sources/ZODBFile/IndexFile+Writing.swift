package import ZODB

extension IndexFile {
    /// Writes the index as of `position` in the chunked form, which ZODB reads from 3.10 on: the opcodes and strings of
    /// the Python that the data file belongs to.
    ///
    /// It is written beside and renamed, so that there is always one whole file.
    /// - Throws: `io`; then the old file is still there.
    package static func write(
        _ index: FileIndex, position: Int, generation: PythonGeneration, to path: String, calls: FileCalls = .system
    ) throws(StorageError) {
        let temporary = path + ".index_tmp"
        do throws(StorageError) {
            let file = try DataFile(temporary, .replacing(permissions: 0o666), calls: calls)
            var writer = IndexChunks(file: file, generation: generation)
            try writer.write(index, position: position)
            // Else a power cut might leave the new name with old or no bytes, and a wrong index shows wrong revisions.
            try file.sync()
            try Directories.rename(temporary, to: path)
        } catch {
            Directories.remove(temporary)
            throw error
        }
    }
}

/// The pickles of an index file: the position; a tuple (six bytes of oid, suffixes and positions) for each bucket;
/// `None`. As Python's pickler writes them without a memo.
private struct IndexChunks {
    let file: DataFile
    let generation: PythonGeneration
    private var buffer: [UInt8] = []
    private var written = 0

    init(file: DataFile, generation: PythonGeneration) {
        self.file = file
        self.generation = generation
    }

    mutating func write(_ index: FileIndex, position: Int) throws(StorageError) {
        begin()
        append(number: position)
        end()
        var suffixes: [UInt8] = []
        var positions: [UInt8] = []
        var prefix: UInt64?
        var entries = index.entries()
        while let entry = entries.next() {
            if let prefix, prefix != entry.oid.rawValue >> 16 {
                try appendBucket(prefix, suffixes + positions)
                suffixes.removeAll(keepingCapacity: true)
                positions.removeAll(keepingCapacity: true)
            }
            prefix = entry.oid.rawValue >> 16
            suffixes.appendBigEndian(UInt16(truncatingIfNeeded: entry.oid.rawValue))
            positions.appendBigEndian(UInt16(entry.position >> 32))
            positions.appendBigEndian(UInt32(truncatingIfNeeded: entry.position))
        }
        if let prefix { try appendBucket(prefix, suffixes + positions) }
        begin()
        buffer.append(UInt8(ascii: "N"))
        end()
        try flush()
    }

    private mutating func appendBucket(_ prefix: UInt64, _ bucket: [UInt8]) throws(StorageError) {
        let prefixBytes = ObjectID(rawValue: prefix << 16).bytes.prefix(6)
        begin()
        if generation == .python2 { buffer.append(UInt8(ascii: "(")) }
        append(string: Array(prefixBytes))
        append(string: bucket)
        buffer.append(generation == .python2 ? UInt8(ascii: "t") : 0x86)
        end()
        if buffer.count > 1 << 20 { try flush() }
    }

    private mutating func flush() throws(StorageError) {
        try file.write(buffer, at: written)
        written += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    private mutating func begin() {
        if generation == .python3 { buffer += [0x80, 3] }
    }

    private mutating func end() { buffer.append(UInt8(ascii: ".")) }

    private mutating func append(number: Int) {
        guard generation == .python3 else {
            // A long, as Python 2 itself writes it.
            buffer += Array("L\(number)L\n".utf8)
            return
        }
        let bytes = withUnsafeBytes(of: UInt64(number).littleEndian) { Array($0) }
        if number < 1 << 31 {
            buffer.append(UInt8(ascii: "J"))
            buffer += bytes.prefix(4)
        } else {
            // LONG1; positions are below 2^48, so the seventh byte is 0 and the number not negative.
            buffer += [0x8a, 7]
            buffer += bytes.prefix(7)
        }
    }

    private mutating func append(string bytes: [UInt8]) {
        let isPython2 = generation == .python2
        if bytes.count < 256 {
            buffer += [UInt8(ascii: isPython2 ? "U" : "C"), UInt8(bytes.count)]
        } else {
            buffer.append(UInt8(ascii: isPython2 ? "T" : "B"))
            withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { buffer.append(contentsOf: $0) }
        }
        buffer += bytes
    }
}

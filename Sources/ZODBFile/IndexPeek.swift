internal import ByteCoding
internal import Synchronization
internal import ZODB

/// Looks single oids up in an `.index` file where it lies: for who wants one object of a large database, and not to read
/// megabytes first.
///
/// Only what is found is believed, since its record is looked at; what is not found must be asked of the whole index.
struct IndexPeek: Sendable {
    /// Oids with the same first six bytes: suffixes of 2 bytes, ascending, then positions of 6.
    struct Chunk: Sendable {
        var prefix: UInt64
        /// Where the suffixes begin in the file, and how many there are.
        var offset: Int, count: Int
    }

    let file: DataFile
    /// The end of the transactions that it covers.
    let position: Int
    /// By prefix.
    let chunks: [Chunk]

    /// - Returns: nil when the file has another form, is damaged, or has so many chunks that it is read as soon as looked
    ///   through.
    init?(_ path: String, calls: FileCalls) throws(StorageError) {
        do throws(StorageError) {
            file = try DataFile(path, calls: calls)
            let size = try file.size()
            var reader = try ChunkedIndexReader(file, size: size, expected: 512)
            guard let found = try reader.chunks(atMost: 256) else { return nil }
            (position, chunks) = found
        } catch .interrupted {
            throw .interrupted
        } catch {
            return nil
        }
    }

    /// Where the object's record is said to be; nil when the oid is not found.
    func position(of oid: ObjectID) throws(StorageError) -> Int? {
        guard let chunk = chunks.first(where: { $0.prefix == oid.rawValue >> 16 }) else { return nil }
        let wanted = UInt16(truncatingIfNeeded: oid.rawValue)
        var (low, high) = (0, chunk.count)
        while low < high {
            let middle = (low + high) / 2
            if try suffix(middle, in: chunk) < wanted { low = middle + 1 } else { high = middle }
        }
        guard low < chunk.count, try suffix(low, in: chunk) == wanted else { return nil }
        return try entry(low, in: chunk).position
    }

    /// The entry at a place of a chunk.
    func entry(_ place: Int, in chunk: Chunk) throws(StorageError) -> FileIndex.Entry {
        let suffix = try suffix(place, in: chunk)
        let position = try number(at: chunk.offset + chunk.count * 2 + place * 6, bytes: 6)
        return FileIndex.Entry(
            oid: ObjectID(rawValue: chunk.prefix << 16 | UInt64(suffix)), position: Int(position))
    }

    private func suffix(_ place: Int, in chunk: Chunk) throws(StorageError) -> UInt16 {
        UInt16(try number(at: chunk.offset + place * 2, bytes: 2))
    }

    private func number(at offset: Int, bytes count: Int) throws(StorageError) -> UInt64 {
        let bytes = try file.bytes(at: offset, count: count)
        guard bytes.count == count else {
            throw .corrupt(file.path, FormatError(.truncated(needed: count, available: bytes.count), at: offset))
        }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension IndexPeek {
    /// What speaks against using it with this data file; the same questions as for an index that was read.
    func objection(dataFile: DataFile, end: Int) throws(StorageError) -> String? {
        try IndexFile.objection(
            position: position, file: dataFile, end: end,
            lookUp: { (oid) throws(StorageError) in try position(of: oid) },
            samples: { () throws(StorageError) -> [FileIndex.Entry] in
                guard !chunks.isEmpty else { return [] }
                var samples: [FileIndex.Entry] = []
                for step in 0..<16 {
                    let chunk = chunks[step * chunks.count / 16]
                    samples.append(try entry(step * 7919 % chunk.count, in: chunk))
                }
                return samples
            })
    }
}

extension FileStorage {
    /// What is known of looking into the `.index` file without reading it.
    enum Peek: Sendable {
        case untried
        /// With the records behind what it covers, and how often it may still be asked: the index is read when it is
        /// worth it.
        case ready(IndexPeek, newer: FileIndex, left: Int)
        case unusable
    }

    /// The object's record as the `.index` file has it; nil when the index has to be read.
    func peek(_ oid: ObjectID) throws(StorageError) -> (view: View, position: Int?)? {
        guard writer == nil, !options.ignoresIndexFile else { return nil }
        return try maintenance.withLock { (_) throws(StorageError) -> (view: View, position: Int?)? in
            let (peek, isIndexed) = state.withLock { ($0.peek, $0.index != nil) }
            guard !isIndexed else { return nil }
            switch peek {
            case .unusable: return nil
            case .untried:
                let peek = try makePeek()
                state.withLock { $0.peek = peek }
                guard case .ready(let peek, let newer, _) = peek else { return nil }
                return try found(oid, peek, newer)
            case .ready(let peek, let newer, let left):
                state.withLock { $0.peek = left > 1 ? .ready(peek, newer: newer, left: left - 1) : .unusable }
                return try found(oid, peek, newer)
            }
        }
    }

    private func found(
        _ oid: ObjectID, _ peek: IndexPeek, _ newer: FileIndex
    ) throws(StorageError) -> (view: View, position: Int?)? {
        guard let view = try knownView() else { return nil }
        if let position = newer.position(of: oid) { return (view, position) }
        do throws(StorageError) {
            guard let position = try peek.position(of: oid), position < peek.position else { return nil }
            return (view, position)
        } catch {
            // Whatever is wrong with the file is seen when it is read.
            return nil
        }
    }

    /// - Precondition: `maintenance` is held.
    private func makePeek() throws(StorageError) -> Peek {
        let view = try findEnd()
        // Finding the end may have built the index.
        guard state.withLock({ $0.index == nil }),
            let peek = try IndexPeek(indexPath, calls: calls),
            try peek.objection(dataFile: view.file, end: view.end.position) == nil,
            // What it does not cover is scanned; much of that, and the index is wanted anyway.
            view.end.position - peek.position < 1 << 20
        else { return .unusable }
        var newer = FileIndex()
        var scanner = try FileScanner(view.file, from: peek.position, to: view.end.position, .boundary)
        while try scanner.next() { newer.set(scanner.oid, to: scanner.recordPosition) }
        return .ready(peek, newer: newer, left: 64)
    }
}

internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// The blocks of an open cache file, and where each revision is.
///
/// What is new is written at one place that goes round; what lies there is given up. Whatever Python's `ClientCache` would
/// write for the same calls is written here, in another order: **cut off after any byte, the file holds nothing wrong.**
///
/// - A block's status is one byte: freed by it, made an object's by it.
/// - The size of a block is four bytes. While they change, the head's tid begins with a zero byte: a file that is found so
///   is not believed. That takes two bytes more, before and after.
/// - Data is written where the file says that nothing is.
/// - The end of a revision is written while its block is free.
/// - The head's tid is written from its last byte to its first: what it says in between is never later than it will be.
///
/// Writes reach the file in order as long as the machine runs; what a power cut does is `CacheNote`'s concern.
struct CacheRing {
    private struct Entry {
        var offset: Int
        var serial: TransactionID
        /// `.none`: current.
        var end: TransactionID
    }

    let file: DataFile
    /// The file's size, in bytes, head included.
    let size: Int
    /// What the cache is consistent with; `.none` when that is not known.
    private(set) var lastTransaction: TransactionID
    /// Where the next block goes.
    var place: Int
    private var current: [ObjectID: Entry] = [:]
    /// Of each object, by serial.
    private var past: [ObjectID: [Entry]] = [:]
    /// Blocks that are not found any more, and that the file still has.
    private var discarded: [Int] = []

    /// A part of the ring so large, in hundredths, behind the place: what is read there is copied forward.
    private static let rearranged = 80

    init(_ file: DataFile, size: Int, lastTransaction: TransactionID, place: Int) {
        self.file = file
        self.size = size
        self.lastTransaction = lastTransaction
        self.place = place
    }

    // MARK: Reading

    /// The revision of `oid` that a view at `tid` sees; nil when it is not here.
    /// - Parameter rearranges: whether one far back is copied forward.
    mutating func revision(
        of oid: ObjectID, at tid: TransactionID, rearranging rearranges: Bool = true
    ) throws(StorageError) -> Revision? {
        if let entry = past[oid]?.last(where: { $0.serial <= tid }), tid < entry.end {
            return try read(entry, oid).revision
        }
        guard let entry = current[oid], entry.serial <= tid else { return nil }
        let (revision, block) = try read(entry, oid)
        var behind = place - entry.offset
        if behind < 0 { behind += size }
        // Python's comparison, in integers. Far back, and worth keeping: another block of it, near the place.
        if rearranges, behind * 100 > Self.rearranged * size, size > 10 * revision.data.count {
            current[oid] = nil
            try free(block)
            try write(revision.data, oid, Entry(offset: 0, serial: entry.serial, end: .none))
        }
        return revision
    }

    private func read(_ entry: Entry, _ oid: ObjectID) throws(StorageError) -> (revision: Revision, block: CacheBlock) {
        let block = try self.block(at: entry.offset)
        guard case .object(let head) = block.content, head.oid == oid, head.serial == entry.serial,
            head.end == entry.end, head.versionSize == 0
        else { throw damage("block", "not the one of \(oid) that was there", at: entry.offset) }
        let bytes = try file.bytes(
            at: entry.offset + CacheFormat.objectHeadSize, count: head.dataSize + 8)
        guard bytes.suffix(8).elementsEqual(oid.bytes), bytes.count == head.dataSize + 8 else {
            throw damage("end of a block", "not its oid, \(oid)", at: block.end - 8)
        }
        let next = head.isCurrent ? nil : head.end
        return (Revision(data: Array(bytes.dropLast(8)), serial: head.serial, next: next), block)
    }

    func block(at offset: Int) throws(StorageError) -> CacheBlock {
        let bytes = try file.bytes(at: offset, count: CacheFormat.objectHeadSize)
        do throws(FormatError) {
            return try CacheBlock(bytes, at: offset)
        } catch {
            throw .corrupt(file.path, error)
        }
    }

    private func damage(_ field: String, _ found: String, at offset: Int) -> StorageError {
        .corrupt(file.path, FormatError(.invalid(field: field, found: found), at: offset))
    }

    // MARK: What is here

    var isEmpty: Bool { current.isEmpty && past.isEmpty }
    var count: Int { past.values.reduce(current.count) { $0 + $1.count } }

    /// Objects with a current revision, and its serial.
    var currentSerials: [(oid: ObjectID, serial: TransactionID)] { current.map { ($0.key, $0.value.serial) } }

    /// Takes note of a block found when the file was opened.
    /// - Returns: what is wrong with it beside what was found before.
    mutating func found(_ block: CacheBlock, _ head: ObjectHead) -> String? {
        let entry = Entry(offset: block.offset, serial: head.serial, end: head.end)
        if head.isCurrent {
            guard current.updateValue(entry, forKey: head.oid) == nil else {
                return "a second current one of \(head.oid)"
            }
        } else {
            insertPast(entry, head.oid)
        }
        return nil
    }

    private mutating func insertPast(_ entry: Entry, _ oid: ObjectID) {
        var entries = past.removeValue(forKey: oid) ?? []
        let index = entries.firstIndex { $0.serial >= entry.serial } ?? entries.endIndex
        if index < entries.endIndex, entries[index].serial == entry.serial {
            entries[index] = entry
        } else {
            entries.insert(entry, at: index)
        }
        past[oid] = entries
    }

    private mutating func remove(_ head: ObjectHead, at offset: Int) {
        if head.isCurrent {
            if current[head.oid]?.offset == offset { current[head.oid] = nil }
        } else if var entries = past.removeValue(forKey: head.oid) {
            entries.removeAll { $0.offset == offset }
            if !entries.isEmpty { past[head.oid] = entries }
        }
    }

    /// What is there of `oid` and `serial` is damaged: it is not found any more. In the file it stays until `freeDiscarded`,
    /// before which nothing may be written: the same revision, written again, would be there twice.
    mutating func discard(_ oid: ObjectID, _ serial: TransactionID) {
        if let entry = current[oid], entry.serial == serial {
            discarded.append(entry.offset)
            current[oid] = nil
        }
        if var entries = past.removeValue(forKey: oid) {
            discarded += entries.filter { $0.serial == serial }.map(\.offset)
            entries.removeAll { $0.serial == serial }
            if !entries.isEmpty { past[oid] = entries }
        }
    }

    /// The file may be changed: what was discarded goes from it as well.
    mutating func freeDiscarded() throws(StorageError) {
        let offsets = discarded
        discarded = []
        for offset in offsets { try free(try block(at: offset)) }
    }

    // MARK: Changing

    /// Keeps a revision, if it is new and fits.
    mutating func insert(_ revision: Revision, _ oid: ObjectID) throws(StorageError) {
        guard revision.serial != .none, revision.next.map({ revision.serial < $0 }) ?? true else { return }
        if past[oid]?.contains(where: { $0.serial == revision.serial }) ?? false { return }
        if let known = current[oid] {
            if let next = revision.next {
                // What was taken for current has ended.
                if known.serial == revision.serial { return try end(oid, at: next) }
            } else if known.serial >= revision.serial {
                return
            } else {
                // It has ended, at a time that nobody told.
                try forget(oid)
            }
        }
        let total = CacheFormat.objectOverhead + revision.data.count
        guard total < min(CacheFormat.largestBlock, size - CacheFormat.headSize) else { return }
        try write(
            revision.data, oid, Entry(offset: 0, serial: revision.serial, end: revision.next ?? .none))
    }

    /// `oid` was changed in `tid`: what was current until then no longer is.
    mutating func end(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) {
        guard var entry = current[oid], entry.serial < tid else { return }
        current[oid] = nil
        try file.write([CacheFormat.Status.free.rawValue], at: entry.offset)
        try file.write(tid.bytes, at: entry.offset + CacheFormat.endOffset)
        try file.write([CacheFormat.Status.object.rawValue], at: entry.offset)
        entry.end = tid
        insertPast(entry, oid)
    }

    /// What was taken for the current revision of `oid` cannot be believed.
    mutating func forget(_ oid: ObjectID) throws(StorageError) {
        guard let entry = current.removeValue(forKey: oid) else { return }
        try free(try block(at: entry.offset))
    }

    /// What is no longer current cannot be believed either.
    mutating func forgetPast() throws(StorageError) {
        let entries = past.values.flatMap { $0 }
        past = [:]
        for entry in entries { try free(try block(at: entry.offset)) }
    }

    /// Everything up to `tid` has been taken note of.
    mutating func move(to tid: TransactionID) throws(StorageError) {
        guard tid > lastTransaction else { return }
        let (old, new) = (lastTransaction.bytes, tid.bytes)
        for index in new.indices.reversed() where old[index] != new[index] {
            try file.write([new[index]], at: CacheFormat.tidOffset + index)
        }
        lastTransaction = tid
    }

    /// Gives up everything, and the knowledge of a last transaction.
    mutating func clear() throws(StorageError) {
        (current, past, discarded) = ([:], [:], [])
        for index in 0..<8 { try file.write([0], at: CacheFormat.tidOffset + index) }
        lastTransaction = .none
        try Self.writeFree(in: CacheFormat.headSize..<size, of: file)
        place = CacheFormat.headSize
    }

    /// Makes a range of the file free blocks, the last one first: until the first is written, the old ones hold.
    static func writeFree(in range: Range<Int>, of file: DataFile) throws(StorageError) {
        let starts = stride(from: range.lowerBound, to: range.upperBound, by: CacheFormat.largestBlock)
        for start in starts.reversed() {
            let size = min(CacheFormat.largestBlock, range.upperBound - start)
            try file.write(CacheFormat.freeHead(size), at: start)
        }
    }

    // MARK: Writing blocks

    private func free(_ block: CacheBlock) throws(StorageError) {
        try file.write([CacheFormat.Status.free.rawValue], at: block.offset)
    }

    /// Writes a block at the place, and moves the place behind it.
    private mutating func write(_ data: [UInt8], _ oid: ObjectID, _ entry: Entry) throws(StorageError) {
        let total = CacheFormat.objectOverhead + data.count
        // One more: a free block after the newest object tells where the place is.
        let room = try makeRoom(total + 1)
        let offset = place
        try change([CacheFormat.Status.free.rawValue] + CacheFormat.sizeBytes(room), at: offset)
        var writer = ByteWriter()
        writer.write(oid.bytes + entry.serial.bytes + entry.end.bytes + [0, 0] + CacheFormat.sizeBytes(data.count))
        writer.write(data)
        writer.write(oid.bytes + CacheFormat.freeHead(room - total))
        try file.write(writer.bytes, at: offset + 5)
        try change([CacheFormat.Status.object.rawValue] + CacheFormat.sizeBytes(total), at: offset)
        var entry = entry
        entry.offset = offset
        if entry.end == .none { current[oid] = entry } else { insertPast(entry, oid) }
        place = offset + total
    }

    /// Gives up what lies at the place, as many blocks as it takes; when the file ends before, the place goes to its beginning.
    /// - Returns: how many bytes that are.
    private mutating func makeRoom(_ count: Int) throws(StorageError) -> Int {
        if place + count > size { place = CacheFormat.headSize }
        var offset = place
        while offset < place + count {
            let block = try block(at: offset)
            guard block.end <= size else {
                throw damage("size of a block", "\(block.size), beyond the file", at: offset)
            }
            if case .object(let head) = block.content { remove(head, at: offset) }
            offset = block.end
        }
        return offset - place
    }

    /// Changes the first bytes of a block, status and size. Half of them would be another size.
    private func change(_ head: [UInt8], at offset: Int) throws(StorageError) {
        guard try file.bytes(at: offset, count: head.count) != head else { return }
        try guarded { () throws(StorageError) in try file.write(head, at: offset) }
    }

    /// Does what may not be cut off.
    func guarded(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        let first = UInt8(truncatingIfNeeded: lastTransaction.rawValue >> 56)
        if first != 0 { try distrust() }
        try body()
        if first != 0 { try file.write([first], at: CacheFormat.tidOffset) }
    }

    /// Makes the file one that is not believed.
    func distrust() throws(StorageError) { try file.write([0], at: CacheFormat.tidOffset) }
}

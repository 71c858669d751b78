package import ZODB

/// Where the current record of each object begins: oid → position in the file, below 2^48.
///
/// Positions lie in pages of 1,024 oids. A page with few of them is a sorted list, 8 bytes for each; a full one is a
/// table of 6 bytes for each oid, found without a search. So a large database takes 6 to 8 bytes for an object, as
/// Python's `fsIndex` does. Pages are found by their number in a table, which only grows in proportion to what is in
/// it; those too far out (an oid may be any 64-bit number) are kept in a dictionary.
package struct FileIndex: Sendable {
    /// A dense page: 1,024 × 6 bytes, little-endian, and two bytes so that each can be read as eight.
    /// A sparse one: slot << 48 | position, ascending.
    typealias Page = [UInt64]

    static let slots = 1024
    static let denseWords = slots * 6 / 8 + 1
    /// More entries than this make a page dense.
    static let sparseLimit = 384
    static let positionMask: UInt64 = (1 << 48) - 1

    private var near: [Page] = []
    private var far: [UInt64: Page] = [:]
    /// Pages with anything in them.
    private var occupied = 0
    /// Objects in the index.
    package private(set) var count = 0
    /// The largest oid in the index; nil when it is empty.
    package private(set) var largest: ObjectID?

    package init() {}

    /// Where the object's current record begins; nil when the object is unknown.
    package func position(of oid: ObjectID) -> Int? {
        let number = oid.rawValue >> 10
        if number < UInt64(near.count) {
            return Self.position(in: near[Int(number)], slot: oid.rawValue & 1023)
        }
        guard let page = far[number] else { return nil }
        return Self.position(in: page, slot: oid.rawValue & 1023)
    }

    /// - Parameter position: above 0 and below 2^48.
    package mutating func set(_ oid: ObjectID, to position: Int) {
        precondition(position > 0 && position < FileFormat.largestPosition)
        let number = oid.rawValue >> 10
        let isNew =
            makeRoom(for: number)
            ? Self.set(&near[Int(number)], slot: oid.rawValue & 1023, to: UInt64(position))
            : Self.set(&far[number, default: []], slot: oid.rawValue & 1023, to: UInt64(position))
        if isNew {
            count += 1
            largest = max(largest ?? oid, oid)
        }
    }

    /// Sets many oids of one page at once: what `entry` gives for each place of `range`, slots ascending, positions as for
    /// `set`.
    @inline(__always)
    mutating func fill(page number: UInt64, _ range: Range<Int>, _ entry: (Int) -> (slot: UInt64, position: UInt64)) {
        let isNear = makeRoom(for: number)
        guard isNear ? near[Int(number)].isEmpty : far[number] == nil else {
            for place in range {
                let (slot, position) = entry(place)
                set(ObjectID(rawValue: number << 10 | slot), to: Int(position))
            }
            return
        }
        var page: Page
        if range.count > Self.sparseLimit {
            page = Page(repeating: 0, count: Self.denseWords)
            page.withUnsafeMutableBytes { bytes in
                for place in range {
                    let (slot, position) = entry(place)
                    unsafe Self.store(position, in: bytes, Int(slot & 1023))
                }
            }
        } else {
            page = range.map { place in
                let (slot, position) = entry(place)
                return slot << 48 | position
            }
        }
        if isNear { near[Int(number)] = page } else { far[number] = page }
        count += range.count
        if let end = range.last {
            let oid = ObjectID(rawValue: number << 10 | entry(end).slot)
            largest = max(largest ?? oid, oid)
        }
    }

    /// Makes sure that the page has a place; whether it is in the table.
    private mutating func makeRoom(for number: UInt64) -> Bool {
        if number < UInt64(near.count) {
            if near[Int(number)].isEmpty { occupied += 1 }
            return true
        }
        if far[number] != nil { return false }
        occupied += 1
        // Eight empty places for each page in use: 64 bytes.
        guard number < UInt64(1024 + 8 * occupied) else { return false }
        while number >= UInt64(near.count) {
            near.append(far.isEmpty ? [] : far.removeValue(forKey: UInt64(near.count)) ?? [])
        }
        return true
    }
}

// MARK: Pages

extension FileIndex {
    private static func position(in page: Page, slot: UInt64) -> Int? {
        let position: UInt64
        if page.count == denseWords {
            position = densePosition(page, Int(slot))
        } else {
            let place = sparsePlace(page, slot)
            guard place < page.count, page[place] >> 48 == slot else { return nil }
            position = page[place] & positionMask
        }
        return position == 0 ? nil : Int(position)
    }

    @inline(__always)
    private static func densePosition(_ page: Page, _ slot: Int) -> UInt64 {
        // In bounds: a dense page has two bytes more than its slots need, and `slot` is below 1,024.
        let raw = unsafe page.span.bytes.unsafeLoadUnaligned(fromByteOffset: slot * 6, as: UInt64.self)
        return UInt64(littleEndian: raw) & positionMask
    }

    /// The first place whose slot is not below `slot`.
    private static func sparsePlace(_ page: Page, _ slot: UInt64) -> Int {
        if let last = page.last, last >> 48 < slot { return page.count }
        var (low, high) = (0, page.count)
        while low < high {
            let middle = (low + high) / 2
            if page[middle] >> 48 < slot { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether the slot was free.
    private static func set(_ page: inout Page, slot: UInt64, to position: UInt64) -> Bool {
        if page.count != denseWords {
            let place = sparsePlace(page, slot)
            if place < page.count, page[place] >> 48 == slot {
                page[place] = slot << 48 | position
                return false
            }
            guard page.count == sparseLimit else {
                page.insert(slot << 48 | position, at: place)
                return true
            }
            page = dense(page)
        }
        let isNew = densePosition(page, Int(slot)) == 0
        store(position, in: &page, Int(slot))
        return isNew
    }

    private static func dense(_ sparse: Page) -> Page {
        var page = Page(repeating: 0, count: denseWords)
        for entry in sparse { store(entry & positionMask, in: &page, Int(entry >> 48)) }
        return page
    }

    @inline(__always)
    private static func store(_ position: UInt64, in page: inout Page, _ slot: Int) {
        page.withUnsafeMutableBytes { unsafe store(position, in: $0, slot) }
    }

    /// - Parameter page: the bytes of a dense page.
    @inline(__always)
    private static func store(_ position: UInt64, in page: UnsafeMutableRawBufferPointer, _ slot: Int) {
        // In bounds: `slot` is below 1,024.
        let low = UInt32(truncatingIfNeeded: position).littleEndian
        let high = UInt16(truncatingIfNeeded: position >> 32).littleEndian
        unsafe page.storeBytes(of: low, toByteOffset: slot * 6, as: UInt32.self)
        unsafe page.storeBytes(of: high, toByteOffset: slot * 6 + 4, as: UInt16.self)
    }
}

// MARK: In order

extension FileIndex {
    /// An oid and the position of its current record.
    package struct Entry: Hashable, Sendable {
        package var oid: ObjectID
        package var position: Int
    }

    /// The entries from an oid on, in order of oids.
    package struct Entries: Sendable {
        private let index: FileIndex
        private var number: Int
        private let farNumbers: [UInt64]
        private var farPlace = 0
        private var batch: [Entry] = []
        private var place = 0
        private let first: ObjectID

        fileprivate init(_ index: FileIndex, from first: ObjectID) {
            self.index = index
            self.first = first
            let firstNumber = first.rawValue >> 10
            number = Int(min(firstNumber, UInt64(index.near.count)))
            farNumbers = index.far.keys.filter { $0 >= firstNumber }.sorted()
        }

        package mutating func next() -> Entry? {
            while place == batch.count {
                if number < index.near.count {
                    batch = FileIndex.entries(of: index.near[number], number: UInt64(number))
                    number += 1
                } else if farPlace < farNumbers.count {
                    batch = FileIndex.entries(of: index.far[farNumbers[farPlace]] ?? [], number: farNumbers[farPlace])
                    farPlace += 1
                } else {
                    return nil
                }
                place = batch.firstIndex { $0.oid >= first } ?? batch.count
            }
            defer { place += 1 }
            return batch[place]
        }
    }

    package func entries(from first: ObjectID = .root) -> Entries { Entries(self, from: first) }

    private static func entries(of page: Page, number: UInt64) -> [Entry] {
        let base = number << 10
        if page.count == denseWords {
            return (0..<slots).compactMap { slot in
                let position = Int(densePosition(page, slot))
                return position == 0 ? nil : Entry(oid: ObjectID(rawValue: base | UInt64(slot)), position: position)
            }
        }
        return page.map {
            Entry(oid: ObjectID(rawValue: base | $0 >> 48), position: Int($0 & positionMask))
        }
    }
}

internal import ZODB

/// A set of oids, a bit for each: in pages of 1,024, found as those of `FileIndex` are.
struct ObjectIDSet: Sendable {
    private typealias Page = [UInt64]

    private static let words = 16

    private var near: [Page] = []
    private var far: [UInt64: Page] = [:]
    private var occupied = 0
    private(set) var count = 0

    @inline(__always)
    func contains(_ oid: ObjectID) -> Bool {
        let number = oid.rawValue >> 10
        let (word, bit) = Self.place(of: oid)
        if number < UInt64(near.count) {
            let page = near[Int(number)]
            return !page.isEmpty && page[word] & bit != 0
        }
        guard let page = far[number] else { return false }
        return page[word] & bit != 0
    }

    /// Whether it was not there yet.
    @inline(__always)
    mutating func insert(_ oid: ObjectID) -> Bool {
        let number = oid.rawValue >> 10
        let (word, bit) = Self.place(of: oid)
        let isNew: Bool
        if makeRoom(for: number) {
            isNew = near[Int(number)][word] & bit == 0
            near[Int(number)][word] |= bit
        } else {
            isNew = far[number, default: Page(repeating: 0, count: Self.words)][word] & bit == 0
            far[number, default: Page(repeating: 0, count: Self.words)][word] |= bit
        }
        if isNew { count += 1 }
        return isNew
    }

    /// Takes some of them out, in order of oids; none when it is empty.
    mutating func removeSome() -> [ObjectID] {
        guard count > 0 else { return [] }
        for number in near.indices where !near[number].isEmpty {
            let oids = Self.oids(of: near[number], number: UInt64(number))
            near[number] = []
            guard !oids.isEmpty else { continue }
            count -= oids.count
            return oids
        }
        guard let (number, page) = far.popFirst() else { return [] }
        let oids = Self.oids(of: page, number: number)
        count -= oids.count
        return oids
    }

    private static func oids(of page: Page, number: UInt64) -> [ObjectID] {
        page.indices.flatMap { word in
            (0..<UInt64(64)).filter { page[word] >> $0 & 1 != 0 }.map {
                ObjectID(rawValue: number << 10 | UInt64(word) << 6 | $0)
            }
        }
    }

    @inline(__always)
    private static func place(of oid: ObjectID) -> (word: Int, bit: UInt64) {
        (Int(oid.rawValue >> 6 & 15), 1 << (oid.rawValue & 63))
    }

    /// Makes sure that the page is there; whether it is in the table.
    @inline(__always)
    private mutating func makeRoom(for number: UInt64) -> Bool {
        if number < UInt64(near.count), !near[Int(number)].isEmpty { return true }
        return makePage(number)
    }

    private mutating func makePage(_ number: UInt64) -> Bool {
        if far[number] != nil { return false }
        occupied += 1
        // Eight empty places for each page in use: 64 bytes.
        guard number < UInt64(max(near.count, 1024 + 8 * occupied)) else { return false }
        while number >= UInt64(near.count) {
            near.append(far.isEmpty ? [] : far.removeValue(forKey: UInt64(near.count)) ?? [])
        }
        if near[Int(number)].isEmpty { near[Int(number)] = Page(repeating: 0, count: Self.words) }
        return true
    }
}

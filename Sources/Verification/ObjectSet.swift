package import ZODB

/// A set of oids: one bit for each oid of a page of 4,096 that has any in it.
///
/// So a set of most objects of a database takes an eighth of a byte for each.
package struct ObjectSet: Sendable {
    private static let wordsInPage = 64
    private var pages: [UInt64: [UInt64]] = [:]
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package func contains(_ oid: ObjectID) -> Bool {
        guard count > 0, let page = pages[oid.rawValue >> 12] else { return false }
        return page[Self.word(oid)] & Self.bit(oid) != 0
    }

    /// Whether it was not there.
    @discardableResult
    package mutating func insert(_ oid: ObjectID) -> Bool {
        let (word, bit) = (Self.word(oid), Self.bit(oid))
        let isNew = {
            (page: inout [UInt64]) -> Bool in
            if page[word] & bit != 0 { return false }
            page[word] |= bit
            return true
        }(&pages[oid.rawValue >> 12, default: [UInt64](repeating: 0, count: Self.wordsInPage)])
        if isNew { count += 1 }
        return isNew
    }

    package mutating func remove(_ oid: ObjectID) {
        guard contains(oid) else { return }
        pages[oid.rawValue >> 12]?[Self.word(oid)] &= ~Self.bit(oid)
        count -= 1
    }

    package mutating func formUnion(_ other: ObjectSet) {
        for (number, page) in other.pages {
            guard var mine = pages[number] else {
                pages[number] = page
                count += Self.bits(page)
                continue
            }
            count -= Self.bits(mine)
            for word in mine.indices { mine[word] |= page[word] }
            count += Self.bits(mine)
            pages[number] = mine
        }
    }

    /// The oids of it that `other` lacks, ascending.
    package func subtracting(_ other: ObjectSet) -> [ObjectID] {
        var oids: [ObjectID] = []
        for number in pages.keys.sorted() {
            guard let page = pages[number] else { continue }
            for (index, word) in page.enumerated() {
                var word = word & ~(other.pages[number]?[index] ?? 0)
                while word != 0 {
                    oids.append(
                        ObjectID(rawValue: number << 12 | UInt64(index) << 6 | UInt64(word.trailingZeroBitCount)))
                    word &= word - 1
                }
            }
        }
        return oids
    }

    /// All of it, ascending.
    package var oids: [ObjectID] { subtracting(ObjectSet()) }

    /// The pages with anything in them, for writing them down.
    package var pagesInOrder: [(number: UInt64, page: [UInt64])] {
        pages.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// - Parameter page: 64 words.
    package mutating func setPage(_ number: UInt64, _ page: [UInt64]) {
        guard page.count == Self.wordsInPage, number < 1 << 52 else { return }
        count += Self.bits(page) - (pages[number].map(Self.bits) ?? 0)
        pages[number] = page
    }

    private static func bits(_ page: [UInt64]) -> Int { page.reduce(0) { $0 + $1.nonzeroBitCount } }
    private static func word(_ oid: ObjectID) -> Int { Int(oid.rawValue >> 6 & 63) }
    private static func bit(_ oid: ObjectID) -> UInt64 { 1 << (oid.rawValue & 63) }
}

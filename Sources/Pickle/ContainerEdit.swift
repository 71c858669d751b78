/// What is to change among the elements of one list, tuple, set or dict. Elements are counted as the document has them;
/// a dict's element is a pair.
struct ContainerEdit: Sendable {
    struct Element: Sendable {
        /// For a dict.
        var key: PickleValue?
        var value: PickleValue
        /// The opcodes that push the key, if any, and the value.
        var bytes: [UInt8]
    }

    /// Elements that go.
    var removed: Set<Int> = []
    /// New elements, by the old one that they come before; by the count for those at the end.
    var inserted: [Int: [Element]] = [:]

    var isEmpty: Bool { removed.isEmpty && inserted.values.allSatisfy(\.isEmpty) }

    enum Position: Equatable {
        case old(Int)
        case new(before: Int, at: Int)
    }

    /// The elements as they would be after the edit.
    func count(of oldCount: Int) -> Int {
        oldCount - removed.count + inserted.values.reduce(0) { $0 + $1.count }
    }

    /// The element that stands at an index after the edit so far; nil outside.
    func position(_ index: Int, of oldCount: Int) -> Position? {
        guard index >= 0 else { return nil }
        var remaining = index
        var old = 0
        // Only places where something changes are visited; between them old and new run in step.
        for place in Set(removed).union(inserted.keys).sorted() {
            if remaining < place - old { return .old(old + remaining) }
            remaining -= place - old
            old = place
            let news = inserted[place] ?? []
            if remaining < news.count { return .new(before: place, at: remaining) }
            remaining -= news.count
            if removed.contains(place) { old += 1 }
        }
        return remaining < oldCount - old ? .old(old + remaining) : nil
    }
}

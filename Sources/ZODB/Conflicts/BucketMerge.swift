internal import Pickle

/// Three sorted lists of entries become one that has both changes.
///
/// Conservative by design: where one change could undo what the other relied on, it is a conflict. So it is when both
/// touch one key (unless both leave it as it was, or only one of them changes its value), when a change takes away the
/// first key (the parent may then need a change too), and when nothing would be left.
///
/// Source: BTrees 6.5, `MergeTemplate.c`, whose order of comparisons this keeps, since a comparison may fail.
struct BucketMerge {
    /// An entry of the result, and whose it is: of the new record, or of the committed one.
    struct Output {
        let entry: PickleDocument.Entry
        let isNew: Bool
    }

    private struct Place {
        let leaf: BTreeResolver.Leaf
        var index = 0

        var entry: PickleDocument.Entry? { index < leaf.entries.count ? leaf.entries[index] : nil }

        func key(_ entry: PickleDocument.Entry) -> PythonValue { PythonValue(leaf.document, entry.key) }
        func value(_ entry: PickleDocument.Entry) -> PythonValue { PythonValue(leaf.document, entry.value) }
    }

    private var old: Place, committed: Place, new: Place
    private let comparison: BTreeComparison
    private(set) var result: [Output] = []

    init(
        _ old: BTreeResolver.Leaf, _ committed: BTreeResolver.Leaf, _ new: BTreeResolver.Leaf,
        _ comparison: BTreeComparison
    ) {
        self.old = Place(leaf: old)
        self.committed = Place(leaf: committed)
        self.new = Place(leaf: new)
        self.comparison = comparison
    }

    mutating func run() throws(Unmergeable) {
        guard committed.entry != nil, new.entry != nil else { throw Unmergeable() }
        while let o = old.entry, let c = committed.entry, let n = new.entry { try step(o, c, n) }
        while let c = committed.entry, let n = new.entry {
            switch try comparison.compareKeys(committed.key(c), new.key(n)) {
            case .equal: throw Unmergeable()
            case .greater: take(new: n)
            case .less: take(committed: c)
            }
        }
        // What is left of the old list, the other one has deleted.
        while let o = old.entry, let c = committed.entry {
            if try isInserted(committed, c, before: o) { take(committed: c) } else { skipCommitted() }
        }
        while let o = old.entry, let n = new.entry {
            if try isInserted(new, n, before: o) { take(new: n) } else { skipNew() }
        }
        guard old.entry == nil else { throw Unmergeable() }
        while let c = committed.entry { take(committed: c) }
        while let n = new.entry { take(new: n) }
        guard !result.isEmpty else { throw Unmergeable() }
    }

    private mutating func step(
        _ o: PickleDocument.Entry, _ c: PickleDocument.Entry, _ n: PickleDocument.Entry
    ) throws(Unmergeable) {
        let againstCommitted = try comparison.compareKeys(old.key(o), committed.key(c))
        let againstNew = try comparison.compareKeys(old.key(o), new.key(n))
        switch (againstCommitted, againstNew) {
        case (.equal, .equal):
            if try isUnchanged(committed, c, since: o) {
                result.append(Output(entry: n, isNew: true))
            } else if try isUnchanged(new, n, since: o) {
                result.append(Output(entry: c, isNew: false))
            } else {
                throw Unmergeable()
            }
            old.index += 1
            committed.index += 1
            new.index += 1
        case (.equal, .greater): take(new: n)
        case (.equal, .less):
            // Deleted in the new one: its first key must still be there.
            guard try isUnchanged(committed, c, since: o), new.index > 0 else { throw Unmergeable() }
            skipCommitted()
        case (.greater, .equal): take(committed: c)
        case (.less, .equal):
            guard try isUnchanged(new, n, since: o), committed.index > 0 else { throw Unmergeable() }
            skipNew()
        case (_, _):
            let between = try comparison.compareKeys(committed.key(c), new.key(n))
            guard between != .equal else { throw Unmergeable() }
            if againstCommitted == .greater {
                if between == .greater { take(new: n) } else { take(committed: c) }
            } else if againstNew == .greater {
                take(new: n)
            } else {
                throw Unmergeable()
            }
        }
    }

    /// True when the entry was inserted; false when it is an old one as it was, which the other has deleted.
    private func isInserted(
        _ place: Place, _ entry: PickleDocument.Entry, before o: PickleDocument.Entry
    ) throws(Unmergeable) -> Bool {
        switch try comparison.compareKeys(old.key(o), place.key(entry)) {
        case .greater: return true
        case .equal where try isUnchanged(place, entry, since: o): return false
        default: throw Unmergeable()
        }
    }

    private func isUnchanged(
        _ place: Place, _ entry: PickleDocument.Entry, since o: PickleDocument.Entry
    ) throws(Unmergeable) -> Bool {
        try comparison.sameValues(old.value(o), place.value(entry))
    }

    private mutating func take(committed entry: PickleDocument.Entry) {
        result.append(Output(entry: entry, isNew: false))
        committed.index += 1
    }

    private mutating func take(new entry: PickleDocument.Entry) {
        result.append(Output(entry: entry, isNew: true))
        new.index += 1
    }

    private mutating func skipCommitted() {
        old.index += 1
        committed.index += 1
    }

    private mutating func skipNew() {
        old.index += 1
        new.index += 1
    }
}

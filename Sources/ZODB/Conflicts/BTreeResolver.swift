internal import Pickle

/// Buckets and sets, and trees that hold but one of them: a merge of three sorted lists.
enum BTreeResolver {
    /// The keys, values and successor of a bucket or set.
    struct Leaf {
        let document: PickleDocument
        /// A set's entries have their key twice.
        let entries: [PickleDocument.Entry]
        let next: PickleDocument.Slot?

        /// nil for a tree that has split, and for what is no BTree's state.
        init?(_ document: PickleDocument, _ kind: BTreeState.Kind) {
            self.document = document
            switch BTreeState(document.roots[1], kind, in: document) {
            case .empty: (entries, next) = ([], nil)
            case .bucket(let entries, let next): (self.entries, self.next) = (entries, next)
            case .set(let keys, let next):
                (entries, self.next) = (keys.map { PickleDocument.Entry(key: $0, value: $0) }, next)
            case .node, nil: return nil
            }
        }
    }

    static func resolve(_ conflict: Conflict, _ kind: BTreeState.Kind) -> [UInt8]? {
        guard let old = Leaf(conflict.old, kind), let committed = Leaf(conflict.committed, kind),
            let new = Leaf(conflict.new, kind), sameNext(old, committed), sameNext(old, new),
            let order = PythonOrder(for: conflict),
            let comparison = BTreeComparison(kind, order)
        else { return nil }
        var merge = BucketMerge(old, committed, new, comparison)
        do throws(Unmergeable) {
            try merge.run()
        } catch {
            return nil
        }
        return write(merge.result, kind, conflict, next: new.next)
    }

    /// Python compares what its loader of references made, one for each spelling.
    private static func sameNext(_ left: Leaf, _ right: Leaf) -> Bool {
        guard let leftNext = left.next, let rightNext = right.next else {
            return left.next == nil && right.next == nil
        }
        guard let leftReference = left.document.reference(leftNext),
            let rightReference = right.document.reference(rightNext)
        else { return false }
        return leftReference == rightReference
    }

    private static func write(
        _ result: [BucketMerge.Output], _ kind: BTreeState.Kind, _ conflict: Conflict, next: PickleDocument.Slot?
    ) -> [UInt8]? {
        guard var copier = conflict.copier() else { return nil }
        let (committed, new) = (copier.add(conflict.committed), copier.add(conflict.new))
        let hasShortTuples = conflict.hasProtocolHeader
        let outerTuples = kind.isTree ? 2 : 0
        if !hasShortTuples {
            for _ in 0...outerTuples { copier.append(.mark) }
        }
        copier.append(.mark)
        do throws(PickleCopier.Failure) {
            for output in result {
                let source = output.isNew ? new : committed
                try copier.append(output.entry.key, of: source)
                if !kind.isSet { try copier.append(output.entry.value, of: source) }
            }
            copier.append(.tuple)
            if let next { try copier.append(next, of: new) }
        } catch {
            return nil
        }
        copier.append(hasShortTuples ? next == nil ? .tuple1 : .tuple2 : .tuple)
        for _ in 0..<outerTuples { copier.append(hasShortTuples ? .tuple1 : .tuple) }
        copier.append(.stop)
        return copier.output
    }
}

/// The two changes cannot be told apart, or contradict each other.
struct Unmergeable: Error {}

/// Compares the keys and values of one family.
struct BTreeComparison {
    private enum Content {
        case object
        case integer(ClosedRange<Int128>)
        case float
        /// This many bytes.
        case bytes(Int)
    }

    private let keys: Content
    private let values: Content
    private let order: PythonOrder
    let hasValues: Bool

    /// nil for a family that there is not.
    init?(_ kind: BTreeState.Kind, _ order: PythonOrder) {
        self.order = order
        hasValues = !kind.isSet
        if kind.family == "fs" {
            (keys, values) = (.bytes(2), .bytes(6))
            return
        }
        guard let key = kind.family.first.flatMap(Self.content), let value = kind.family.last.flatMap(Self.content)
        else { return nil }
        (keys, values) = (key, value)
    }

    private static func content(_ letter: Character) -> Content? {
        switch letter {
        case "O": .object
        case "I": .integer(Int128(Int32.min)...Int128(Int32.max))
        case "L": .integer(Int128(Int64.min)...Int128(Int64.max))
        case "U": .integer(0...Int128(UInt32.max))
        case "Q": .integer(0...Int128(UInt64.max))
        case "F": .float
        default: nil
        }
    }

    func compareKeys(_ left: PythonValue, _ right: PythonValue) throws(Unmergeable) -> PythonOrder.Result {
        try compare(left, right, keys)
    }

    func sameValues(_ left: PythonValue, _ right: PythonValue) throws(Unmergeable) -> Bool {
        guard hasValues else { return true }
        return try compare(left, right, values) == .equal
    }

    private func compare(
        _ left: PythonValue, _ right: PythonValue, _ content: Content
    ) throws(Unmergeable) -> PythonOrder.Result {
        switch content {
        case .object:
            return try order.compareEntries(left, right)
        case .integer(let range):
            guard let a = left.integer, let b = right.integer, range.contains(a), range.contains(b) else {
                throw Unmergeable()
            }
            return a < b ? .less : a > b ? .greater : .equal
        case .float:
            guard let a = left.number.map({ Float($0) }), let b = right.number.map({ Float($0) }) else {
                throw Unmergeable()
            }
            // Neither smaller nor larger is equal to C.
            return a < b ? .less : a > b ? .greater : .equal
        case .bytes(let count):
            guard let a = left.stringBytes, let b = right.stringBytes, a.count == count, b.count == count else {
                throw Unmergeable()
            }
            return PythonOrder.compare(a, b)
        }
    }
}

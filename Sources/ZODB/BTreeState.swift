public import Pickle

/// The state of a BTree, bucket or set of any family, taken apart by its shape.
///
/// Source: `BTrees/Development.txt` and the pickles themselves; the same for all families and both Pythons.
public enum BTreeState: Hashable, Sendable {
    /// A tree without a key: its state is `None`.
    case empty
    /// A bucket's keys and values, and the next bucket.
    case bucket(entries: [PickleDocument.Entry], next: PickleDocument.Slot?)
    /// A set's keys, and the next set.
    case set(keys: [PickleDocument.Slot], next: PickleDocument.Slot?)
    /// Children and the keys between them: child i holds keys from `keys[i - 1]` up to, without, `keys[i]`.
    case node(children: [PickleDocument.Slot], keys: [PickleDocument.Slot], first: PickleDocument.Slot)

    /// What a class name says about the state's shape.
    public struct Kind: Hashable, Sendable {
        /// Keys only: a Set or TreeSet.
        public let isSet: Bool
        /// A BTree or TreeSet, as opposed to a leaf.
        public let isTree: Bool
        /// The two letters of the family: `OO`, `IO`, `fs`.
        public let family: String

        /// For a subclass, whose name says nothing.
        public init(isSet: Bool, isTree: Bool, family: String) {
            (self.isSet, self.isTree, self.family) = (isSet, isTree, family)
        }

        /// nil when the class is none of the BTrees package; the C modules' names (`BTrees._OOBTree`) count too.
        public init?(_ name: GlobalName) {
            guard name.module.hasPrefix("BTrees.") else { return nil }
            let suffixes: [(String, Bool, Bool)] = [
                ("BTree", false, true), ("TreeSet", true, true), ("Bucket", false, false), ("Set", true, false),
            ]
            var plain = name.name
            if plain.hasSuffix("Py") { plain.removeLast(2) }
            for (suffix, isSet, isTree) in suffixes where plain.hasSuffix(suffix) {
                let family = String(plain.dropLast(suffix.count))
                guard family.count == 2 else { continue }
                (self.isSet, self.isTree, self.family) = (isSet, isTree, family)
                return
            }
            return nil
        }
    }

    /// nil when the state does not have the shape its class promises.
    public init?(_ slot: PickleDocument.Slot, _ kind: Kind, in document: PickleDocument) {
        switch document[slot] {
        case .none where kind.isTree: self = .empty
        case .tuple(let parts):
            guard kind.isTree else {
                guard let leaf = Self.leaf(parts, kind, in: document) else { return nil }
                self = leaf
                return
            }
            if parts.count == 1 {
                // One bucket without an oid of its own: its state stands inside the tree's, one tuple deeper.
                guard case .tuple(let inner) = document[parts[0]], inner.count == 1,
                    case .tuple(let bucket) = document[inner[0]],
                    let leaf = Self.leaf(bucket, kind, in: document)
                else { return nil }
                self = leaf
                return
            }
            guard parts.count == 2, case .tuple(let data) = document[parts[0]], data.count % 2 == 1 else { return nil }
            self = .node(
                children: stride(from: 0, to: data.count, by: 2).map { data[$0] },
                keys: stride(from: 1, to: data.count, by: 2).map { data[$0] }, first: parts[1])
        default: return nil
        }
    }

    private static func leaf(
        _ parts: [PickleDocument.Slot], _ kind: Kind, in document: PickleDocument
    ) -> BTreeState? {
        guard (1...2).contains(parts.count), case .tuple(let items) = document[parts[0]] else { return nil }
        let next = parts.count == 2 ? parts[1] : nil
        if kind.isSet { return .set(keys: items, next: next) }
        guard items.count.isMultiple(of: 2) else { return nil }
        let entries = stride(from: 0, to: items.count, by: 2).map {
            PickleDocument.Entry(key: items[$0], value: items[$0 + 1])
        }
        return .bucket(entries: entries, next: next)
    }
}

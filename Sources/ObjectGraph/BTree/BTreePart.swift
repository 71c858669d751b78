internal import ByteCoding
internal import Pickle
package import ZODB

/// One record of a tree, checked.
enum BTreePart {
    case empty
    case leaf(BTreeLeaf)
    case interior(BTreeInterior)
}

/// The items of one bucket or set.
struct BTreeLeaf {
    let record: ObjectRecord
    let entries: [EntryList.Entry]
}

/// Children and the keys between them: child `i` holds keys from `separators[i - 1]` up to, not including,
/// `separators[i]`.
struct BTreeInterior {
    let record: ObjectRecord
    let children: [PersistentReference]
    let separators: [PickleDocument.Slot]
}

extension BTreePart {
    /// - Throws: `corrupt` when the state has none of the forms that the BTrees package writes.
    init(_ record: ObjectRecord, _ kind: BTreeState.Kind) throws(StorageError) {
        guard let state = BTreeState(record.stateSlot, kind, in: record.document) else {
            throw Self.unexpected("state", record.stateSlot, in: record)
        }
        switch state {
        case .empty:
            self = .empty
        case .bucket(let entries, _):
            self = .leaf(BTreeLeaf(record: record, entries: entries.map { .init(key: $0.key, value: $0.value) }))
        case .set(let keys, _):
            self = .leaf(BTreeLeaf(record: record, entries: keys.map { .init(key: $0, value: $0) }))
        case .node(let slots, let separators, _):
            var children: [PersistentReference] = []
            for slot in slots {
                guard let child = record.document.strongReference(slot) else {
                    throw Self.unexpected("child", slot, in: record)
                }
                children.append(child)
            }
            self = .interior(BTreeInterior(record: record, children: children, separators: separators))
        }
    }

    private static func unexpected(_ field: String, _ slot: PickleDocument.Slot, in record: ObjectRecord)
        -> StorageError
    {
        .corrupt(
            "\(record.className?.description ?? "BTree") \(record.oid)",
            FormatError(.invalid(field: field, found: record.document[slot].kindWord), at: slot.range.lowerBound))
    }
}

extension BTreeState.Kind {
    enum Keys: Hashable {
        /// Any object: Python's own order.
        case object
        /// `I`, `L`, `U`, `Q`.
        case integer
        /// `fs`: two bytes.
        case bytes
    }

    var keys: Keys {
        switch family.utf8.first {
        case UInt8(ascii: "f"): .bytes
        case UInt8(ascii: "O"): .object
        default: .integer
        }
    }

    /// What the object is: by its class's name, else, for a subclass, by the form of its state.
    package init?(_ record: ObjectRecord) {
        if let className = record.className, let kind = BTreeState.Kind(className) {
            self = kind
            return
        }
        let document = record.document
        guard case .tuple(let parts) = document[record.stateSlot], let first = parts.first,
            case .tuple(let children) = document[first], !children.isEmpty
        else { return nil }
        let name = record.className?.name ?? ""
        if parts.count == 2, let leaf = document.strongReference(parts[1]),
            let child = document.strongReference(children[0]), children.count % 2 == 1
        {
            // `((child, key, child, …), first leaf)`: the leaf's class says what it is a tree of.
            let kind = leaf.className.flatMap { Self($0) } ?? child.className.flatMap { Self($0) }
            self.init(isSet: kind?.isSet ?? false, isTree: true, family: kind?.family ?? "OO")
        } else if parts.count == 1, children.count == 1, name.contains("BTree") || name.contains("TreeSet"),
            case .tuple(let bucket) = document[children[0]], bucket.count == 1
        {
            self.init(isSet: name.contains("TreeSet"), isTree: true, family: "OO")
        } else {
            return nil
        }
    }
}

internal import Pickle
internal import ZODB

/// The forms of an `.index` that ZODB wrote before 3.10: one pickle of a dict with `index` and `pos`.
///
/// `index` is a dict {oid: position}; or an `fsIndex` whose `_data` maps the oids' first six bytes to buckets, and is a
/// dict (before 3.3), an OOBTree pickled whole (3.3 to 3.9), or a list of (prefix, bucket as a string).
struct DictionaryIndex {
    /// Larger than any of that time; the pickle is read into memory.
    private static let largestFile = 256 << 20

    private let document: PickleDocument
    private var index = FileIndex()

    static func read(_ file: DataFile, size: Int) throws(StorageError) -> IndexFile.Outcome {
        guard size <= largestFile else { return .unusable("\(size) bytes are too many for an index of its form") }
        let bytes = try file.bytes(at: 0, count: size)
        let document: PickleDocument
        do throws(PickleError) {
            document = try PickleDocument(bytes)
        } catch {
            return .unusable("it is no pickle: \(error)")
        }
        var reader = DictionaryIndex(document: document)
        guard let root = document.roots.first, let indexSlot = reader.value("index", in: root),
            let positionSlot = reader.value("pos", in: root), let position = reader.number(positionSlot),
            position < FileFormat.largestPosition, reader.addIndex(indexSlot, before: position)
        else { return .unusable("a pickle of no known form") }
        return .index(reader.index, position: position)
    }

    private init(document: PickleDocument) { self.document = document }

    /// Adds all entries of the value of `index`; false when anything is not as it should be.
    private mutating func addIndex(_ slot: PickleDocument.Slot, before limit: Int) -> Bool {
        if case .instance(let instance) = document[slot] {
            guard let state = instance.states.first, let data = value("_data", in: state),
                let buckets = pairs(of: data)
            else { return false }
            return buckets.allSatisfy { addBucket($0, before: limit) }
        }
        guard let entries = pairs(of: slot) else { return false }
        return entries.allSatisfy { entry in
            guard let oid = bytes(entry.key), oid.count == 8, let position = number(entry.value) else { return false }
            return add(oid, position, before: limit)
        }
    }

    private mutating func addBucket(_ bucket: Pair, before limit: Int) -> Bool {
        guard let prefix = bytes(bucket.key), prefix.count == 6 else { return false }
        if let string = bytes(bucket.value) {
            guard string.count % 8 == 0 else { return false }
            return string.withUnsafeBytes {
                unsafe index.add(prefix: Self.integer(prefix), bucket: $0, before: limit)
            }
        }
        guard let entries = pairs(of: bucket.value) else { return false }
        return entries.allSatisfy { entry in
            guard let suffix = bytes(entry.key), suffix.count == 2,
                let position = bytes(entry.value), position.count == 6
            else { return false }
            return add(prefix + suffix, Int(Self.integer(position)), before: limit)
        }
    }

    private mutating func add(_ oid: [UInt8], _ position: Int, before limit: Int) -> Bool {
        guard position > FileFormat.firstTransaction, position < limit, limit < FileFormat.largestPosition else {
            return false
        }
        index.set(ObjectID(rawValue: Self.integer(oid)), to: position)
        return true
    }

    private static func integer(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}

// MARK: Values

extension DictionaryIndex {
    private typealias Pair = (key: PickleDocument.Slot, value: PickleDocument.Slot)

    /// The bytes of a string of any kind.
    private func bytes(_ slot: PickleDocument.Slot) -> [UInt8]? {
        switch document[slot] {
        case .nativeString(let bytes), .bytes(let bytes), .text(let bytes): bytes
        default: nil
        }
    }

    private func number(_ slot: PickleDocument.Slot) -> Int? {
        guard case .integer(let integer) = document[slot], let value = integer.int64, value >= 0 else { return nil }
        return Int(exactly: value)
    }

    private func value(_ key: String, in slot: PickleDocument.Slot) -> PickleDocument.Slot? {
        guard case .dict(let entries) = document[slot] else { return nil }
        return entries.last { bytes($0.key)?.elementsEqual(key.utf8) ?? false }?.value
    }

    /// The items of a dict, of a list of pairs, or of a BTree or bucket pickled with all that it holds; nil when it is
    /// none of these.
    private func pairs(of slot: PickleDocument.Slot) -> [Pair]? {
        var result: [Pair] = []
        var waiting = [slot]
        var seen: Set<PickleDocument.NodeID> = []
        while let current = waiting.popLast() {
            guard seen.insert(current.node).inserted else { return nil }
            switch document[current] {
            case .dict(let entries):
                result += entries.map { ($0.key, $0.value) }
            case .list(let items):
                for item in items {
                    guard case .tuple(let parts) = document[item], parts.count == 2 else { return nil }
                    result.append((parts[0], parts[1]))
                }
            case .instance(let instance):
                guard let state = instance.states.first else { continue }
                guard let contents = contents(of: state, isTree: isTree(instance)) else { return nil }
                result += contents.pairs
                waiting += contents.children
            default:
                return nil
            }
        }
        return result
    }

    private func isTree(_ instance: PickleInstance) -> Bool {
        // `copy_reg.__newobj__(cls)` and `copy_reg._reconstructor(cls, …)` have the class as their first argument.
        var name = instance.className?.name
        if name == "__newobj__" || name == "_reconstructor", let first = instance.arguments.first,
            case .global(let global) = document[first]
        {
            name = global.name
        }
        return name?.hasSuffix("BTree") ?? false
    }

    /// What the state of a BTree or a bucket holds itself, and the children it names.
    ///
    /// A bucket: `((key, value, …),)` or `((key, value, …), next)`. A tree: `None`, `((bucket state,),)`, or
    /// `((child, key, child, …), first bucket)`.
    private func contents(
        of state: PickleDocument.Slot, isTree: Bool
    ) -> (pairs: [Pair], children: [PickleDocument.Slot])? {
        if case .none = document[state] { return ([], []) }
        guard case .tuple(let outer) = document[state], let first = outer.first,
            case .tuple(let items) = document[first]
        else { return nil }
        if isTree, outer.count == 1 {
            guard items.count == 1 else { return nil }
            return contents(of: items[0], isTree: false)
        }
        if isTree {
            return ([], stride(from: 0, to: items.count, by: 2).map { items[$0] })
        }
        guard items.count.isMultiple(of: 2) else { return nil }
        return (stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }, [])
    }
}

import Synchronization
import ZODB

/// A database made up by a test: its records are computed when they are loaded, and the loads counted.
final class MadeStorage: Storage {
    static let tid = TransactionID(rawValue: 0x040d_271c_0000_0000)

    let name = "made"
    private let record: @Sendable (UInt64) -> [UInt8]?
    private let loaded = Mutex(0)
    /// Raised by the load of this number: someone's patience is at an end.
    private let interruptsAt: Int
    let interruption = Mutex<Interruption?>(nil)

    init(interruptsAt: Int = .max, _ record: @escaping @Sendable (UInt64) -> [UInt8]?) {
        self.interruptsAt = interruptsAt
        self.record = record
    }

    var loads: Int { loaded.withLock { $0 } }

    func information() throws(StorageError) -> StorageInformation {
        StorageInformation(kind: "Made", storageName: "made")
    }
    func lastTransaction() throws(StorageError) -> TransactionID { Self.tid }
    func close() {}

    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        let count = loaded.withLock { count in
            count += 1
            return count
        }
        if count == interruptsAt { interruption.withLock { $0?.raise() } }
        guard let data = record(oid.rawValue) else { throw .noSuchObject(oid) }
        return Revision(data: data, serial: Self.tid, next: nil)
    }
}

/// Pickles of protocol 3, written by hand.
enum Made {
    static func record(_ className: String, _ state: [UInt8]) -> [UInt8] {
        [0x80, 3] + global(className) + [UInt8(ascii: "."), 0x80, 3] + state + [UInt8(ascii: ".")]
    }

    static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(ascii: "X")] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
    }

    static func dict(_ entries: [(String, [UInt8])]) -> [UInt8] {
        Array("}(".utf8) + entries.flatMap { text($0.0) + $0.1 } + Array("u".utf8)
    }

    static func tuple(_ items: [[UInt8]]) -> [UInt8] { Array("(".utf8) + items.joined() + Array("t".utf8) }

    static func reference(_ oid: UInt64, _ className: String) -> [UInt8] {
        [UInt8(ascii: "C"), 8] + ObjectID(rawValue: oid).bytes + global(className) + [0x86, UInt8(ascii: "Q")]
    }

    /// `module.Class`
    private static func global(_ className: String) -> [UInt8] {
        let dot = className.lastIndex(of: ".") ?? className.startIndex
        return Array("c\(className[..<dot])\n\(className[dot...].dropFirst())\n".utf8)
    }

    /// A root mapping whose items are these.
    static func root(_ items: [(String, [UInt8])]) -> [UInt8] {
        record("persistent.mapping.PersistentMapping", dict([("data", dict(items))]))
    }
}

/// A BTree of 300,000 keys, `key000000` to `key299999`, each leading to an object; thirty keys a bucket.
enum LargeTree {
    private static let (bucketSize, fanout) = (30, 100)
    private static let (tree, bucket) = ("BTrees.OOBTree.OOBTree", "BTrees.OOBTree.OOBucket")
    private static let (firstInner, firstBucket, firstValue) = (UInt64(1000), UInt64(100_000), UInt64(1_000_000))

    /// - Parameter count: how many keys, a multiple of 3,000.
    static func storage(count: Int = 300_000, interruptsAt: Int = .max) -> MadeStorage {
        MadeStorage(interruptsAt: interruptsAt) { oid in
            switch oid {
            case 0: Made.root([("tree", Made.reference(1, tree))])
            case 1:
                inner(
                    (0..<count / bucketSize / fanout).map { (firstInner + UInt64($0), $0 * fanout * bucketSize) }, tree)
            case firstInner..<firstBucket:
                inner(
                    (0..<fanout).map { index in
                        let number = Int(oid - firstInner) * fanout + index
                        return (firstBucket + UInt64(number), number * bucketSize)
                    }, bucket)
            case firstBucket..<firstValue: leaf(Int(oid - firstBucket), of: count)
            default: Made.record("app.Thing", Made.dict([("title", Made.text("thing \(oid - firstValue)"))]))
            }
        }
    }

    static func key(_ number: Int) -> String {
        let digits = String(number)
        return "key" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// An inner node: child, key, child, … and the first bucket below.
    private static func inner(_ children: [(oid: UInt64, first: Int)], _ className: String) -> [UInt8] {
        var items: [[UInt8]] = []
        for (index, child) in children.enumerated() {
            if index > 0 { items.append(Made.text(key(child.first))) }
            items.append(Made.reference(child.oid, className))
        }
        let first = firstBucket + UInt64((children.first?.first ?? 0) / bucketSize)
        return Made.record(tree, Made.tuple([Made.tuple(items), Made.reference(first, bucket)]))
    }

    private static func leaf(_ number: Int, of count: Int) -> [UInt8] {
        let keys = number * bucketSize..<(number + 1) * bucketSize
        let items = Made.tuple(
            keys.flatMap { [Made.text(key($0)), Made.reference(firstValue + UInt64($0), "app.Thing")] })
        let isLast = keys.upperBound >= count
        let next = isLast ? [] : [Made.reference(firstBucket + UInt64(number) + 1, bucket)]
        return Made.record(bucket, Made.tuple([items] + next))
    }
}

internal import Pickle

/// The current records of all objects that can be reached from the root, by oid: a way through a storage that cannot
/// list its objects. What nothing refers to is not found.
///
/// It reads everything twice: once to find the oids, of which a few bytes each are kept, and once in their order.
public final class ReachableRecordCursor: Cursor {
    /// As many loads as are under way at once.
    private static let batch = 256

    private let storage: any Storage
    private let tid: TransactionID
    private let first: ObjectID
    /// What is still to be told, the next one last; nil before the search.
    private var oids: [ObjectID]?
    /// Read and not yet told, the next one last.
    private var ready: [CurrentRecord] = []

    /// - Parameter tid: what is current at this time.
    public init(_ storage: any Storage, at tid: TransactionID, from first: ObjectID) {
        (self.storage, self.tid, self.first) = (storage, tid, first)
    }

    public func next() throws(StorageError) -> CurrentRecord? {
        do throws(StorageError) {
            if oids == nil { oids = try reachable().filter { $0 >= first }.sorted(by: >) }
            while ready.isEmpty, let rest = oids, !rest.isEmpty {
                let part = rest.suffix(Self.batch)
                oids?.removeLast(part.count)
                ready = try Self.load(part.reversed(), storage, tid).reversed()
            }
            return ready.popLast()
        } catch {
            (oids, ready) = ([], [])
            throw error
        }
    }

    private func reachable() throws(StorageError) -> Set<ObjectID> {
        var found: Set = [ObjectID.root]
        var waiting = [ObjectID.root]
        while !waiting.isEmpty {
            let part = waiting.suffix(Self.batch)
            waiting.removeLast(part.count)
            for record in try Self.load(Array(part), storage, tid) {
                for oid in Self.references(of: record) where found.insert(oid).inserted { waiting.append(oid) }
            }
        }
        return found
    }

    /// Objects that do not exist are left out.
    private static func load(
        _ oids: [ObjectID], _ storage: any Storage, _ tid: TransactionID
    ) throws(StorageError) -> [CurrentRecord] {
        var records: [CurrentRecord] = []
        for (oid, result) in zip(oids, storage.load(oids, at: tid)) {
            do throws(StorageError) {
                records.append(CurrentRecord(oid: oid, revision: try result.get()))
            } catch {
                switch error {
                case .noSuchObject, .noRevision: continue
                default: throw error
                }
            }
        }
        return records
    }

    /// What a record refers to in its own database; nothing, when the record cannot be read.
    public static func references(of record: CurrentRecord) -> [ObjectID] {
        guard let object = try? ObjectRecord(record.revision, oid: record.oid) else { return [] }
        return object.document.references.filter { $0.kind == .strong }.compactMap(\.oid)
    }
}

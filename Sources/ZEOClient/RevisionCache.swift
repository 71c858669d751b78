internal import ZODB

/// Revisions by object, each valid for `serial ..< next`; one without `next` is current until an invalidation says
/// otherwise.
///
/// Two generations stand in for a list in order of use: what is found moves to the young one, and when that is half of
/// the capacity, the old one goes as a whole.
struct RevisionCache: Sendable {
    /// Bytes of record data, and an allowance for what keeps them.
    let capacity: Int
    private var young = Generation()
    private var old = Generation()

    private struct Generation {
        var revisions: [ObjectID: [Revision]] = [:]
        var size = 0

        mutating func insert(_ revision: Revision, _ oid: ObjectID) {
            var found = revisions.removeValue(forKey: oid) ?? []
            if let index = found.firstIndex(where: { $0.serial == revision.serial }) {
                found[index].next = found[index].next ?? revision.next
            } else {
                found.append(revision)
                size += RevisionCache.cost(revision)
            }
            revisions[oid] = found
        }

        mutating func remove(_ oid: ObjectID, where condition: (Revision) -> Bool) {
            guard let found = revisions[oid] else { return }
            for revision in found where condition(revision) { size -= RevisionCache.cost(revision) }
            let kept = found.filter { !condition($0) }
            revisions[oid] = kept.isEmpty ? nil : kept
        }
    }

    init(capacity: Int) {
        self.capacity = capacity
    }

    private static func cost(_ revision: Revision) -> Int { revision.data.count + 128 }

    /// About what is held, in bytes.
    var size: Int { young.size + old.size }

    /// The revision of `oid` that a view at `tid` sees, if it is here.
    mutating func revision(of oid: ObjectID, at tid: TransactionID) -> Revision? {
        func isSeen(_ revision: Revision) -> Bool {
            revision.serial <= tid && revision.next.map { tid < $0 } ?? true
        }
        if let found = young.revisions[oid]?.first(where: isSeen) { return found }
        guard let found = old.revisions[oid]?.first(where: isSeen) else { return nil }
        old.remove(oid) { $0.serial == found.serial }
        insert(found, oid)
        return found
    }

    mutating func insert(_ revision: Revision, _ oid: ObjectID) {
        // A giant would push out everything else.
        guard Self.cost(revision) <= capacity / 4 else { return }
        old.remove(oid) { $0.serial == revision.serial }
        if young.size + Self.cost(revision) > capacity / 2 {
            old = young
            young = Generation()
        }
        young.insert(revision, oid)
    }

    /// `oid` was changed in `tid`: what was current until then no longer is.
    mutating func invalidate(_ oid: ObjectID, in tid: TransactionID) {
        func close(_ revisions: inout [Revision]) {
            for index in revisions.indices where revisions[index].next == nil && revisions[index].serial < tid {
                revisions[index].next = tid
            }
        }
        if young.revisions[oid] != nil { close(&young.revisions[oid, default: []]) }
        if old.revisions[oid] != nil { close(&old.revisions[oid, default: []]) }
    }

    /// `oid` was changed, it is not known when: what was taken for current cannot be trusted.
    mutating func forgetCurrent(_ oid: ObjectID) {
        young.remove(oid) { $0.next == nil }
        old.remove(oid) { $0.next == nil }
    }

    mutating func removeAll() {
        young = Generation()
        old = Generation()
    }
}

internal import Pickle
internal import ZODB

/// An object that both sides took away from the same place. That is one edit made twice, unless one of them put it elsewhere:
/// then it would end up in two places, or be gone where somebody wanted to keep it.
struct Departure {
    /// Of whom: the record, or the BTree, that lost it.
    var oid: ObjectID
    var components: [Component]
    /// The reference that both removed.
    var base: RecordValue
    var target: ObjectID

    /// - Returns: nil when the value is no object.
    init?(_ oid: ObjectID, _ components: [Component], _ base: RecordValue) {
        guard let reference = base.record.document.strongReference(base.slot) else { return nil }
        (self.oid, self.components, self.base, target) = (oid, components, base, reference.oid)
    }
}

extension RecordMerge {
    /// The objects that both sides took away from the same place in the record.
    func departures() -> [Departure] {
        units(of: RecordDiff(from: base, to: mine)).compactMap { unit in
            guard value(unit, in: mine) == nil, value(unit, in: theirs) == nil, let before = value(unit, in: base)
            else { return nil }
            return Departure(base.oid, unit, before)
        }
    }
}

/// Finds out where two sides have put an object that both took away from one place.
struct Destinations {
    private let workspace: Workspace
    private let staged: [StagedObject]
    private let places: [ObjectID: Place]

    /// Where a reference stands.
    struct Spot: Hashable {
        var oid: ObjectID
        /// From there.
        var way: String
    }

    /// Transactions of more objects, and objects with more revisions since, are not gone through.
    private static let limit = 10_000

    init(_ workspace: Workspace, _ staged: [StagedObject], _ places: [ObjectID: Place]) {
        (self.workspace, self.staged, self.places) = (workspace, staged, places)
    }

    /// - Returns: what to say of a departure that ended in two ways; nil for one that did not.
    func difference(_ departure: Departure) throws(StorageError) -> (mine: String, theirs: String)? {
        var mine: Set<Spot> = []
        for object in staged {
            mine.formUnion(
                spots(of: departure.target, in: object.record).subtracting(
                    object.base.map { spots(of: departure.target, in: $0) } ?? []))
        }
        guard let theirs = try spots(afterOthers: departure) else {
            return mine.isEmpty ? nil : (text(mine), "removed, or moved elsewhere")
        }
        return mine == theirs ? nil : (text(mine), text(theirs))
    }

    private func text(_ spots: Set<Spot>) -> String {
        let unknown = Set(spots.map(\.oid)).subtracting(places.keys)
        let found = unknown.isEmpty ? [:] : (try? PathFinder(workspace).places(of: unknown, at: workspace.basis)) ?? [:]
        let texts = spots.map { spot in
            var place = places[spot.oid] ?? found[spot.oid]
            // The leaf of a tree goes by the tree's name.
            while let leaf = place, [.attribute("next"), .attribute("firstbucket")].contains(leaf.node.component) {
                place = leaf.parent
            }
            return (place?.description ?? "#\(spot.oid)") + spot.way
        }.sorted()
        return texts.isEmpty ? "removed" : "moved to " + texts.joined(separator: ", ")
    }

    private func spots(of target: ObjectID, in record: ObjectRecord) -> Set<Spot> {
        guard record.document.references.contains(where: { $0.oid == target }) else { return [] }
        let start = Place.object(record.oid, at: record.serial)
        var spots: Set<Spot> = []
        for reference in RecordReferences(Subject(of: record), startingAt: start)
        where reference.target == target && !reference.isUpward {
            spots.insert(
                Spot(oid: record.oid, way: String(reference.place.description.dropFirst(start.description.count))))
        }
        return spots
    }

    /// Where the transactions put the object that the others took it away with; nil when nobody can tell.
    private func spots(afterOthers departure: Departure) throws(StorageError) -> Set<Spot>? {
        guard let storage = workspace.storage as? any HistoryStorage & TransactionLogStorage else { return nil }
        do throws(StorageError) {
            var spots: Set<Spot> = []
            let base = departure.base.record
            for entry in try storage.history(of: base.oid, limit: Self.limit) {
                let tid = entry.transaction.tid
                guard tid > base.serial else { break }
                let records = try storage.records(of: tid).records
                var count = 0
                while let record = try records.next() {
                    count += 1
                    guard count <= Self.limit else { return nil }
                    spots.formUnion(try self.spots(of: departure.target, addedTo: record.oid, by: tid))
                }
            }
            return spots
        } catch {
            guard error.isAboutOneObject else { throw error }
            return nil
        }
    }

    private func spots(
        of target: ObjectID, addedTo oid: ObjectID, by tid: TransactionID
    ) throws(StorageError) -> Set<Spot> {
        guard let after = try record(oid, at: tid) else { return [] }
        let now = spots(of: target, in: after)
        guard !now.isEmpty, let before = try record(oid, at: tid.predecessor) else { return now }
        return now.subtracting(spots(of: target, in: before))
    }

    private func record(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> ObjectRecord? {
        do throws(StorageError) {
            return try workspace.object(oid, at: tid)
        } catch .noSuchObject, .noRevision {
            return nil
        } catch .corrupt {
            return nil
        }
    }
}

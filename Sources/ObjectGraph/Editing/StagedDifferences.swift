public import Pickle
public import ZODB

/// What one staged object would become.
public struct StagedDifference: Sendable {
    public let oid: ObjectID
    /// By which it was edited, or is found near the application; nil when nobody knows one.
    public let place: Place?
    public let className: GlobalName?
    /// The revision that was edited; nil for a new object.
    public let baseSerial: TransactionID?
    /// Of a new object all it consists of, as added.
    public let difference: RecordDiff
    /// The BTree that the object is a part of, when it was edited through that.
    public let tree: ObjectID?
    /// Of the record as it would be stored, in bytes.
    public let size: Int
    /// Whether it is a blob that gets new bytes.
    public let hasNewContents: Bool

    public var isNew: Bool { baseSerial == nil }
}

/// What makes a set of edits one to ask about.
public struct StagedSummary: Sendable {
    public var objectCount = 0
    public var newCount = 0
    /// Bytes of all records.
    public var size = 0
    /// Paths of edited objects that are user folders, or in one.
    public var userFolderPaths: [String] = []
}

extension Workspace {
    /// The edits, object by object, in the order of the first edit of each.
    /// - Parameter limit: the most differences listed for one object.
    public func stagedDifferences(limit: Int = 10_000) throws(StorageError) -> [StagedDifference] {
        let objects = stagedObjects
        let places = try stagedPlaces(of: objects)
        return objects.map { object in
            let after = Subject(.object(object.oid, at: object.record.serial), record: object.record)
            let difference =
                object.base.map { RecordDiff(from: $0, to: object.record, limit: limit) }
                ?? RecordDiff(from: nil, to: after, limit: limit)
            return StagedDifference(
                oid: object.oid, place: places[object.oid], className: object.record.className,
                baseSerial: object.base?.serial, difference: difference, tree: staging.trees[object.oid],
                size: object.record.document.source.count, hasNewContents: object.contents != nil)
        }
    }

    /// The ways by which objects were edited; for the others, where they are found near the application.
    private func stagedPlaces(of objects: [StagedObject]) throws(StorageError) -> [ObjectID: Place] {
        var places = staging.places
        for object in objects where places[object.oid] == nil {
            // A part of a tree goes by the tree's name.
            if let tree = staging.trees[object.oid], let place = places[tree] { places[object.oid] = place }
        }
        let missing = objects.map(\.oid).filter { places[$0] == nil }
        guard !missing.isEmpty else { return places }
        let names = Set(missing.map { staging.trees[$0] ?? $0 })
        let found = try PathFinder(self).places(of: names, at: .staged(editCount))
        for oid in missing { places[oid] = found[staging.trees[oid] ?? oid] }
        return places
    }

    public func stagedSummary() throws(StorageError) -> StagedSummary {
        var summary = StagedSummary()
        for difference in try stagedDifferences(limit: 1) {
            summary.objectCount += 1
            summary.newCount += difference.isNew ? 1 : 0
            summary.size += difference.size
            if let place = difference.place, isInUserFolder(place) {
                let path = place.description
                if !summary.userFolderPaths.contains(path) { summary.userFolderPaths.append(path) }
            }
        }
        return summary
    }

    /// Whether a place is a user folder or inside one: what is changed there changes who may log in.
    public func isInUserFolder(_ place: Place) -> Bool {
        place.way.contains { step in
            if step.node.component?.plainText == "acl_users" { return true }
            guard step.node.isObject, let record = try? object(step.node.oid, at: .staged(editCount)),
                let name = record.className?.name
            else { return false }
            return name.hasSuffix("UserFolder") || name == "PluggableAuthService"
        }
    }

    /// Whether an edit takes a user folder away from an object, or puts another in its place.
    public func exchangesUserFolder(_ oid: ObjectID) -> Bool {
        guard let staged = staging[oid], let base = staged.base else { return false }
        func folders(_ record: ObjectRecord) -> [ObjectID?] {
            let subject = Subject(.object(oid, at: basis), record: record)
            return ["acl_users", "__allow_groups__"].map { name in
                subject.attribute(name).flatMap { record.document.strongReference($0)?.oid }
            }
        }
        return zip(folders(base), folders(staged.record)).contains { old, new in old != nil && old != new }
    }

    /// How many children would go with a place, were it removed. Counting stops at `limit`.
    public func contentCount(of place: Place, limit: Int = 1000) throws(StorageError) -> Int {
        let subject = try subject(of: place.node)
        guard subject.isObject else { return 0 }
        let items = try items(of: subject)
        var count = 0
        while count < limit, try items.next() != nil { count += 1 }
        return count
    }
}

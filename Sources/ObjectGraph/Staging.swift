internal import Pickle
public import ZODB

/// An object that has been edited, or made, and not been committed.
public struct StagedObject: Sendable {
    /// Where the bytes of a blob come from; asked once for each commit that is tried.
    public typealias BlobContents = @Sendable () throws(StorageError) -> any Cursor<[UInt8]>

    public let oid: ObjectID
    /// What was edited; nil for a new object.
    public let base: ObjectRecord?
    /// What it is to become. Its serial is no transaction's: see `TransactionID.isStaged`.
    public var record: ObjectRecord
    /// The blob's bytes, for an object that is a blob and gets new ones.
    public var contents: BlobContents?

    /// Of an object that was deleted, and is made again under its oid: the transaction that deleted it.
    var deletion = TransactionID.none
    /// A new object whose oid was given to it: nobody but other edits can refer to it.
    var hasGivenOID = false

    public var isNew: Bool { base == nil }
    /// The serial that a store is based on.
    public var baseSerial: TransactionID { base?.serial ?? deletion }
}

/// The edits of a workspace at one moment, to come back to.
public struct Savepoint: Sendable {
    let staging: Staging
}

/// Edited objects, in the order in which they were first edited. A value: a savepoint is a copy.
struct Staging: Sendable {
    private(set) var objects: [ObjectID: StagedObject] = [:]
    private(set) var order: [ObjectID] = []
    /// By which way an object was come to when it was edited: the name to call it by.
    var places: [ObjectID: Place] = [:]
    /// For parts of BTrees, the tree: parts are of use only together.
    var trees: [ObjectID: ObjectID] = [:]

    var isEmpty: Bool { objects.isEmpty }

    subscript(oid: ObjectID) -> StagedObject? { objects[oid] }

    mutating func put(_ object: StagedObject) {
        if objects.updateValue(object, forKey: object.oid) == nil { order.append(object.oid) }
    }

    mutating func remove(_ oid: ObjectID) {
        guard objects.removeValue(forKey: oid) != nil else { return }
        order.removeAll { $0 == oid }
        places[oid] = nil
        trees[oid] = nil
    }
}

/// What a workspace with edits shows is the state of no transaction. Its "tid", and the "serials" of edited records, lie
/// above all real ones: they have the highest bit set and count the edits, so that what was read before an edit is
/// known to be out of date after it.
extension TransactionID {
    private static let stagedBit: UInt64 = 1 << 63

    static func staged(_ count: UInt64) -> TransactionID { TransactionID(rawValue: stagedBit | count) }

    /// Stands for edits that are not committed.
    public var isStaged: Bool { rawValue & Self.stagedBit != 0 }
}

extension Workspace {
    public var hasStagedChanges: Bool { !staging.isEmpty }

    /// What was edited, in the order of the first edit of each.
    public var stagedObjects: [StagedObject] { staging.order.compactMap { staging[$0] } }

    public func stagedObject(_ oid: ObjectID) -> StagedObject? { staging[oid] }

    /// What `at` has to be for the edits to be seen; nil when there are none.
    public var stagedView: TransactionID? { hasStagedChanges ? .staged(editCount) : nil }

    /// The object as the edits leave it: what the next edit starts from.
    public func editable(_ oid: ObjectID) throws(StorageError) -> ObjectRecord {
        try object(oid, at: .staged(editCount))
    }

    /// Stages a record for an object. The record as it was at first is no edit: it ends the object's being staged.
    /// - Parameter data: class pickle and state pickle.
    /// - Throws: `corrupt` when `data` is no record; what `object` throws when the object cannot be read, unless
    ///   it is staged already: for a lost object there is `stageAnew`.
    public func stage(
        _ data: [UInt8], for oid: ObjectID, contents: StagedObject.BlobContents? = nil
    ) throws(StorageError) {
        let base: ObjectRecord?
        if let staged = staging[oid] { base = staged.base } else { base = try object(oid, at: basis) }
        let contents = contents ?? staging[oid]?.contents
        if let base, contents == nil, base.document.source == data {
            editCount += 1
            staging.remove(oid)
            return
        }
        let staged = staging[oid]
        try put(
            data, for: oid, base: base, contents, staged?.deletion ?? .none, hasGivenOID: staged?.hasGivenOID ?? false)
    }

    /// Stages a record for an object that cannot be read, or never was: its oid is already known to others.
    /// - Parameter deletion: the transaction that deleted the object; `.none` when it was never stored.
    public func stageAnew(
        _ data: [UInt8], for oid: ObjectID, after deletion: TransactionID = .none,
        contents: StagedObject.BlobContents? = nil
    ) throws(StorageError) {
        try put(data, for: oid, base: nil, contents, deletion)
    }

    /// Stages a new object.
    /// - Throws: `readOnly`, `unsupported` when the storage gives no oids.
    public func newObject(
        _ data: [UInt8], contents: StagedObject.BlobContents? = nil
    ) throws(StorageError) -> ObjectID {
        let oid = try newObjectID()
        try stageNew(data, for: oid, contents: contents)
        return oid
    }

    /// Stages a new object under an oid that `newObjectID` gave for it.
    func stageNew(
        _ data: [UInt8], for oid: ObjectID, contents: StagedObject.BlobContents? = nil
    ) throws(StorageError) {
        try put(data, for: oid, base: nil, contents, hasGivenOID: true)
    }

    /// An oid for an object to be staged later: for objects that refer to one another.
    public func newObjectID() throws(StorageError) -> ObjectID {
        if let oid = spareOIDs.popLast() { return oid }
        guard let storage = storage as? any WritableStorage else { throw .readOnly(storage.name) }
        spareOIDs = try storage.newObjectIDs(Self.oidBatch).reversed()
        guard let oid = spareOIDs.popLast() else { throw .unsupported("\(storage.name): gives no object ids") }
        return oid
    }

    private func put(
        _ data: [UInt8], for oid: ObjectID, base: ObjectRecord?, _ contents: StagedObject.BlobContents?,
        _ deletion: TransactionID = .none, hasGivenOID: Bool = false
    ) throws(StorageError) {
        let revision = Revision(data: data, serial: .staged(editCount + 1), next: nil)
        let record = try ObjectRecord(revision, oid: oid)
        editCount += 1
        staging.put(
            StagedObject(
                oid: oid, base: base, record: record, contents: contents, deletion: deletion, hasGivenOID: hasGivenOID))
    }

    /// Takes an object out of the edits: it is again what the storage has, or nothing.
    public func unstage(_ oid: ObjectID) {
        editCount += 1
        staging.remove(oid)
    }

    public func savepoint() -> Savepoint { Savepoint(staging: staging) }

    public func roll(back savepoint: Savepoint) {
        editCount += 1
        staging = savepoint.staging
    }

    /// Forgets all edits.
    public func abort() {
        editCount += 1
        staging = Staging()
        hasDoubtfulBases = false
    }
}

internal import Pickle
public import ZODB

/// An object as a plan has it: what it is to become, and the revision that this is based on.
public struct PlannedObject: Hashable, Sendable {
    public var oid: ObjectID
    /// `.none` for a new object.
    public var baseSerial: TransactionID
    /// Class pickle and state pickle.
    public var data: [UInt8]

    public init(oid: ObjectID, baseSerial: TransactionID, data: [UInt8]) {
        (self.oid, self.baseSerial, self.data) = (oid, baseSerial, data)
    }

    public var isNew: Bool { baseSerial == .none }
}

extension Workspace {
    /// Objects of a plan that are not as they were when it was made, with the revision that there is now; nil for an object
    /// that is gone.
    public func outdated(_ plan: [PlannedObject]) throws(StorageError) -> [(object: PlannedObject, now: ObjectRecord?)]
    {
        var outdated: [(PlannedObject, ObjectRecord?)] = []
        for object in plan where !object.isNew {
            do throws(StorageError) {
                let now = try editable(object.oid)
                if now.serial != object.baseSerial { outdated.append((object, now)) }
            } catch .noSuchObject, .noRevision {
                outdated.append((object, nil))
            }
        }
        return outdated
    }

    /// Stages the objects of a plan. New ones get new oids: those of the plan may have been given to others since; what
    /// refers to them is made to lead there.
    /// - Throws: `storage(corrupt)` for what is no record; nothing is staged then. Whether the plan is out of date is not looked
    ///   at here: see `outdated`.
    public func stage(_ plan: [PlannedObject]) throws(EditError) {
        try atomically { () throws(EditError) in
            var oids: [ObjectID: ObjectID] = [:]
            for object in plan where object.isNew {
                oids[object.oid] = try EditError.wrap("#\(object.oid)") { () throws(StorageError) in try newObjectID() }
            }
            for object in plan {
                let data = try rewritten(object, oids)
                do throws(StorageError) {
                    if let new = oids[object.oid] {
                        try stageAnew(data, for: new)
                    } else {
                        try stage(data, for: object.oid)
                    }
                } catch {
                    throw EditError(error, at: "#\(object.oid)")
                }
            }
        }
    }

    private func rewritten(
        _ object: PlannedObject, _ oids: [ObjectID: ObjectID]
    ) throws(EditError) -> [UInt8] {
        let path = "#\(object.oid)"
        let record = try EditError.wrap(path) { () throws(StorageError) in
            try ObjectRecord(Revision(data: object.data, serial: object.baseSerial, next: nil), oid: object.oid)
        }
        let style = try style(of: record, at: path)
        do throws(PickleEditError) {
            return try record.rewritingReferences(style: style) { site in
                oids[site.reference.oid].map { .lead($0) } ?? .keep
            }
        } catch {
            throw EditError(.unsupported, at: path, expected: "a record that can be edited", found: "\(error)")
        }
    }
}

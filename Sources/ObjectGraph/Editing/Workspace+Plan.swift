internal import Pickle
public import ZODB

/// A reference of a planned object to one that is not what the plan meant.
public struct PlanStranger: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// Neither the plan nor the database has it.
        case missing
        /// It came into being after the plan was made, or is not known to have been there before.
        case younger(TransactionID)
    }

    /// The planned object.
    public let referrer: ObjectID
    public let target: ObjectID
    public let reason: Reason
}

extension Workspace {
    /// Objects of a plan that are not as they were when it was made, with the revision that there is now; nil for an object
    /// that is gone, or cannot be read.
    public func outdated(_ plan: [PlannedObject]) throws(StorageError) -> [(object: PlannedObject, now: ObjectRecord?)]
    {
        var outdated: [(PlannedObject, ObjectRecord?)] = []
        for object in plan where !object.isNew {
            var now: ObjectRecord?
            var damaged: TransactionID?
            do throws(StorageError) {
                now = try editable(object.oid)
            } catch .noSuchObject, .noRevision {
                now = nil
            } catch .corrupt {
                damaged = try storage.load(object.oid, at: basis).serial
            }
            switch object.basis {
            case .new: continue
            case .lost(let serial):
                if now != nil || (damaged != nil && damaged != serial) { outdated.append((object, now)) }
            case .revision(let serial, let data):
                if now?.serial != serial || now?.document.source != data { outdated.append((object, now)) }
            }
        }
        return outdated
    }

    /// References that the planned edits add and that lead to no object that the plan can have meant: a new object that was left
    /// out of it, whose oid may have been given to another since.
    /// - Parameter snapshot: the transaction that the plan was made on.
    public func strangers(
        in plan: [PlannedObject], since snapshot: TransactionID
    ) throws(StorageError) -> [PlanStranger] {
        let planned = Set(plan.map(\.oid))
        var known: [ObjectID: PlanStranger.Reason?] = [:]
        var strangers: [PlanStranger] = []
        for object in plan {
            var seen = Set(try object.base()?.document.references.map(\.oid) ?? [])
            for reference in try object.record().document.references
            where reference.kind != .crossDatabase && reference.database == nil {
                let target = reference.oid
                guard !planned.contains(target), seen.insert(target).inserted else { continue }
                let reason: PlanStranger.Reason?
                if let told = known[target] { reason = told } else { reason = try strangeness(target, since: snapshot) }
                known[target] = .some(reason)
                if let reason { strangers.append(PlanStranger(referrer: object.oid, target: target, reason: reason)) }
            }
        }
        return strangers
    }

    private func strangeness(
        _ oid: ObjectID, since snapshot: TransactionID
    ) throws(StorageError) -> PlanStranger.Reason? {
        do throws(StorageError) {
            let now = try storage.load(oid, at: basis)
            if now.serial <= snapshot { return nil }
            do throws(StorageError) {
                _ = try storage.load(oid, at: snapshot)
                return nil
            } catch .noSuchObject, .noRevision {
                return .younger(now.serial)
            }
        } catch .noSuchObject, .noRevision {
            return .missing
        }
    }

    /// Stages the objects of a plan. New ones get new oids: those of the plan may have been given to others since; what
    /// refers to them is made to lead there.
    /// - Returns: the oids given, by those of the plan.
    /// - Throws: `storage(corrupt)` for what is no record, `unsupported` for one that cannot be edited; nothing is staged then.
    ///   Whether the plan is out of date is not looked at here: see `outdated` and `strangers`.
    @discardableResult
    public func stage(_ plan: [PlannedObject]) throws(EditError) -> [ObjectID: ObjectID] {
        try atomically { () throws(EditError) in
            var oids: [ObjectID: ObjectID] = [:]
            for object in plan where object.isNew {
                oids[object.oid] = try EditError.wrap("#\(object.oid)") { () throws(StorageError) in try newObjectID() }
            }
            for object in plan {
                let data = try rewritten(object, oids)
                let oid = oids[object.oid] ?? object.oid
                try EditError.wrap("#\(object.oid)") { () throws(StorageError) in
                    switch object.basis {
                    case .new: try stageNew(data, for: oid)
                    case .lost(let deletion): try stageAnew(data, for: oid, after: deletion)
                    case .revision: try stage(data, for: oid)
                    }
                }
            }
            for object in plan {
                guard let tree = object.tree else { continue }
                note(part: oids[object.oid] ?? object.oid, of: oids[tree] ?? tree)
            }
            return oids
        }
    }

    private func rewritten(
        _ object: PlannedObject, _ oids: [ObjectID: ObjectID]
    ) throws(EditError) -> [UInt8] {
        let path = "#\(object.oid)"
        let record = try EditError.wrap(path) { () throws(StorageError) in try object.record() }
        let style = try style(of: record, at: path)
        do throws(PickleEditError) {
            return try record.rewritingReferences(style: style) { site in
                guard site.reference.kind != .crossDatabase, site.reference.database == nil else { return .keep }
                return oids[site.reference.oid].map { .lead($0) } ?? .keep
            }
        } catch {
            throw EditError(.unsupported, at: path, expected: "a record that can be edited", found: "\(error)")
        }
    }

    // MARK: Where a path leads

    /// Whether a path leads to an object, in the state of `tid` (by default what the workspace shows).
    public func leads(_ path: String, to oid: ObjectID, at tid: TransactionID? = nil) throws(StorageError) -> Bool {
        guard let place = try place(at: path, tid) else { return false }
        return place.node.isObject && place.node.oid == oid
    }

    /// Whether a path leads to a BTree of which an object is a part, as of `tid`. Of the tree the inner nodes alone are read.
    public func leads(
        _ path: String, toTreeOf part: ObjectID, tree: ObjectID, at tid: TransactionID? = nil
    ) throws(StorageError) -> Bool {
        guard try leads(path, to: tree, at: tid) else { return false }
        do throws(StorageError) {
            let subject = try subject(of: .object(tree, at: tid ?? at))
            guard let tree = BTree(subject, in: self) else { return false }
            return try tree.hasPart(part)
        } catch {
            if error.isAboutOneObject { return false }
            throw error
        }
    }

    private func place(at path: String, _ tid: TransactionID?) throws(StorageError) -> Place? {
        let now = at
        if let tid { at = tid }
        defer { at = now }
        do throws(PathError) {
            return try PathResolver(self).resolve(path)
        } catch {
            if case .storage(let error) = error { throw error }
            return nil
        }
    }
}

extension BTree {
    /// Whether an object is the tree or a part of it.
    fileprivate func hasPart(_ oid: ObjectID) throws(StorageError) -> Bool {
        if root.oid == oid { return true }
        var level = [root]
        for _ in 0..<Self.depthLimit {
            var children: [PersistentReference] = []
            for record in level {
                try workspace.interruption.check()
                guard case .interior(let interior) = try part(record) else { continue }
                children += interior.children
            }
            if children.contains(where: { $0.oid == oid }) { return true }
            // All leaves are on one level: where one child is a leaf, all are.
            guard let first = children.first, case .interior = try part(try load(first)) else { return false }
            workspace.prefetch(children.map(\.oid), at: at)
            level = []
            for child in children { level.append(try load(child)) }
        }
        throw tooDeep()
    }
}

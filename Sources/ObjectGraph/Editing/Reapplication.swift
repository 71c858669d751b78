public import Pickle
public import ZODB

/// A value where it stands.
public struct RecordValue: Sendable {
    public let record: ObjectRecord
    public let slot: PickleDocument.Slot
}

/// An edit that cannot be made again on what others have committed.
public struct ReapplyConflict: Sendable {
    public enum Reason: Hashable, Sendable {
        /// Both sides changed it.
        case changedByBoth
        /// Both took the object away from here, and put it in different places, or one did and the other removed it: in words
        /// what each did.
        case moved(mine: String, theirs: String)
        /// The object is not there any more.
        case objectGone
        /// Which of several values is which cannot be told, or a value cannot be copied: in words.
        case undecidable(String)
    }

    public let reason: Reason
    public let oid: ObjectID
    public let place: Place?
    /// The way from the object to what is in conflict; empty for the object as a whole.
    public let components: [Component]
    /// What was edited, what the edit made of it, and what others made of it; nil where there is nothing of this name.
    public let base: RecordValue?
    public let mine: RecordValue?
    public let theirs: RecordValue?
    /// The transaction of the others.
    public let committed: TransactionID?
}

/// What `reapply` did.
public struct ReapplyResult: Sendable {
    /// Objects whose edits were made again on a newer revision.
    public var reapplied: [ObjectID] = []
    /// When there are any, nothing was changed.
    public var conflicts: [ReapplyConflict] = []
}

extension Workspace {
    /// Bases the edits on the newest state: where others have changed an object since, the edits are made again on what
    /// they left, attribute by attribute and key by key. Lists and tuples are taken as one value each, except
    /// `_objects`, whose entries go by their ids; a BTree is taken key by key, however its leaves were split since.
    ///
    /// With conflicts everything stays as it was, the state that the edits are based on too.
    public func reapply() throws(StorageError) -> ReapplyResult {
        let (before, basis, at) = (savepoint(), basis, at)
        var reapplication = Reapplication(self)
        do throws(StorageError) {
            try reapplication.run()
        } catch {
            restore(before, basis, at)
            throw error
        }
        if !reapplication.result.conflicts.isEmpty { restore(before, basis, at) }
        return reapplication.result
    }

    private func restore(_ savepoint: Savepoint, _ basis: TransactionID, _ at: TransactionID) {
        roll(back: savepoint)
        self.basis = basis
        self.at = at.isStaged ? stagedView ?? basis : at
    }
}

/// The work of `Workspace.reapply`.
struct Reapplication {
    private let workspace: Workspace
    private let staged: [StagedObject]
    private let trees: [ObjectID: ObjectID]
    private let places: [ObjectID: Place]
    private var departures: [Departure] = []
    private(set) var result = ReapplyResult()

    init(_ workspace: Workspace) {
        self.workspace = workspace
        staged = workspace.stagedObjects
        (trees, places) = (workspace.staging.trees, workspace.staging.places)
    }

    mutating func run() throws(StorageError) {
        _ = try (workspace.storage as? any SharedStorage)?.poll()
        var roots: [ObjectID: TransactionID] = [:]
        for tree in workspace.treesReliedOn { roots[tree] = try current(tree)?.serial }
        try workspace.move(to: try workspace.storage.lastTransaction())
        var outdated: [(StagedObject, theirs: ObjectRecord?)] = []
        var outdatedTrees: Set<ObjectID> = []
        for object in staged {
            guard let base = object.base else { continue }
            let theirs = try current(object.oid)
            guard theirs?.serial != base.serial else { continue }
            outdated.append((object, theirs))
            if let tree = trees[object.oid] { outdatedTrees.insert(tree) }
        }
        for (tree, serial) in roots where try current(tree)?.serial != serial { outdatedTrees.insert(tree) }
        for tree in staged.compactMap({ trees[$0.oid] }) where outdatedTrees.remove(tree) != nil {
            try reapply(tree: tree)
        }
        for (object, theirs) in outdated where trees[object.oid] == nil {
            try reapply(object, on: theirs)
        }
        try judgeDepartures()
        if let view = workspace.stagedView { workspace.at = view }
    }

    /// The object in the newest state; nil when it is gone.
    private func current(_ oid: ObjectID) throws(StorageError) -> ObjectRecord? {
        do throws(StorageError) {
            return try workspace.object(oid, at: workspace.basis)
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    private mutating func conflict(
        _ reason: ReapplyConflict.Reason, _ oid: ObjectID, _ components: [Component] = [], base: RecordValue? = nil,
        mine: RecordValue? = nil, theirs: RecordValue? = nil, committed: TransactionID? = nil
    ) {
        result.conflicts.append(
            ReapplyConflict(
                reason: reason, oid: oid, place: places[oid] ?? trees[oid].flatMap { places[$0] },
                components: components, base: base, mine: mine, theirs: theirs, committed: committed))
    }

    /// What both sides took away from the same place has to have gone to the same place.
    private mutating func judgeDepartures() throws(StorageError) {
        guard !departures.isEmpty, result.conflicts.isEmpty else { return }
        let destinations = Destinations(workspace, staged, places)
        for departure in departures {
            guard let (mine, theirs) = try destinations.difference(departure) else { continue }
            conflict(
                .moved(mine: mine, theirs: theirs), departure.oid, departure.components, base: departure.base,
                committed: try current(departure.base.record.oid)?.serial)
        }
    }

    // MARK: Objects

    private mutating func reapply(_ object: StagedObject, on theirs: ObjectRecord?) throws(StorageError) {
        guard let base = object.base else { return }
        guard let theirs else { return conflict(.objectGone, object.oid) }
        let merge = RecordMerge(base: base, mine: object.record, theirs: theirs)
        switch merge.outcome() {
        case .conflicts(let keys):
            for key in keys {
                conflict(
                    key.reason, object.oid, key.components, base: key.base, mine: key.mine, theirs: key.theirs,
                    committed: theirs.serial)
            }
        case .steps(let steps):
            departures += merge.departures()
            workspace.unstage(object.oid)
            do throws(EditError) {
                for step in steps { try apply(step, to: object.oid) }
                if let contents = object.contents { try restage(object.oid, contents) }
                result.reapplied.append(object.oid)
            } catch {
                if case .storage(let error) = error.kind, !error.isAboutOneObject { throw error }
                conflict(.undecidable(error.description), object.oid, committed: theirs.serial)
            }
        }
        guard let place = places[object.oid] else { return }
        workspace.note(place, of: object.oid)
    }

    private func restage(_ oid: ObjectID, _ contents: @escaping StagedObject.BlobContents) throws(EditError) {
        try EditError.wrap("#\(oid)") { () throws(StorageError) in
            try workspace.stage(try workspace.editable(oid).document.source, for: oid, contents: contents)
        }
    }

    private func apply(_ step: RecordMerge.Step, to oid: ObjectID) throws(EditError) {
        guard let last = step.components.last else { return }
        var place = Place.object(oid, at: .staged(workspace.editCount))
        for component in step.components.dropLast() {
            let subject = try workspace.editedSubject(of: place)
            let node = try EditError.wrap(place.description) { () throws(StorageError) in
                try workspace.child(component, of: subject)
            }
            guard let node else {
                throw EditError(.notFound, at: place.description, expected: "\(component)", found: "nothing")
            }
            place = place.child(node)
        }
        switch step.change {
        case .set(let value): try PlaceEditor(workspace, place).set(last, to: value)
        case .unset: _ = try PlaceEditor(workspace, place).unset(last)
        }
    }

    // MARK: BTrees

    private mutating func reapply(tree: ObjectID) throws(StorageError) {
        let members = staged.filter { trees[$0.oid] == tree }
        let changes: [TreeChange]
        switch TreeChange.all(of: members) {
        case .success(let found): changes = found
        case .failure(let problem): return conflict(.undecidable(problem.text), tree)
        }
        for member in members { workspace.unstage(member.oid) }
        let place = places[tree] ?? Place.object(tree, at: .staged(workspace.editCount))
        for change in changes {
            do throws(EditError) {
                try apply(change, tree: tree)
            } catch {
                if case .storage(let error) = error.kind, !error.isAboutOneObject { throw error }
                conflict(.undecidable(error.description), tree)
            }
        }
        workspace.note(place, of: tree)
        result.reapplied.append(tree)
    }

    private mutating func apply(_ change: TreeChange, tree: ObjectID) throws(EditError) {
        let place = Place.object(tree, at: .staged(workspace.editCount))
        let subject = try workspace.editedSubject(of: place)
        guard let editor = BTreeEditor(subject, in: workspace, at: place) else {
            throw EditError(.damaged, at: place.description, expected: "a BTree", found: subject.kindText)
        }
        let component = Component.key(change.key)
        let way = try editor.existing(component)
        let theirs = way.flatMap { way in
            way.leaf.map { RecordValue(record: $0.record, slot: $0.entries[way.position].value) }
        }
        if theirs == nil, change.mine == nil, let base = change.base,
            let departure = Departure(tree, [component], base)
        {
            departures.append(departure)
        }
        let theirValue = editor.tree.kind.isSet ? theirs.map { _ in PickleValue.none } : theirs?.value
        if theirValue == change.mineValue, (theirs == nil) == (change.mine == nil) { return }
        guard (theirs == nil) == (change.base == nil), theirValue == change.baseValue else {
            return conflict(
                .changedByBoth, tree, [component], base: change.base, mine: change.mine, theirs: theirs,
                committed: theirs?.record.serial)
        }
        if change.mine == nil {
            _ = try editor.remove(component)
        } else if let value = change.mineValue {
            try editor.set(component, to: value)
        }
    }
}

extension RecordValue {
    /// A copy by itself; nil for what cannot be copied.
    var value: PickleValue? { try? PickleValue(slot, in: record.document) }
}

/// What edits did to one key of a BTree, wherever in its leaves it is.
struct TreeChange {
    struct Problem: Error {
        var text: String
    }

    var key: PythonLiteral
    var base: RecordValue?
    var mine: RecordValue?
    var baseValue: PickleValue?
    var mineValue: PickleValue?

    /// The changes between the leaves before and after. Leaves that were not edited hold the same as before.
    static func all(of members: [StagedObject]) -> Result<[TreeChange], Problem> {
        var changes: [PythonLiteral: TreeChange] = [:]
        var order: [PythonLiteral] = []
        for member in members {
            for (record, isBase) in [(member.base, true), (member.record, false)] {
                guard let record, let kind = BTreeState.Kind(record) else { continue }
                guard let part = try? BTreePart(record, kind) else {
                    return .failure(Problem(text: "a part of the tree has an unknown form"))
                }
                guard case .leaf(let leaf) = part else { continue }
                for entry in leaf.entries {
                    guard let key = PythonLiteral(entry.key, in: record.document) else {
                        return .failure(Problem(text: "a key that only Python can compare"))
                    }
                    let value = RecordValue(record: record, slot: entry.value)
                    guard let copy = kind.isSet ? .some(PickleValue.none) : value.value else {
                        return .failure(Problem(text: "the value of \(key) cannot be copied"))
                    }
                    if changes[key.equalityKey] == nil { order.append(key.equalityKey) }
                    var change = changes[key.equalityKey] ?? TreeChange(key: key)
                    if isBase { (change.base, change.baseValue) = (value, copy) }
                    if !isBase { (change.mine, change.mineValue) = (value, copy) }
                    changes[key.equalityKey] = change
                }
            }
        }
        return .success(
            order.compactMap { changes[$0] }.filter {
                ($0.base == nil) != ($0.mine == nil) || $0.baseValue != $0.mineValue
            })
    }
}

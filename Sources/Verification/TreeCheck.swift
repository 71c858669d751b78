internal import ObjectGraph
internal import Pickle
internal import ZODB

/// Checks BTrees by their states alone: what `BTrees.check.check` and `_check` see, without a class.
///
/// Each tree is walked from its root with the bounds that its ancestors set, and its leaves along their chain. A part that
/// is met twice is told and not entered again, so a circle ends.
struct TreeCheck {
    private let workspace: Workspace
    private let order: KeyOrder
    private let report: (Defect) -> Void
    /// Interior nodes and leaves that some tree has been seen to consist of.
    private(set) var visited = ObjectSet()
    /// Trees that were walked from their root.
    private(set) var count = 0

    private static let depthLimit = 64

    init(_ workspace: Workspace, report: @escaping (Defect) -> Void) throws(StorageError) {
        (self.workspace, self.report) = (workspace, report)
        order = KeyOrder(generation: try workspace.generation())
    }

    /// What a part may hold, and what the part before it said comes next.
    private struct Bounds {
        var low: PythonLiteral?
        var high: PythonLiteral?
    }

    private struct Task {
        var oid: ObjectID
        var parent: ObjectID
        var kind: BTreeState.Kind
        var bounds: Bounds
        var depth: Int
        /// What the part before it in the same node is: all children of a node are trees, or all are leaves.
        var siblings: Siblings
    }

    /// What the children of one node have been found to be.
    private final class Siblings {
        var areTrees: Bool?
    }

    /// The chain of leaves of one tree, as it should go on.
    private struct Chain {
        /// What the last leaf said comes next; `.some(nil)` when it said that nothing does.
        var next: ObjectID??
        var lastLeaf: ObjectID?
    }

    /// Walks the trees of which these are roots or parts: each tree once.
    ///
    /// - Parameter nodes: oids of objects of classes of trees.
    mutating func run(_ nodes: [ObjectID], progress: (Int) -> Void) throws(StorageError) {
        var children = ObjectSet()
        var trees: [ObjectID] = []
        for (index, oid) in nodes.enumerated() {
            if index.isMultiple(of: 256) { try workspace.interruption.check() }
            guard let record = try readable(oid), let kind = BTreeState.Kind(record), kind.isTree else { continue }
            trees.append(oid)
            for reference in record.document.references where reference.kind == .strong && reference.oid != oid {
                if let name = reference.className, let child = BTreeState.Kind(name), child.isTree,
                    isChild(reference, of: record, kind)
                {
                    children.insert(reference.oid)
                }
            }
        }
        for oid in trees where !children.contains(oid) && !visited.contains(oid) {
            try walk(oid)
            progress(count)
        }
        // Nothing but a circle of nodes has no root.
        for oid in trees where !visited.contains(oid) {
            try walk(oid)
            progress(count)
        }
        // A set or bucket that an application uses by itself.
        for oid in nodes where !visited.contains(oid) {
            guard let record = try readable(oid), let kind = BTreeState.Kind(record), !kind.isTree else { continue }
            var chain = Chain()
            _ = try enter(record, kind, Bounds(), depth: 0, isRoot: true, &chain)
        }
    }

    /// Whether the reference is one of the node's own children, not a tree among the values of an embedded leaf.
    private func isChild(_ reference: PersistentReference, of record: ObjectRecord, _ kind: BTreeState.Kind) -> Bool {
        guard case .node(let slots, _, _)? = BTreeState(record.stateSlot, kind, in: record.document) else {
            return false
        }
        return slots.contains { Self.reference($0, in: record)?.oid == reference.oid }
    }

    private func readable(_ oid: ObjectID) throws(StorageError) -> ObjectRecord? {
        do throws(StorageError) {
            return try workspace.object(oid)
        } catch {
            switch error {
            case .noSuchObject, .noRevision, .corrupt: return nil
            default: throw error
            }
        }
    }

    // MARK: One tree

    private mutating func walk(_ root: ObjectID) throws(StorageError) {
        guard let record = try readable(root), let kind = BTreeState.Kind(record) else { return }
        count += 1
        visited.insert(root)
        var chain = Chain()
        var tasks = try enter(record, kind, Bounds(), depth: 0, isRoot: true, &chain)
        while let task = tasks.popLast() {
            try workspace.interruption.check()
            guard visited.insert(task.oid) else {
                tell(task.parent, target: task.oid, "has \(task.oid) as a part, which belongs to a tree already")
                chain.next = nil
                continue
            }
            guard let record = try readable(task.oid) else {
                tell(task.parent, target: task.oid, "has \(task.oid) as a part, which cannot be read")
                chain.next = nil
                continue
            }
            guard let kind = BTreeState.Kind(record) ?? Self.leafKind(record, task.kind) else {
                let name = record.className?.description ?? "unknown"
                tell(task.parent, target: task.oid, "has \(task.oid) as a part, which is of the class \(name)")
                chain.next = nil
                continue
            }
            if kind.family != task.kind.family || kind.isSet != task.kind.isSet {
                let name = record.className?.description ?? "unknown"
                tell(task.parent, target: task.oid, "has \(task.oid) of another kind as a part: \(name)")
            }
            if let areTrees = task.siblings.areTrees, areTrees != kind.isTree {
                tell(task.parent, target: task.oid, "has both trees and leaves as its parts")
            }
            task.siblings.areTrees = kind.isTree
            if kind.isTree, task.depth >= Self.depthLimit {
                tell(task.parent, target: task.oid, "is nested deeper than any tree can be")
                continue
            }
            tasks += try enter(record, kind, task.bounds, depth: task.depth, isRoot: false, &chain)
        }
        if case .some(.some(let next)) = chain.next, let leaf = chain.lastLeaf {
            tell(leaf, target: next, "is the last leaf, and says that \(next) comes next")
        }
    }

    /// A leaf of a subclass, whose name says nothing.
    private static func leafKind(_ record: ObjectRecord, _ kind: BTreeState.Kind) -> BTreeState.Kind? {
        let leaf = BTreeState.Kind(isSet: kind.isSet, isTree: false, family: kind.family)
        guard let name = record.className, !name.module.hasPrefix("BTrees."),
            BTreeState(record.stateSlot, leaf, in: record.document) != nil
        else { return nil }
        return leaf
    }

    /// Checks one node or leaf.
    /// - Returns: its children, the first one last.
    private func enter(
        _ record: ObjectRecord, _ kind: BTreeState.Kind, _ bounds: Bounds, depth: Int, isRoot: Bool,
        _ chain: inout Chain
    ) throws(StorageError) -> [Task] {
        let oid = record.oid
        guard let state = BTreeState(record.stateSlot, kind, in: record.document) else {
            tell(oid, "has a state that no \(kind.isTree ? "tree" : "leaf") has")
            chain.next = nil
            return []
        }
        switch state {
        case .empty:
            if !isRoot { tell(oid, "is empty, and part of a tree") }
            return []
        case .bucket(let entries, let next):
            checkLeaf(record, kind, entries.map(\.key), next, bounds, isRoot: isRoot, &chain)
            return []
        case .set(let keys, let next):
            checkLeaf(record, kind, keys, next, bounds, isRoot: isRoot, &chain)
            return []
        case .node(let slots, let separators, let first):
            return try checkNode(record, kind, slots, separators, first, bounds, depth, &chain)
        }
    }

    private func checkLeaf(
        _ record: ObjectRecord, _ kind: BTreeState.Kind, _ keys: [PickleDocument.Slot], _ next: PickleDocument.Slot?,
        _ bounds: Bounds, isRoot: Bool, _ chain: inout Chain
    ) {
        let oid = record.oid
        if keys.isEmpty, !isRoot { tell(oid, "is an empty leaf of a tree") }
        checkKeys(keys, record, kind, bounds, "key")
        if isRoot, kind.isTree {
            if next != nil { tell(oid, "holds its only leaf, which says that another comes next") }
            return
        }
        if case .some(let expected) = chain.next, expected != oid, let last = chain.lastLeaf {
            let said = expected.map { "\($0) comes next" } ?? "nothing comes next"
            tell(last, target: oid, "says that \(said), and \(oid) does")
        }
        chain.lastLeaf = oid
        if let next {
            let target = Self.reference(next, in: record)?.oid
            if target == nil { tell(oid, "has something else than a leaf as its next") }
            chain.next = target.map { .some($0) }
        } else {
            chain.next = .some(nil)
        }
    }

    private func checkNode(
        _ record: ObjectRecord, _ kind: BTreeState.Kind, _ slots: [PickleDocument.Slot],
        _ separators: [PickleDocument.Slot], _ first: PickleDocument.Slot, _ bounds: Bounds, _ depth: Int,
        _ chain: inout Chain
    ) throws(StorageError) -> [Task] {
        let oid = record.oid
        checkKeys(separators, record, kind, bounds, "separator")
        let literals = separators.map { PythonLiteral($0, in: record.document) }
        let siblings = Siblings()
        var tasks: [Task] = []
        for (index, slot) in slots.enumerated() {
            guard let child = Self.reference(slot, in: record) else {
                tell(oid, "has something else than a reference as its part \(index)")
                continue
            }
            let low = index > 0 ? literals[index - 1] : bounds.low
            let high = index < literals.count ? literals[index] : bounds.high
            tasks.append(
                Task(
                    oid: child.oid, parent: oid, kind: kind, bounds: Bounds(low: low, high: high), depth: depth + 1,
                    siblings: siblings))
        }
        if let child = tasks.first, let leaf = try firstLeaf(of: child.oid) {
            let said = Self.reference(first, in: record)?.oid
            if said != leaf {
                tell(
                    oid, target: leaf,
                    "has \(said.map { "\($0)" } ?? "no object") as its first leaf, and it is \(leaf)")
            }
        }
        workspace.prefetch(tasks.prefix(64).map(\.oid))
        return tasks.reversed()
    }

    /// The leaf that is leftmost below a part of a tree; nil when the way there is broken, which is told elsewhere.
    private func firstLeaf(of oid: ObjectID) throws(StorageError) -> ObjectID? {
        var oid = oid
        for _ in 0..<Self.depthLimit {
            guard let record = try readable(oid) else { return nil }
            guard let kind = BTreeState.Kind(record), kind.isTree else { return oid }
            guard case .node(let slots, _, _)? = BTreeState(record.stateSlot, kind, in: record.document),
                let slot = slots.first, let child = Self.reference(slot, in: record)
            else { return nil }
            oid = child.oid
        }
        return nil
    }

    private static func reference(_ slot: PickleDocument.Slot, in record: ObjectRecord) -> PersistentReference? {
        guard case .persistentID(let id) = record.document[slot],
            let reference = PersistentReference(id, in: record.document), reference.kind == .strong
        else { return nil }
        return reference
    }

    // MARK: Keys

    /// Keys must ascend, from the lower bound up to, not including, the upper.
    private func checkKeys(
        _ keys: [PickleDocument.Slot], _ record: ObjectRecord, _ kind: BTreeState.Kind, _ bounds: Bounds, _ what: String
    ) {
        let literals = keys.map { PythonLiteral($0, in: record.document) }
        for (index, key) in literals.enumerated() {
            guard let key else { continue }
            if kind.keysAreWrong(key) {
                tell(record.oid, "has a \(what) that no tree of its family can have: \(Self.text(key))")
                continue
            }
            if let low = bounds.low, order.compare(key, low) == .less {
                tell(record.oid, "has the \(what) \(Self.text(key)), less than its lower bound \(Self.text(low))")
            }
            if let high = bounds.high {
                let result = order.compare(key, high)
                if result == .greater || result == .equal {
                    tell(
                        record.oid,
                        "has the \(what) \(Self.text(key)), not less than its upper bound \(Self.text(high))")
                }
            }
            guard index + 1 < literals.count, let following = literals[index + 1] else { continue }
            switch order.compare(key, following) {
            case .greater, .equal:
                tell(
                    record.oid,
                    "has the \(what) \(Self.text(key)) before \(Self.text(following)), which is not greater")
            case .disjoint:
                tell(
                    record.oid,
                    "has the \(what)s \(Self.text(key)) and \(Self.text(following)), which Python 3 cannot put in order"
                )
            case .less, .unknown: break
            }
        }
    }

    /// A key as a person may read it.
    private static func text(_ key: PythonLiteral) -> String {
        let text = key.description
        return text.count > 60 ? text.prefix(57) + "…" : text
    }

    private func tell(_ oid: ObjectID, target: ObjectID? = nil, _ what: String) {
        report(Defect(.btree, oid: oid, target: target, what))
    }
}

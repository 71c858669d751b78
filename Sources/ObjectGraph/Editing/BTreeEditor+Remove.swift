internal import Pickle
internal import ZODB

extension BTreeEditor {
    /// Removes a key.
    /// - Returns: false when the tree has no such key.
    func remove(_ component: Component) throws(EditError) -> Bool {
        guard let way = try existing(component), let leaf = way.leaf else { return false }
        let record = leaf.record
        let slot = try items(of: record)
        let range = way.position * stride..<(way.position + 1) * stride
        guard leaf.entries.count == 1 else {
            // The separator above may stay even where it was this key: it still tells left from right.
            try stage(try workspace.applying([.remove(range, from: slot)], to: record, at: path), for: record.oid)
            return true
        }
        if way.steps.isEmpty {
            if tree.kind.isTree {
                try empty(record)
            } else {
                guard !isPart, stateParts(of: record).count == 1 else {
                    throw EditError(
                        .unsupported, at: path, expected: "a leaf that keeps a key",
                        found: "the last key of a leaf that is part of a tree", advice: "remove the key from the tree")
                }
                try stage(try workspace.applying([.remove(range, from: slot)], to: record, at: path), for: record.oid)
            }
            return true
        }
        try remove(leaf: record, emptied: [.remove(range, from: slot)], way.steps)
        return true
    }

    /// The state of a tree, or a node of one, without a key.
    private func empty(_ record: ObjectRecord) throws(EditError) {
        try stage(
            try workspace.applying([.replace(record.stateSlot, with: .none)], to: record, at: path), for: record.oid)
    }

    /// Takes a leaf that lost its last key out of the tree: the chain, its parent, and every node that began with it.
    private func remove(leaf: ObjectRecord, emptied: [RecordOperation], _ steps: [Step]) throws(EditError) {
        let parts = stateParts(of: leaf)
        let next: PickleValue? = parts.count > 1 ? try copy(parts[1], of: leaf) : nil
        if let previous = try previousLeaf(steps) {
            let parts = stateParts(of: previous)
            guard parts.count == 2, previous.document.strongReference(parts[1])?.oid == leaf.oid else {
                throw damaged("a leaf whose `next` is not the leaf that follows", previous.oid)
            }
            let operation: RecordOperation =
                next.map { .replace(parts[1], with: $0) } ?? .remove(1..<2, from: previous.stateSlot)
            try stage(try workspace.applying([operation], to: previous, at: path), for: previous.oid)
        }
        // Written empty, and not just left: a change made to it elsewhere at the same time must not pass unnoticed.
        try stage(try workspace.applying(emptied, to: leaf, at: path), for: leaf.oid)

        var isRemoving = true
        for (depth, step) in steps.enumerated().reversed() {
            let node = step.interior.record
            let parts = stateParts(of: node)
            var operations: [RecordOperation] = []
            let isFirst = steps[depth...].allSatisfy { $0.index == 0 }
            if isRemoving {
                if step.interior.children.count == 1 {
                    try empty(node)
                    continue
                }
                isRemoving = false
                let range = step.index == 0 ? 0..<2 : step.index * 2 - 1..<step.index * 2 + 1
                operations.append(.remove(range, from: parts[0]))
            }
            if isFirst {
                guard let next else { throw damaged("a first leaf without a `next`", leaf.oid) }
                operations.append(.replace(parts[1], with: next))
            }
            guard !operations.isEmpty else { return }
            try stage(try workspace.applying(operations, to: node, at: path), for: node.oid)
        }
    }

    /// The leaf before the one that the steps lead to; nil for the very first.
    private func previousLeaf(_ steps: [Step]) throws(EditError) -> ObjectRecord? {
        guard let step = steps.last(where: { $0.index > 0 }) else { return nil }
        var record = try record(step.interior.children[step.index - 1].oid)
        for _ in 0..<BTree.depthLimit {
            switch try part(record) {
            case .leaf: return record
            case .empty: throw damaged("a node without children inside the tree", record.oid)
            case .interior(let interior):
                guard let last = interior.children.last else { break }
                record = try self.record(last.oid)
            }
        }
        throw damaged("more than \(BTree.depthLimit) levels, or a cycle", tree.root.oid)
    }
}

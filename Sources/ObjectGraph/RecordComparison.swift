internal import Pickle
internal import ZODB

/// Goes through two records side by side, without recursion: values may nest a million deep.
struct RecordComparison {
    typealias Slot = PickleDocument.Slot

    private struct Pair {
        var parent: Int32
        var component: Component?
        var old: Slot?
        var new: Slot?
    }

    private struct NodePair: Hashable {
        var old: PickleDocument.NodeID
        var new: PickleDocument.NodeID
    }

    /// A value's children, under the names by which they are compared.
    private enum Parts {
        /// Nothing inside: compared as it is.
        case leaf
        case named([(key: AnyHashable, component: Component, slot: Slot)])
        case sequence([Slot])
    }

    private let old: ObjectRecord
    private let new: ObjectRecord
    private let limit: Int
    private(set) var changes: [RecordChange] = []
    private(set) var isCut = false
    private var pairs: [Pair] = []
    private var stack: [Int32] = []
    private var seen: Set<NodePair> = []
    /// Comparisons left for finding out which elements of a list moved.
    private var budget = 1_000_000

    init(_ old: ObjectRecord, _ new: ObjectRecord, limit: Int) {
        (self.old, self.new, self.limit) = (old, new, limit)
    }

    mutating func run() {
        let before = Subject(.object(old.oid, at: old.serial), record: old)
        let after = Subject(.object(new.oid, at: new.serial), record: new)
        push(matchNamed(rootParts(before), rootParts(after), parent: -1))
        goThrough()
    }

    /// Compares two values instead of the whole records.
    mutating func run(_ left: Slot, _ right: Slot) {
        push([Pair(parent: -1, component: nil, old: left, new: right)])
        goThrough()
    }

    /// What the new record consists of.
    mutating func list() {
        let after = Subject(.object(new.oid, at: new.serial), record: new)
        push(matchNamed([], rootParts(after), parent: -1))
        goThrough()
    }

    /// What a value of the new record consists of; the value itself, when it has no parts by name.
    mutating func list(_ slot: Slot) {
        if case .named(let parts) = parts(slot, in: new) {
            push(matchNamed([], parts, parent: -1))
        } else {
            push([Pair(parent: -1, component: nil, old: nil, new: slot)])
        }
        goThrough()
    }

    private mutating func goThrough() {
        while let index = stack.popLast() {
            guard changes.count < limit else {
                isCut = true
                return
            }
            let pair = pairs[Int(index)]
            guard let left = pair.old, let right = pair.new else {
                note(pair.old == nil ? .added : .removed, index)
                continue
            }
            compare(left, right, index)
        }
    }

    // MARK: Comparing

    private mutating func compare(_ left: Slot, _ right: Slot, _ index: Int32) {
        guard seen.insert(NodePair(old: left.node, new: right.node)).inserted else { return }
        guard isSameKind(left, right) else {
            note(.changed, index)
            return
        }
        switch (parts(left, in: old), parts(right, in: new)) {
        case (.named(let before), .named(let after)):
            push(matchNamed(before, after, parent: index))
        case (.sequence(let before), .sequence(let after)):
            push(matchSequence(before, after, parent: index))
        case (.leaf, .leaf):
            if !isEqualLeaf(left, right) { note(.changed, index) }
        default:
            note(.changed, index)
        }
    }

    /// Whether two values are of one type and, for instances, of one class.
    private func isSameKind(_ left: Slot, _ right: Slot) -> Bool {
        switch (old.document[left], new.document[right]) {
        case (.instance(let before), .instance(let after)):
            before.kind == after.kind
                && before.effectiveClass(in: old.document) == after.effectiveClass(in: new.document)
        case (.dict, .dict), (.list, .list), (.tuple, .tuple), (.set, .set), (.frozenSet, .frozenSet): true
        case (.dict, _), (.list, _), (.tuple, _), (.set, _), (.frozenSet, _), (.instance, _): false
        default: true
        }
    }

    private func isEqualLeaf(_ left: Slot, _ right: Slot) -> Bool {
        switch (old.document[left], new.document[right]) {
        case (.persistentID(let before), .persistentID(let after)):
            // Of references in an unknown form nothing better can be said than that they are written alike.
            guard let first = PersistentReference(before, in: old.document),
                let second = PersistentReference(after, in: new.document)
            else { return old.document.source[left.range].elementsEqual(new.document.source[right.range]) }
            return first == second
        case (.float(let before), .float(let after)): return before.bitPattern == after.bitPattern
        case (let before, let after): return before == after
        }
    }

    /// Whether two values are equal through and through; false when finding out would take too long.
    private mutating func isEqual(_ left: Slot, _ right: Slot) -> Bool {
        var work = [(left, right)]
        var visited: Set<NodePair> = []
        while let (first, second) = work.popLast() {
            guard visited.insert(NodePair(old: first.node, new: second.node)).inserted else { continue }
            budget -= 1
            guard budget > 0, isSameKind(first, second) else { return false }
            switch (parts(first, in: old), parts(second, in: new)) {
            case (.leaf, .leaf):
                guard isEqualLeaf(first, second) else { return false }
            case (.sequence(let before), .sequence(let after)):
                guard before.count == after.count else { return false }
                work += zip(before, after)
            case (.named(let before), .named(let after)):
                guard before.count == after.count else { return false }
                for pair in matchNamed(before, after, parent: -1) {
                    guard let inner = pair.old, let other = pair.new else { return false }
                    work.append((inner, other))
                }
            default: return false
            }
        }
        return true
    }

    // MARK: Matching children

    private func matchNamed(
        _ before: [(key: AnyHashable, component: Component, slot: Slot)],
        _ after: [(key: AnyHashable, component: Component, slot: Slot)], parent: Int32
    ) -> [Pair] {
        var remaining = Dictionary(before.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { $1 })
        var result: [Pair] = after.map { part in
            let match = remaining.removeValue(forKey: part.key)
            return Pair(parent: parent, component: part.component, old: match.map { before[$0].slot }, new: part.slot)
        }
        for index in remaining.values.sorted() {
            result.append(
                Pair(parent: parent, component: before[index].component, old: before[index].slot, new: nil))
        }
        return result
    }

    /// Elements at equal places, after what both lists begin and end with: inserting one changes one.
    private mutating func matchSequence(_ before: [Slot], _ after: [Slot], parent: Int32) -> [Pair] {
        var (first, last) = (0, 0)
        let shorter = min(before.count, after.count)
        if before.count != after.count {
            while first < shorter, isEqual(before[first], after[first]) { first += 1 }
            while last < shorter - first,
                isEqual(before[before.count - 1 - last], after[after.count - 1 - last])
            {
                last += 1
            }
        }
        var result: [Pair] = []
        for index in first..<max(before.count, after.count) - last {
            let component = Component.key(.integer(PickleInteger(Int64(index))))
            result.append(
                Pair(
                    parent: parent, component: component, old: index < before.count - last ? before[index] : nil,
                    new: index < after.count - last ? after[index] : nil))
        }
        return result
    }

    // MARK: Taking values apart

    private func rootParts(_ subject: Subject) -> [(key: AnyHashable, component: Component, slot: Slot)] {
        var parts: [(key: AnyHashable, component: Component, slot: Slot)] = []
        var hidden: Set<[UInt8]> = []
        if let entries = MappingAdapter.entries(of: subject) {
            parts += named(entries.map { EntryList.Entry(key: $0.key, value: $0.value) }, in: subject.record)
            hidden = [Array("data".utf8), Array("_container".utf8)]
        }
        if let kind = BTreeState.Kind(subject.record), case .leaf(let leaf)? = try? BTreePart(subject.record, kind) {
            parts += named(leaf.entries, in: subject.record)
            if let state = subject.document.sequence(subject.slot), state.count == 2 {
                // The next leaf.
                parts.append((key: "next", component: .attribute("next"), slot: state[1]))
            }
            return parts
        }
        for attribute in subject.attributes where !hidden.contains(attribute.name) {
            parts.append(self.attribute(attribute.name, attribute.value))
        }
        for (index, slot) in Workspace.arguments(of: subject).enumerated() {
            parts.append(self.attribute(Array(Workspace.argumentName(index).utf8), slot))
        }
        for slot in subject.oddStates { parts.append(self.attribute(Array(Workspace.stateName.utf8), slot)) }
        return parts
    }

    private func attribute(_ name: [UInt8], _ slot: Slot) -> (key: AnyHashable, component: Component, slot: Slot) {
        (key: AnyHashable(name), component: .attribute(String(decoding: name, as: UTF8.self)), slot: slot)
    }

    private func named(
        _ entries: [EntryList.Entry], in record: ObjectRecord
    ) -> [(key: AnyHashable, component: Component, slot: Slot)] {
        entries.enumerated().map { index, entry in
            guard let literal = PythonLiteral(entry.key, in: record.document) else {
                return (key: AnyHashable(index), component: .ordinal(index), slot: entry.value)
            }
            return (key: AnyHashable(literal.equalityKey), component: Component(itemKey: literal), slot: entry.value)
        }
    }

    private func parts(_ slot: Slot, in record: ObjectRecord) -> Parts {
        let document = record.document
        var parts: [(key: AnyHashable, component: Component, slot: Slot)] = []
        switch ValueAdapter.contents(of: slot, in: document) {
        case .mapping(let entries)?: parts = named(entries, in: record)
        case .set(let elements)?: parts = named(elements.map { EntryList.Entry(key: $0, value: $0) }, in: record)
        case .sequence(let items)?:
            guard case .instance = document[slot] else { return .sequence(items) }
            parts = items.enumerated().map { index, item in
                (key: AnyHashable(index), component: .key(.integer(PickleInteger(Int64(index)))), slot: item)
            }
        case nil:
            guard case .instance = document[slot] else { return .leaf }
        }
        guard case .instance(let instance) = document[slot] else { return .named(parts) }
        for state in instance.states {
            guard let dicts = document.attributeDicts(state) else {
                parts.append(attribute(Array(Workspace.stateName.utf8), state))
                continue
            }
            for entry in dicts.joined() {
                if let name = document.stringBytes(entry.key) { parts.append(attribute(name, entry.value)) }
            }
        }
        for (index, argument) in instance.arguments.enumerated() {
            parts.append(attribute(Array(Workspace.argumentName(index).utf8), argument))
        }
        return .named(parts)
    }

    // MARK: Bookkeeping

    private mutating func push(_ new: [Pair]) {
        guard pairs.count + new.count < Int(Int32.max) else { return }
        for pair in new.reversed() {
            stack.append(Int32(pairs.count))
            pairs.append(pair)
        }
    }

    private mutating func note(_ kind: RecordChange.Kind, _ index: Int32) {
        var components: [Component] = []
        var at = index
        while at >= 0 {
            if let component = pairs[Int(at)].component { components.append(component) }
            at = pairs[Int(at)].parent
        }
        let pair = pairs[Int(index)]
        changes.append(
            RecordChange(kind: kind, components: components.reversed(), old: pair.old, new: pair.new))
    }
}

internal import Pickle
internal import ZODB

/// Three revisions of one object: what was edited, the edit, and what others made of it meanwhile.
///
/// What is compared are attributes, keys of dicts, and whole lists and tuples: where an element of a list belongs in
/// another list nobody can tell.
struct RecordMerge {
    struct Step {
        enum Change {
            case set(PickleValue)
            case unset
        }

        var components: [Component]
        var change: Change
    }

    struct Conflict {
        var reason: ReapplyConflict.Reason
        var components: [Component]
        var base: RecordValue?
        var mine: RecordValue?
        var theirs: RecordValue?
    }

    enum Outcome {
        case steps([Step])
        case conflicts([Conflict])
    }

    let base: ObjectRecord
    let mine: ObjectRecord
    let theirs: ObjectRecord

    func outcome() -> Outcome {
        guard mine.className == base.className, theirs.className == base.className else {
            return .conflicts([Conflict(reason: .undecidable("the class was changed"), components: [])])
        }
        guard BTreeState.Kind(base) == nil else {
            return .conflicts([Conflict(reason: .undecidable("a part of a BTree, edited by itself"), components: [])])
        }
        if let count = length() {
            return .steps([Step(components: [.attribute(Workspace.stateName)], change: .set(.integer(count)))])
        }
        let (myChanges, theirChanges) = (RecordDiff(from: base, to: mine), RecordDiff(from: base, to: theirs))
        guard !myChanges.isCut, !theirChanges.isCut else {
            return .conflicts([Conflict(reason: .undecidable("too many changes"), components: [])])
        }
        let theirUnits = units(of: theirChanges)
        var steps: [Step] = []
        var conflicts: [Conflict] = []
        for unit in units(of: myChanges) {
            let others = theirUnits.filter { $0.starts(with: unit) || unit.starts(with: $0) }
            let value = self.value(unit, in: mine)
            guard let copy = value.map(\.value) ?? .some(.none), value == nil || value?.value != nil else {
                conflicts.append(
                    Conflict(
                        reason: .undecidable("a value that cannot be copied"), components: unit,
                        base: self.value(unit, in: base), mine: value, theirs: self.value(unit, in: theirs)))
                continue
            }
            if others.isEmpty {
                steps.append(Step(components: unit, change: value == nil ? .unset : .set(copy)))
                continue
            }
            let other = self.value(unit, in: theirs)
            // Both did the same.
            if (other == nil) == (value == nil), other?.value == value?.value { continue }
            if unit == [.attribute("_objects")], let merged = mergedChildren() {
                steps.append(Step(components: unit, change: .set(merged)))
                continue
            }
            conflicts.append(
                Conflict(
                    reason: .changedByBoth, components: unit, base: self.value(unit, in: base), mine: value,
                    theirs: other))
        }
        return conflicts.isEmpty ? .steps(steps) : .conflicts(conflicts)
    }

    /// The ways to what was changed, each ending at the first list or tuple on it; each once.
    func units(of diff: RecordDiff) -> [[Component]] {
        var units: [[Component]] = []
        var seen: Set<[Component]> = []
        for change in diff.changes {
            let unit = unit(change.components)
            if seen.insert(unit).inserted { units.append(unit) }
        }
        return units
    }

    private func unit(_ components: [Component]) -> [Component] {
        var way: [Component] = []
        for component in components {
            if !way.isEmpty {
                for record in [base, mine, theirs] {
                    guard let value = value(way, in: record) else { continue }
                    // Inside it a position is no name.
                    if record.document.sequence(value.slot) != nil { return way }
                    if case .instance(let instance) = record.document[value.slot], !instance.items.isEmpty {
                        return way
                    }
                }
            } else if let items = SequenceAdapter.elements(of: subject(base)), !items.isEmpty, !component.isAttribute {
                return [.attribute("data")]
            }
            way.append(component)
        }
        return way
    }

    private func subject(_ record: ObjectRecord) -> Subject {
        Subject(.object(record.oid, at: record.serial), record: record)
    }

    /// What a way leads to inside one record; nil when there is nothing.
    func value(_ components: [Component], in record: ObjectRecord) -> RecordValue? {
        var subject = subject(record)
        for component in components {
            guard let slot = Self.slot(component, of: subject) else { return nil }
            subject = Subject(
                Node(
                    component: component, target: .value(in: record.oid, slot), at: record.serial, kind: .item,
                    serial: record.serial), record: record)
        }
        return RecordValue(record: record, slot: subject.slot)
    }

    private static func slot(_ component: Component, of subject: Subject) -> PickleDocument.Slot? {
        if case .attribute(let name) = component {
            if let slot = subject.attribute(name) { return slot }
            if name == Workspace.stateName { return subject.isObject ? subject.slot : subject.oddStates.first }
            for (index, slot) in Workspace.arguments(of: subject).enumerated()
            where name == Workspace.argumentName(index) {
                return slot
            }
            return nil
        }
        guard let form = ContainerForm(subject) else { return nil }
        if case .sequence(_, let items) = form {
            guard case .key(.integer(let number)) = component, let index = number.int64,
                items.indices.contains(Int(index))
            else { return nil }
            return items[Int(index)]
        }
        let list = EntryList(form.entries, in: subject.record, at: subject.node.at)
        return list.find(component).map { list.entries[$0].value }
    }

    // MARK: Kinds with a rule of their own

    /// A `Length` counts: both differences count.
    private func length() -> Int? {
        guard base.className?.name == "Length", let before = base.document.int(base.stateSlot),
            let after = mine.document.int(mine.stateSlot), let other = theirs.document.int(theirs.stateSlot)
        else { return nil }
        return other + after - before
    }

    /// `_objects` as the others left it, with what was added and without what was removed here.
    private func mergedChildren() -> PickleValue? {
        guard let before = children(of: base), let after = children(of: mine), let other = children(of: theirs) else {
            return nil
        }
        let (old, new, current) = (Set(before.map(\.id)), Set(after.map(\.id)), Set(other.map(\.id)))
        let added = after.filter { !old.contains($0.id) }
        // The same set in another order, an entry changed in place: no additions that could be made again.
        guard old != new, added.allSatisfy({ !current.contains($0.id) }) else { return nil }
        let kept = after.filter { old.contains($0.id) }.map(\.entry)
        guard kept == before.filter({ new.contains($0.id) }).map(\.entry) else { return nil }
        let removed = old.subtracting(new)
        let entries = other.filter { !removed.contains($0.id) }.map(\.entry) + added.map(\.entry)
        guard let slot = subject(theirs).attribute("_objects") else { return nil }
        if case .list = theirs.document[slot] { return .list(entries) }
        return .tuple(entries)
    }

    private func children(of record: ObjectRecord) -> [(id: [UInt8], entry: PickleValue)]? {
        guard let slot = subject(record).attribute("_objects") else { return [] }
        guard let items = record.document.sequence(slot) else { return nil }
        var children: [(id: [UInt8], entry: PickleValue)] = []
        for item in items {
            guard let id = record.document.value("id", of: item).flatMap({ record.document.stringBytes($0) }),
                let entry = try? PickleValue(item, in: record.document)
            else { return nil }
            children.append((id, entry))
        }
        return children
    }
}

extension Component {
    var isAttribute: Bool {
        if case .attribute = self { true } else { false }
    }
}

internal import Pickle
internal import ZODB

/// Edits of what is directly in one place: an object's attributes and items, or those of a value inside a record.
///
/// Made for one edit: afterwards the slots mean nothing any more.
struct PlaceEditor {
    typealias Slot = PickleDocument.Slot

    let workspace: Workspace
    let place: Place
    let subject: Subject

    var path: String { place.description }
    var record: ObjectRecord { subject.record }
    var document: PickleDocument { subject.document }

    init(_ workspace: Workspace, _ place: Place) throws(EditError) {
        self.workspace = workspace
        self.place = place
        subject = try workspace.editedSubject(of: place)
    }

    func path(_ component: Component) -> String {
        let text = component.description
        return text.hasPrefix("[") || path.hasSuffix("/") ? path + text : "\(path)/\(text)"
    }

    func apply(_ operations: [RecordOperation]) throws(EditError) {
        guard !operations.isEmpty else { return }
        try workspace.apply(operations, to: record.oid, at: path)
        workspace.note(place, of: record.oid)
    }

    /// A value as it is to stand in this record.
    func resolved(_ value: PickleValue) throws(EditError) -> PickleValue {
        try workspace.resolved(value, for: record, at: path)
    }

    func spelling(beside siblings: some Sequence<Slot>) throws(EditError) -> KeySpelling {
        let generation = try EditError.wrap(path) { () throws(StorageError) in try workspace.generation() }
        return KeySpelling(generation, beside: siblings, in: document)
    }

    /// The operation that puts a value in place of another; none when it is there already.
    func replacing(_ slot: Slot, with value: PickleValue) -> [RecordOperation] {
        if let old = try? PickleValue(slot, in: document), old == value { return [] }
        return [.replace(slot, with: value)]
    }

    func notFound(_ component: Component, advice: String? = nil) -> EditError {
        EditError(
            .notFound, at: path, expected: "an item or attribute \(component)", found: "none of this name",
            advice: advice)
    }
}

// MARK: - Attributes

extension PlaceEditor {
    func setAttribute(_ name: String, to value: PickleValue) throws(EditError) {
        if name == Workspace.stateName { try checkState(value) }
        if let slot = slot(ofAttribute: name) { return try apply(replacing(slot, with: value)) }
        guard !name.hasPrefix("_v_"), !name.hasPrefix("_p_") else {
            throw EditError(
                .unsupported, at: path, expected: "an attribute that is stored",
                found: "'\(name)': what begins with `_v_` or `_p_` never is")
        }
        guard !name.isEmpty else {
            throw EditError(.wrongValue, at: path, expected: "an attribute's name", found: "an empty one")
        }
        let states = self.states
        guard let state = states.last else {
            if case .instance = subject.value {
                return try apply([.addState(name: name, value: value, to: subject.slot)])
            }
            throw EditError(
                .unsupported, at: path, expected: "an object or instance with attributes",
                found: subject.value.kindWord)
        }
        if case .none = document[state] {
            let key = try spelling(beside: []).name(name)
            return try apply([.replace(state, with: .dict([.init(key: key, value: value)]))])
        }
        guard let dicts = document.attributeDictSlots(state) else {
            throw EditError(
                .unsupported, at: path, expected: "a state that is a dict of attributes",
                found: document[state].kindWord, advice: "`.__state__` is the state as a whole")
        }
        guard let dict = dicts.first, dicts.count == 2 || dict.slot == state else {
            throw EditError(
                .unsupported, at: path, expected: "a dict of attributes", found: "a class with `__slots__` only")
        }
        let key = try spelling(beside: dict.entries.map(\.key)).name(name)
        try apply([.add(key: key, value: value, to: dict.slot)])
    }

    /// A state that the BTrees package does not expect ends the Python process that loads it.
    private func checkState(_ value: PickleValue) throws(EditError) {
        guard subject.isObject, let name = subject.className else { return }
        if name == GlobalName(module: "BTrees.Length", name: "Length") {
            guard case .integer = value else {
                throw EditError(.wrongValue, at: path, expected: "a whole number", found: value.briefText)
            }
        } else if BTreeState.Kind(record) != nil {
            throw EditError(
                .unsupported, at: path, expected: "a key or an index", found: "the state of a \(name.name) as a whole",
                advice: "`set` and `unset` of keys keep a tree in order")
        }
    }

    /// - Returns: false when there is none.
    func removeAttribute(_ name: String) throws(EditError) -> Bool {
        let operations = removalOfAttribute(name)
        guard !operations.isEmpty else {
            guard slot(ofAttribute: name) != nil else { return false }
            throw EditError(
                .unsupported, at: path, expected: "a stored attribute", found: "'\(name)', a part of the state's form")
        }
        try apply(operations)
        return true
    }

    /// All entries of the name: of one given twice the first must not come back to life.
    func removalOfAttribute(_ name: String) -> [RecordOperation] {
        var operations: [RecordOperation] = []
        for state in states {
            for dict in document.attributeDictSlots(state) ?? [] {
                for entry in dict.entries where document.isString(entry.key, name) {
                    operations.append(.removeEntry(entry, from: dict.slot))
                }
            }
        }
        return operations
    }

    /// The states that attributes stand in.
    private var states: [Slot] {
        if subject.isObject { return [subject.slot] }
        if case .instance(let instance) = subject.value { return instance.states }
        return []
    }

    /// Where an attribute's value stands, those included that are only names for parts of a state.
    func slot(ofAttribute name: String) -> Slot? {
        if let slot = subject.attribute(name) { return slot }
        if subject.isObject, let kind = BTreeState.Kind(record), let parts = document.sequence(subject.slot),
            parts.count == 2, name == (kind.isTree ? "firstbucket" : "next")
        {
            return parts[1]
        }
        if name == Workspace.stateName { return subject.isObject ? subject.slot : subject.oddStates.first }
        for (index, slot) in Workspace.arguments(of: subject).enumerated() where name == Workspace.argumentName(index) {
            return slot
        }
        return nil
    }
}

extension PickleDocument {
    func isString(_ slot: Slot, _ text: String) -> Bool {
        stringBytes(slot).map { $0.elementsEqual(text.utf8) } ?? false
    }
}

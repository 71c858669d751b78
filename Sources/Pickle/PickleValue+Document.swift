extension PickleValue {
    /// The most values that a copy may have: sharing is expanded, and 800 bytes can describe 2^100 values.
    public static let valueLimit = 1_000_000

    /// A deep copy of a slot's value. What is shared comes several times; sets, frozen sets and bytes that are spelled as
    /// calls become values of their kind.
    ///
    /// - Throws: `PickleValueError`, for a value inside itself, one that is too deep or too large, and what cannot be told
    ///   apart from its pickle: a buffer of protocol 5, a reference that is given a state.
    public init(
        _ slot: PickleDocument.Slot, in document: PickleDocument, limit: Int = PickleValue.valueLimit
    ) throws(PickleValueError) {
        var copier = Copier(document, limit: limit)
        self = try copier.copy(slot)
    }

    private struct Copier {
        let document: PickleDocument
        let limit: Int
        var remaining: Int
        /// The containers being copied, outermost first.
        var path: [PickleDocument.NodeID] = []

        init(_ document: PickleDocument, limit: Int) {
            self.document = document
            self.limit = limit
            remaining = limit
        }

        mutating func copy(_ slot: PickleDocument.Slot) throws(PickleValueError) -> PickleValue {
            remaining -= 1
            guard remaining >= 0 else { throw .tooManyValues(limit: limit) }
            switch document[slot] {
            case .none: return .none
            case .bool(let value): return .bool(value)
            case .integer(let value): return .integer(value)
            case .float(let value): return .float(value)
            case .text(let bytes): return .text(bytes)
            case .bytes(let bytes): return .bytes(bytes)
            case .nativeString(let bytes): return .nativeString(bytes)
            case .byteArray(let bytes): return .byteArray(bytes)
            case .global(let name):
                try refuseStates(of: slot, "a class that is given a state")
                return .global(name)
            case .persistentText(let text):
                try refuseStates(of: slot, "a reference that is given a state")
                return .persistentText(text)
            case .extensionCode(let code):
                try refuseStates(of: slot, "an extension object that is given a state")
                return .extensionCode(code)
            case .outOfBandBuffer: throw .notDetachable("a buffer outside the pickle")
            case .tuple, .list, .dict, .set, .frozenSet, .instance, .persistentID:
                guard !path.contains(slot.node) else { throw .cyclic }
                guard path.count < PickleValue.depthLimit - 1 else { throw .tooDeep(limit: PickleValue.depthLimit) }
                path.append(slot.node)
                defer { path.removeLast() }
                return try container(slot)
            }
        }

        private mutating func container(_ slot: PickleDocument.Slot) throws(PickleValueError) -> PickleValue {
            switch document[slot] {
            case .tuple(let items): return .tuple(try copy(items))
            case .list(let items): return .list(try copy(items))
            case .set(let items): return .set(try copy(items))
            case .frozenSet(let items): return .frozenSet(try copy(items))
            case .dict(let entries): return .dict(try copy(entries))
            case .persistentID(let id):
                try refuseStates(of: slot, "a reference that is given a state")
                return .persistentID(try copy(id))
            case .instance(let instance): return try copy(instance, of: slot)
            default: return .none
            }
        }

        private mutating func copy(_ slots: [PickleDocument.Slot]) throws(PickleValueError) -> [PickleValue] {
            var values: [PickleValue] = []
            for slot in slots { values.append(try copy(slot)) }
            return values
        }

        private mutating func copy(
            _ entries: [PickleDocument.Entry]
        ) throws(PickleValueError) -> [PickleValue.Entry] {
            var values: [PickleValue.Entry] = []
            for entry in entries { values.append(Entry(key: try copy(entry.key), value: try copy(entry.value))) }
            return values
        }

        private mutating func copy(
            _ instance: PickleInstance, of slot: PickleDocument.Slot
        ) throws(PickleValueError) -> PickleValue {
            switch KnownValue(instance, in: document) {
            case .set(let items): return .set(try copy(items))
            case .frozenSet(let items): return .frozenSet(try copy(items))
            case .bytes(let bytes): return .bytes(bytes)
            default: break
            }
            // Items, entries, state: every pickler writes them in this order. Another order could mean something else.
            guard document.hasUsualStepOrder(slot) else {
                throw .notDetachable("an instance changed in an unusual order")
            }
            let callable: PickleValue
            if let slot = instance.callable {
                callable = try copy(slot)
            } else if let name = instance.className {
                callable = .global(name)
            } else {
                throw .notDetachable("an instance without a class")
            }
            if let tuple = instance.argumentTuple {
                guard case .tuple = document[tuple] else { throw .notDetachable("a call whose arguments are no tuple") }
                guard !path.contains(tuple.node) else { throw .cyclic }
            }
            var keywords: PickleValue?
            if let slot = instance.keywords { keywords = try copy(slot) }
            return .instance(
                Instance(
                    instance.kind, callable, arguments: try copy(instance.arguments), keywords: keywords,
                    items: try copy(instance.items), entries: try copy(instance.entries),
                    states: try copy(instance.states)))
        }

        private func refuseStates(of slot: PickleDocument.Slot, _ what: String) throws(PickleValueError) {
            guard document.states(of: slot).isEmpty else { throw .notDetachable(what) }
        }
    }
}

extension PickleDocument {
    /// Whether an instance is given items, then entries, then states, as Python's `save_reduce` does it.
    fileprivate func hasUsualStepOrder(_ slot: Slot) -> Bool {
        func rank(_ opcode: Opcode) -> Int {
            switch opcode {
            case .append, .appends, .addItems: 1
            case .setItem, .setItems: 2
            case .build: 3
            default: 0
            }
        }
        var last = 0
        var index = nodes[Int(slot.nodeIndex)].firstStep
        while index >= 0 {
            let step = steps[Int(index)]
            guard rank(step.opcode) >= last else { return false }
            last = rank(step.opcode)
            index = step.next
        }
        return true
    }
}

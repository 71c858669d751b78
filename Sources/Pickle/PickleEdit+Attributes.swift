/// Attributes: the entries of a state, which is a dict as a rule.
extension PickleEdit {
    /// Gives an attribute a value, in an object's state.
    ///
    /// - Parameter state: a dict, None (then the state becomes a dict), or the pair that a class with `__slots__` has: a
    ///   dict or None, and a dict of the slots.
    public mutating func setAttribute(
        _ name: String, to value: PickleValue, ofState state: Slot
    ) throws(PickleEditError) {
        try refuseUnstored(name)
        switch document[state] {
        case .none:
            guard case .dict(var entries)? = replacements[state]?.value else {
                return try replace(state, with: .dict([.init(key: style.name(name), value: value)]))
            }
            entries.removeAll { $0.key == style.name(name) }
            try replace(state, with: .dict(entries + [.init(key: style.name(name), value: value)]))
        case .dict:
            try setEntry(style.name(name), to: value, in: state)
        case .tuple(let parts) where document.isStateWithSlots(parts):
            // Only the slots that the class declares can be set; what it declares is not in the record.
            let isSlot = hasAttribute(name, parts[1])
            if !isSlot, case .none = document[parts[0]] { throw .noSuchAttribute(name) }
            try setEntry(style.name(name), to: value, in: isSlot ? parts[1] : parts[0])
        default:
            throw .wrongKind(expected: "a state with attributes", found: document.kindName(of: state))
        }
    }

    /// - Throws: `PickleEditError.noSuchAttribute`.
    public mutating func removeAttribute(_ name: String, ofState state: Slot) throws(PickleEditError) {
        let key = style.name(name)
        var dict = state
        switch document[state] {
        case .dict: break
        case .none:
            guard case .dict(var entries)? = replacements[state]?.value, entries.contains(where: { $0.key == key })
            else { throw .noSuchAttribute(name) }
            entries.removeAll { $0.key == key }
            return try replace(state, with: entries.isEmpty ? .none : .dict(entries))
        case .tuple(let parts) where document.isStateWithSlots(parts):
            dict = hasAttribute(name, parts[1]) ? parts[1] : parts[0]
            if case .none = document[dict] { throw .noSuchAttribute(name) }
        default: throw .wrongKind(expected: "a state with attributes", found: document.kindName(of: state))
        }
        do throws(PickleEditError) {
            try removeEntry(key, from: dict)
        } catch .noSuchKey {
            throw .noSuchAttribute(name)
        }
    }

    /// Gives an attribute of an instance inside the record a value. One that was pickled without a state gets one.
    public mutating func setAttribute(
        _ name: String, to value: PickleValue, of instance: Slot
    ) throws(PickleEditError) {
        guard case .instance(let parts) = document[instance] else {
            throw .wrongKind(expected: "an instance", found: document.kindName(of: instance))
        }
        // Python applies all states in turn; the last one says.
        if let state = parts.states.last { return try setAttribute(name, to: value, ofState: state) }
        try refuseUnstored(name)
        var entries: [PickleValue.Entry] = []
        if case .dict(let known)? = newStates[instance.node]?.value { entries = known }
        entries.removeAll { $0.key == style.name(name) }
        let state = PickleValue.dict(entries + [.init(key: style.name(name), value: value)])
        newStates[instance.node] = Replacement(value: state, bytes: try opcodes(state))
    }

    public mutating func removeAttribute(_ name: String, of instance: Slot) throws(PickleEditError) {
        guard case .instance(let parts) = document[instance] else {
            throw .wrongKind(expected: "an instance", found: document.kindName(of: instance))
        }
        guard let state = parts.states.last else { throw .noSuchAttribute(name) }
        try removeAttribute(name, ofState: state)
    }

    /// `_v_` and `_p_` names are never stored: Python would load them, and they would mislead it.
    private func refuseUnstored(_ name: String) throws(PickleEditError) {
        guard !name.hasPrefix("_v_"), !name.hasPrefix("_p_") else {
            throw .notEditable("\(PythonString.escaped(name.utf8)), which is never stored,")
        }
    }

    private func hasAttribute(_ name: String, _ slot: Slot) -> Bool {
        guard case .dict(let entries) = document[slot] else { return false }
        let matcher = KeyMatcher(style.name(name), style)
        return entries.contains { matcher.matches($0.key, in: document) }
    }
}

/// The class of a record.
extension PickleEdit {
    /// Gives the record another class: in the class pickle, not in the references to objects of the same class which the
    /// state may have. Arguments for `__new__` stay.
    public mutating func replaceClass(with name: GlobalName) throws(PickleEditError) {
        let root = document.roots[0]
        switch document[root] {
        case .global: try replace(root, with: .global(name))
        case .tuple(let parts) where parts.count == 2:
            switch document[parts[0]] {
            case .global: try replace(parts[0], with: .global(name))
            case .tuple(let names) where names.count == 2:
                try replace(names[0], with: kind(of: names[0], name.module))
                try replace(names[1], with: kind(of: names[1], name.name))
            case .text, .nativeString:
                try replace(parts[0], with: kind(of: parts[0], name.module))
                try replace(parts[1], with: kind(of: parts[1], name.name))
            default: throw .notEditable("a class of this form")
            }
        default: throw .notEditable("a class of this form")
        }
    }

    private func kind(of slot: Slot, _ name: String) -> PickleValue {
        if case .nativeString = document[slot] { return .nativeString(name) }
        return .text(name)
    }
}

extension PickleDocument {
    /// `(dict or None, dict)`: what `copyreg` makes of an object with `__slots__`.
    fileprivate func isStateWithSlots(_ parts: [Slot]) -> Bool {
        guard parts.count == 2, case .dict = self[parts[1]] else { return false }
        switch self[parts[0]] {
        case .none, .dict: return true
        default: return false
        }
    }

    /// The list that a set is called with, for a set of the protocols that have no opcode for it.
    func itemList(ofSet instance: PickleInstance) -> Slot? {
        switch KnownValue(instance, in: self) {
        case .set, .frozenSet: instance.arguments.first
        default: nil
        }
    }

    /// What a slot holds, in words for a message.
    func kindName(of slot: Slot) -> String {
        switch self[slot] {
        case .none: "None"
        case .bool: "a bool"
        case .integer: "an integer"
        case .float: "a float"
        case .text: "text"
        case .bytes: "bytes"
        case .nativeString: "a Python 2 str"
        case .byteArray: "a bytearray"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dict: "a dict"
        case .set, .frozenSet: "a set"
        case .global: "a class"
        case .persistentID, .persistentText: "a reference"
        case .instance(let instance): "an instance of \(instance.className?.description ?? "a class without a name")"
        case .extensionCode: "an extension code"
        case .outOfBandBuffer: "a buffer"
        }
    }
}

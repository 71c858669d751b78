public import Pickle

extension PersistentReference {
    /// `#0x1a module.Class`, as `cd` takes it back; weak and cross-database references say that they are.
    public var text: String {
        let target = className.map { "\(hash) \(PythonString.escaped($0.description.utf8))" } ?? hash
        let named = database.map { "\(target) in database \(PythonString.literal($0.utf8).text)" } ?? target
        return switch kind {
        case .strong: named
        case .weak: "weak \(named)"
        case .crossDatabase: "elsewhere \(named)"
        }
    }

    private var hash: String { "#\(oid)" }

    /// `{"@ref": [oid, class]}`, with `@weak` or `@db` beside it where that applies.
    public func write(to json: inout JSONText) {
        json.beginObject()
        json.key("@ref")
        if let className {
            json.beginArray()
            json.string(oid.hex)
            json.string(className.description)
            json.endArray()
        } else {
            json.string(oid.hex)
        }
        if kind == .weak {
            json.key("@weak")
            json.bool(true)
        }
        if let database {
            json.key("@db")
            json.string(database)
        }
        json.endObject()
    }
}

extension PickleDocument {
    /// A value as Python-like text; references read like `<#0x1a module.Class>`.
    public func text(_ slot: Slot, _ options: PickleText.Options = PickleText.Options()) -> String {
        var printer = PickleText(self, options) { id in
            PersistentReference(id, in: self)?.text ?? "reference of an unknown form"
        }
        return printer.text(slot)
    }

    /// A value as JSON; references are `{"@ref": …}`.
    public func writeJSON(_ slot: Slot, isPython2: Bool, to json: inout JSONText) {
        var writer = PickleJSON(self, isPython2: isPython2) { id, json in
            guard let reference = PersistentReference(id, in: self) else { return false }
            reference.write(to: &json)
            return true
        }
        writer.write(slot, to: &json)
    }

    /// Which Python wrote the pickle, as far as its opcodes tell: strings of Python 2 or no PROTO opcode mean Python 2.
    ///
    /// A pickle of protocol 2 or 3 without any native string may be of either; then nil.
    public var generation: PythonGeneration? {
        if hasNativeStrings { return .python2 }
        return source.first == Opcode.proto.rawValue ? nil : .python2
    }
}

extension ObjectRecord {
    /// The whole record: `{"@cls": [module, name], "@s": state}`, and `"@py": 2` when plain strings are Python 2's.
    ///
    /// The states of BTrees, buckets and sets, nested tuples in the pickle, are shown by what they mean: `@kv` pairs, `@ks`
    /// keys, `@next`, or `@children` and `@first`.
    public func writeJSON(isPython2: Bool, to json: inout JSONText) {
        json.beginObject()
        json.key("@cls")
        if let className {
            PickleJSON.write(className, to: &json)
        } else {
            document.writeJSON(classSlot, isPython2: isPython2, to: &json)
        }
        if let newArguments {
            json.key("@args")
            document.writeJSON(newArguments, isPython2: isPython2, to: &json)
        }
        if isPython2 {
            json.key("@py")
            json.integer(2)
        }
        json.key("@s")
        writeState(isPython2: isPython2, to: &json)
        json.endObject()
    }

    private func writeState(isPython2: Bool, to json: inout JSONText) {
        guard let kind = className.flatMap({ BTreeState.Kind($0) }),
            let state = BTreeState(stateSlot, kind, in: document), state != .empty
        else { return document.writeJSON(stateSlot, isPython2: isPython2, to: &json) }
        func write(_ slots: [PickleDocument.Slot]) {
            json.beginArray()
            for slot in slots { document.writeJSON(slot, isPython2: isPython2, to: &json) }
            json.endArray()
        }
        func write(next: PickleDocument.Slot?) {
            guard let next else { return }
            json.key("@next")
            document.writeJSON(next, isPython2: isPython2, to: &json)
        }
        json.beginObject()
        switch state {
        case .empty: break
        case .bucket(let entries, let next):
            json.key("@kv")
            json.beginArray()
            for entry in entries { write([entry.key, entry.value]) }
            json.endArray()
            write(next: next)
        case .set(let keys, let next):
            json.key("@ks")
            write(keys)
            write(next: next)
        case .node(let children, let keys, let first):
            json.key("@children")
            write(zip(children, keys).flatMap { [$0, $1] } + children.suffix(1))
            json.key("@first")
            document.writeJSON(first, isPython2: isPython2, to: &json)
        }
        json.endObject()
    }
}

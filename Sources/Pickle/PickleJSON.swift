/// Pickled values as JSON, in the notation documented in `docs/formats/pickle.md`.
///
/// What JSON has no word for is an object with one key that begins with `@`: `{"@t": […]}` is a tuple, `{"@b": "…"}`
/// bytes in base64. A dict that has such a key itself, or a key that is no string, is written as pairs: `{"@d": [[k, v]]}`.
/// The markers are those of zodb-json-codec as far as it has them, so that its users can read ours.
public struct PickleJSON {
    /// A value nested deeper than this becomes `{"@cut": "depth"}`.
    public static let depthLimit = 200
    /// After so many values every further one becomes `{"@cut": "values"}`.
    public static let valueLimit = 1_000_000

    private let document: PickleDocument
    /// Whether a plain JSON string stands for Python 2's `str` (and `{"@u": …}` for `unicode`), or for text.
    private let isPython2: Bool
    /// Writes a persistent reference, given the slot of its persistent id; false when it is none it knows.
    private let reference: (PickleDocument.Slot, inout JSONText) -> Bool
    private var path: [PickleDocument.NodeID] = []
    private var remaining = Self.valueLimit

    public init(
        _ document: PickleDocument, isPython2: Bool,
        reference: @escaping (PickleDocument.Slot, inout JSONText) -> Bool
    ) {
        self.document = document
        self.isPython2 = isPython2
        self.reference = reference
    }

    public mutating func write(_ slot: PickleDocument.Slot, to json: inout JSONText) {
        remaining -= 1
        guard remaining >= 0 else { return Self.marker("@cut", in: &json) { $0.string("values") } }
        switch document[slot] {
        case .none: json.null()
        case .bool(let value): json.bool(value)
        case .integer(let value): integer(value, to: &json)
        case .float(let value):
            if value.isFinite {
                json.number(value)
            } else {
                Self.marker("@f", in: &json) { $0.string(PickleText.float(value)) }
            }
        case .text(let bytes):
            if isPython2 { Self.marker("@u", in: &json) { $0.string(utf8: bytes) } } else { json.string(utf8: bytes) }
        case .nativeString(let bytes): nativeString(bytes, to: &json)
        case .bytes(let bytes): Self.marker("@b", in: &json) { $0.string(Base64.text(bytes)) }
        case .byteArray(let bytes): Self.marker("@ba", in: &json) { $0.string(Base64.text(bytes)) }
        case .global(let name): Self.marker("@cls", in: &json) { Self.write(name, to: &$0) }
        case .persistentID(let id):
            if !reference(id, &json) { Self.marker("@pid", in: &json) { self.write(id, to: &$0) } }
        case .persistentText(let bytes): Self.marker("@pid", in: &json) { $0.string(utf8: bytes) }
        case .extensionCode(let code): Self.marker("@ext", in: &json) { $0.integer(code) }
        case .outOfBandBuffer: Self.marker("@cut", in: &json) { $0.string("buffer") }
        case .tuple, .list, .dict, .set, .frozenSet, .instance: container(slot, to: &json)
        }
    }

    /// `["module", "name"]`.
    public static func write(_ name: GlobalName, to json: inout JSONText) {
        json.beginArray()
        json.string(name.module)
        json.string(name.name)
        json.endArray()
    }

    private mutating func container(_ slot: PickleDocument.Slot, to json: inout JSONText) {
        if let index = path.lastIndex(of: slot.node) {
            let up = path.count - index
            return Self.marker("@cycle", in: &json) { $0.integer(up) }
        }
        guard path.count < Self.depthLimit else { return Self.marker("@cut", in: &json) { $0.string("depth") } }
        path.append(slot.node)
        defer { path.removeLast() }
        switch document[slot] {
        case .list(let items): array(items, to: &json)
        case .tuple(let items): Self.marker("@t", in: &json) { self.array(items, to: &$0) }
        case .set(let items): Self.marker("@set", in: &json) { self.array(items, to: &$0) }
        case .frozenSet(let items): Self.marker("@fset", in: &json) { self.array(items, to: &$0) }
        case .dict(let entries): dict(entries, to: &json)
        case .instance(let instance): self.instance(instance, to: &json)
        default: json.null()
        }
    }

    private mutating func array(_ items: [PickleDocument.Slot], to json: inout JSONText) {
        json.beginArray()
        for item in items { write(item, to: &json) }
        json.endArray()
    }

    private mutating func dict(_ entries: [PickleDocument.Entry], to json: inout JSONText) {
        let keys = entries.compactMap { plainKey($0.key) }
        guard keys.count == entries.count, Set(keys).count == keys.count else {
            return Self.marker("@d", in: &json) { self.pairs(entries, to: &$0) }
        }
        json.beginObject()
        for (key, entry) in zip(keys, entries) {
            json.key(utf8: key)
            write(entry.value, to: &json)
        }
        json.endObject()
    }

    /// `[[key, value], …]`.
    private mutating func pairs(_ entries: [PickleDocument.Entry], to json: inout JSONText) {
        json.beginArray()
        for entry in entries {
            json.beginArray()
            write(entry.key, to: &json)
            write(entry.value, to: &json)
            json.endArray()
        }
        json.endArray()
    }

    /// A key that can be a JSON key without losing its type: what a plain JSON string stands for here.
    private func plainKey(_ slot: PickleDocument.Slot) -> [UInt8]? {
        let bytes: [UInt8]
        switch document[slot] {
        case .nativeString(let value) where isPython2 && value.allSatisfy({ $0 < 0x80 }): bytes = value
        case .text(let value) where !isPython2 && PythonString.isUTF8(value): bytes = value
        default: return nil
        }
        return bytes.first == UInt8(ascii: "@") ? nil : bytes
    }

    /// Python 2's `str` is text or data, it does not say: ASCII in a Python 2 record is plain; `@s2` is what reads as
    /// UTF-8, `@s2b` (base64) what does not.
    private mutating func nativeString(_ bytes: [UInt8], to json: inout JSONText) {
        if isPython2, bytes.allSatisfy({ $0 < 0x80 }) {
            json.string(utf8: bytes)
        } else if PythonString.isUTF8(bytes) {
            Self.marker("@s2", in: &json) { $0.string(utf8: bytes) }
        } else {
            Self.marker("@s2b", in: &json) { $0.string(Base64.text(bytes)) }
        }
    }

    private mutating func integer(_ value: PickleInteger, to json: inout JSONText) {
        if value.isLong, isPython2 {
            Self.marker("@long", in: &json) { $0.string(value.description) }
        } else if let small = value.int64, small.magnitude < 1 << 53 {
            json.integer(small)
        } else {
            Self.marker("@bi", in: &json) { $0.string(value.description) }
        }
    }

    private mutating func instance(_ instance: PickleInstance, to json: inout JSONText) {
        if let value = KnownValue(instance, in: document) { return known(value, to: &json) }
        json.beginObject()
        if instance.kind == .reduce {
            json.key("@reduce")
            json.beginObject()
            json.key("callable")
            if let callable = instance.callable { write(callable, to: &json) } else { json.null() }
            json.key("args")
            if let tuple = instance.argumentTuple { write(tuple, to: &json) } else { json.null() }
            json.endObject()
        } else {
            classParts(instance, to: &json)
        }
        if let state = instance.states.first {
            json.key("@s")
            write(state, to: &json)
        }
        if instance.states.count > 1 {
            json.key("@states")
            array(Array(instance.states.dropFirst()), to: &json)
        }
        if !instance.items.isEmpty {
            json.key("@items")
            array(instance.items, to: &json)
        }
        if !instance.entries.isEmpty {
            json.key("@entries")
            pairs(instance.entries, to: &json)
        }
        json.endObject()
    }

    /// `@cls` and what the object was made with: `@args`, `@kwargs`; `@old` marks an old-style instance of Python 2.
    private mutating func classParts(_ instance: PickleInstance, to json: inout JSONText) {
        json.key("@cls")
        if let name = instance.className {
            Self.write(name, to: &json)
        } else if let callable = instance.callable {
            write(callable, to: &json)
        } else {
            json.null()
        }
        if instance.kind == .oldStyle {
            json.key("@old")
            json.bool(true)
        }
        // Without anything else `@cls` would be the class by itself.
        let isBare =
            instance.kind != .oldStyle && instance.states.isEmpty && instance.items.isEmpty && instance.entries.isEmpty
            && instance.keywords == nil
        if !instance.arguments.isEmpty || isBare {
            json.key("@args")
            array(instance.arguments, to: &json)
        }
        if let keywords = instance.keywords {
            json.key("@kwargs")
            write(keywords, to: &json)
        }
    }

    private mutating func known(_ value: KnownValue, to json: inout JSONText) {
        switch value {
        case .set(let items): Self.marker("@set", in: &json) { self.array(items, to: &$0) }
        case .frozenSet(let items): Self.marker("@fset", in: &json) { self.array(items, to: &$0) }
        case .bytes(let bytes): Self.marker("@b", in: &json) { $0.string(Base64.text(bytes)) }
        case .date(let text): Self.marker("@date", in: &json) { $0.string(text) }
        case .time(let text): Self.marker("@time", in: &json) { $0.string(text) }
        case .dateTime(let text, let zone):
            json.beginObject()
            json.key("@dt")
            json.string(text)
            if let zone {
                json.key("@tz")
                write(zone, to: &json)
            }
            json.endObject()
        }
    }

    private static func marker(_ name: String, in json: inout JSONText, _ value: (inout JSONText) -> Void) {
        json.beginObject()
        json.key(name)
        value(&json)
        json.endObject()
    }
}

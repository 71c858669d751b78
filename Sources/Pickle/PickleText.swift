/// Pickled values as text that reads like Python.
///
/// Literals are Python's; a class instance reads like a constructor call (`module.Class(argument, attribute=value)`),
/// a persistent reference like `<#0x1a module.Class>`. The text is for people: it is not meant to be evaluated. Cycles
/// are named, long strings cut with their length shown, and both depth and the number of values are bounded, since a
/// pickle of 800 bytes can describe 2^100 leaves.
public struct PickleText {
    public struct Options: Sendable {
        /// How Python 2's `str` and `unicode` are told apart: with them, `'…'` is a `str` and `u'…'` is `unicode`.
        public var isPython2 = false
        /// Strings are cut after so many characters (bytes), and their length is shown.
        public var stringLimit = 200
        /// Values nested deeper are shown as `…`.
        public var depthLimit = 40
        /// After so many values the rest is shown as `…`.
        public var valueLimit = 10_000
        /// Containers are broken into lines when they are wider than this; nil for one line, always.
        public var width: Int? = 100

        public init() {}

        /// Nothing cut that is not endless.
        public static var complete: Options {
            var options = Options()
            (options.stringLimit, options.depthLimit, options.valueLimit) = (.max, 200, 1_000_000)
            return options
        }
    }

    private let document: PickleDocument
    private let options: Options
    private let reference: (PickleDocument.Slot) -> String
    /// The containers being printed, outermost first.
    private var path: [PickleDocument.NodeID] = []
    private var remaining: Int

    /// - Parameter reference: how a persistent reference reads, given the slot of its persistent id.
    public init(
        _ document: PickleDocument, _ options: Options = Options(),
        reference: @escaping (PickleDocument.Slot) -> String
    ) {
        self.document = document
        self.options = options
        self.reference = reference
        remaining = options.valueLimit
    }

    public mutating func text(_ slot: PickleDocument.Slot) -> String {
        render(slot).text(width: options.width, indent: 0)
    }

    private mutating func render(_ slot: PickleDocument.Slot) -> Layout {
        remaining -= 1
        guard remaining >= 0 else { return .word("…") }
        switch document[slot] {
        case .none: return .word("None")
        case .bool(let value): return .word(value ? "True" : "False")
        case .integer(let value): return .word(value.description + (value.isLong && options.isPython2 ? "L" : ""))
        case .float(let value): return .word(Self.float(value))
        case .text(let bytes): return .word((options.isPython2 ? "u" : "") + string(bytes))
        case .nativeString(let bytes):
            return .word(PythonString.isUTF8(bytes) ? string(bytes) : String(byteString(bytes).dropFirst()))
        case .bytes(let bytes): return .word(byteString(bytes))
        case .byteArray(let bytes): return .word("bytearray(\(byteString(bytes)))")
        case .global(let name): return .word("<class \(PythonString.escaped(name.description.utf8))>")
        case .persistentID(let id): return .word("<\(reference(id))>")
        case .persistentText(let id): return .word("<persistent \(PythonString.escaped(id))>")
        case .extensionCode(let code): return .word("<extension code \(code)>")
        case .outOfBandBuffer: return .word("<buffer outside the pickle>")
        case .tuple, .list, .dict, .set, .frozenSet, .instance: return container(slot)
        }
    }

    private mutating func container(_ slot: PickleDocument.Slot) -> Layout {
        if let index = path.lastIndex(of: slot.node) { return .word("<cycle, \(path.count - index) up>") }
        guard path.count < options.depthLimit else { return .word("…") }
        path.append(slot.node)
        defer { path.removeLast() }
        switch document[slot] {
        case .tuple(let items): return .group("(", renderAll(items), items.count == 1 ? ",)" : ")")
        case .list(let items): return .group("[", renderAll(items), "]")
        case .set(let items): return items.isEmpty ? .word("set()") : .group("{", renderAll(items), "}")
        case .frozenSet(let items): return .group("frozenset({", renderAll(items), "})")
        case .dict(let entries): return .group("{", pairs(entries), "}")
        case .instance(let instance): return self.instance(instance)
        default: return .word("…")
        }
    }

    private mutating func renderAll(_ slots: [PickleDocument.Slot]) -> [Layout] {
        var parts: [Layout] = []
        for slot in slots {
            guard remaining > 0 else {
                parts.append(.word("… \(slots.count - parts.count) more"))
                break
            }
            parts.append(render(slot))
        }
        return parts
    }

    private mutating func pairs(_ entries: [PickleDocument.Entry]) -> [Layout] {
        var parts: [Layout] = []
        for entry in entries {
            guard remaining > 0 else {
                parts.append(.word("… \(entries.count - parts.count) more"))
                break
            }
            let key = render(entry.key).text(width: nil, indent: 0)
            parts.append(.labelled("\(key): ", render(entry.value)))
        }
        return parts
    }

    // MARK: Instances

    private mutating func instance(_ instance: PickleInstance) -> Layout {
        if let known = KnownValue(instance, in: document) { return self.known(known) }
        var name: String
        if let global = instance.className {
            name = PythonString.escaped(global.description.utf8)
        } else if let callable = instance.callable {
            name = render(callable).text(width: nil, indent: 0)
        } else {
            name = "?"
        }
        var arguments = instance.arguments
        // `copyreg._reconstructor(class, base, state)` is how protocols 0 and 1 make an object: it is the class that tells.
        if name.hasSuffix("._reconstructor"), let first = arguments.first, case .global(let real) = document[first] {
            name = PythonString.escaped(real.description.utf8)
            arguments = []
        } else if name.hasSuffix(".__newobj__"), let first = arguments.first, case .global(let real) = document[first] {
            name = PythonString.escaped(real.description.utf8)
            arguments.removeFirst()
        }
        var parts = renderAll(arguments)
        if let tuple = instance.argumentTuple, instance.arguments.isEmpty, !isEmptyTuple(tuple) {
            parts.append(.labelled("*", render(tuple)))
        }
        if let keywords = instance.keywords { parts.append(.labelled("**", render(keywords))) }
        for state in instance.states { parts += self.state(state) }
        if !instance.items.isEmpty { parts.append(.labelled("items=", .group("[", renderAll(instance.items), "]"))) }
        if !instance.entries.isEmpty { parts.append(.labelled("entries=", .group("{", pairs(instance.entries), "}"))) }
        return .group("\(name)(", parts, ")")
    }

    /// A state that is a dict with names for keys reads like keyword arguments; any other is shown whole.
    private mutating func state(_ slot: PickleDocument.Slot) -> [Layout] {
        guard case .dict(let entries) = document[slot] else { return [.labelled("state=", render(slot))] }
        if path.contains(slot.node) { return [.labelled("state=", render(slot))] }
        path.append(slot.node)
        defer { path.removeLast() }
        var names: [String] = []
        for entry in entries {
            guard let name = document.identifier(entry.key) else { return [.group("state={", pairs(entries), "}")] }
            names.append(name)
        }
        return zip(names, entries).map { .labelled("\($0)=", render($1.value)) }
    }

    private mutating func known(_ value: KnownValue) -> Layout {
        switch value {
        case .set(let items): return items.isEmpty ? .word("set()") : .group("{", renderAll(items), "}")
        case .frozenSet(let items): return .group("frozenset({", renderAll(items), "})")
        case .bytes(let bytes): return .word(byteString(bytes))
        case .dateTime(let text, let zone):
            guard let zone else { return .word("datetime('\(text)')") }
            return .group("datetime(", [.word("'\(text)'"), render(zone)], ")")
        case .date(let text): return .word("date('\(text)')")
        case .time(let text): return .word("time('\(text)')")
        }
    }

    private func isEmptyTuple(_ slot: PickleDocument.Slot) -> Bool {
        if case .tuple(let items) = document[slot] { return items.isEmpty }
        return false
    }

    // MARK: Leaves

    private func string(_ bytes: [UInt8]) -> String {
        let (text, cut) = PythonString.literal(bytes, limit: options.stringLimit)
        return cut ? "\(text)… (\(PythonString.characterCount(bytes)) characters)" : text
    }

    private func byteString(_ bytes: [UInt8]) -> String {
        let (text, cut) = PythonString.bytesLiteral(bytes, limit: options.stringLimit)
        return cut ? "\(text)… (\(bytes.count) bytes)" : text
    }

    static func float(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        return value.description
    }
}

extension PickleDocument {
    /// A string that can be a Python name, for `name=value`.
    func identifier(_ slot: Slot) -> String? {
        guard let bytes = stringBytes(slot), let first = bytes.first, bytes.count <= 100,
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else { return nil }
        let isName = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        return isName ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// The bytes of a string of any kind: text as UTF-8, bytes, a native string of Python 2; nil for anything else.
    public func stringBytes(_ slot: Slot) -> [UInt8]? {
        switch self[slot] {
        case .text(let bytes), .bytes(let bytes), .nativeString(let bytes): bytes
        default: nil
        }
    }
}

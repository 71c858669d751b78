public import Pickle

/// Values to be written, and the words in which `python/edits.py` knows them.
public struct RandomValue: Sendable {
    public let style: PickleStyle
    private var counter: Int

    /// - Parameter first: where to count from, so that values of one run differ from those of another.
    public init(_ style: PickleStyle, first: Int) {
        self.style = style
        counter = first
    }

    /// A value. What may be shared (texts, names, containers) is equal to no other: it carries a count.
    public mutating func value(depth: Int = 2, _ random: inout RandomNumbers) -> PickleValue {
        switch random.below(depth > 0 ? 16 : 8) {
        case 0: return .none
        case 1: return .bool(random.oneIn(2))
        case 2: return .integer(integer(&random))
        case 3: return .float(random.oneIn(2) ? -0.0 : Double(random.below(1000)) / 8)
        case 4: return style.isPython2 ? string(&random) : .text(unique())
        case 5: return .text(unique() + "\u{e9}\u{20ac}\\\n\u{1f600}")
        case 6 where style.protocolNumber >= 3: return .bytes([0, 0xff, UInt8(random.below(256))])
        case 7: return .global("some.module", unique())
        case 8, 9: return .list(values(depth, &random))
        case 10: return .tuple(values(depth, &random))
        case 11, 12:
            let keys = (0..<1 + random.below(4)).map { _ in key(&random) }
            return .dict(keys.map { PickleValue.Entry(key: $0, value: value(depth: depth - 1, &random)) })
        case 13: return .set((0..<1 + random.below(3)).map { _ in key(&random) })
        case 14:
            return .instance(
                PickleValue.Instance(
                    style.protocolNumber >= 2 ? .newObject : .oldStyle, .global("some.module", "Made"),
                    arguments: values(1, &random),
                    states: [.dict([.init(key: style.name("a"), value: value(depth: depth - 1, &random))])]))
        case 15 where style.isPython2 || style.protocolNumber >= 3:
            let oid = style.objectID([0, 0, 0, 0, 0, 0, 1, UInt8(random.below(128))])
            return .persistentID(random.oneIn(3) ? oid : .tuple([oid, .global("some.module", "Kept")]))
        default: return .text(unique())
        }
    }

    /// Something hashable, not yet used.
    public mutating func key(_ random: inout RandomNumbers) -> PickleValue {
        switch random.below(4) {
        case 0: return .integer(next())
        case 1: return .tuple([style.name(unique()), .integer(next())])
        default: return style.name(unique())
        }
    }

    private mutating func next() -> Int {
        counter += 1
        return counter
    }

    public mutating func unique() -> String { "new\(next())" }

    private mutating func string(_ random: inout RandomNumbers) -> PickleValue {
        random.oneIn(4) ? .nativeString([0xe9, 0, 0x27, UInt8(random.below(256))]) : .nativeString(unique())
    }

    private func integer(_ random: inout RandomNumbers) -> PickleInteger {
        let bits = random.below(80)
        if bits >= 63 {
            return PickleInteger(twosComplement: (0..<bits / 8 + 1).map { _ in UInt8(random.below(256)) }, isLong: true)
        }
        let value = Int64(random.below(1 << bits))
        return PickleInteger(random.oneIn(3) ? -value : value, isLong: style.isPython2 && random.oneIn(5))
    }

    private mutating func values(_ depth: Int, _ random: inout RandomNumbers) -> [PickleValue] {
        [.text(unique())] + (0..<random.below(4)).map { _ in value(depth: depth - 1, &random) }
    }

    /// JSON for `edits.py`: what Python makes of the value when it is written in this style.
    public func json(_ value: PickleValue) -> String {
        func list(_ kind: String, _ items: [PickleValue]) -> String {
            "[\"\(kind)\",[\(items.map(json).joined(separator: ","))]]"
        }
        func call(_ module: String, _ name: String, _ argument: PickleValue) -> String {
            "[\"call\",[\(json(.global(module, name))),\(json(.tuple([argument])))],[],[],[]]"
        }
        let builtins = style.protocolNumber < (style.isPython2 ? 4 : 3) ? "__builtin__" : "builtins"
        switch value {
        case .none: return "[\"none\"]"
        case .bool(let value): return "[\"bool\",\(value)]"
        case .integer(let value): return "[\"int\",\"\(value)\"]"
        case .float(let value):
            let digits = String(value.bitPattern, radix: 16)
            return "[\"float\",\"\(String(repeating: "0", count: 16 - digits.count) + digits)\"]"
        case .text(let bytes): return "[\"text\",\"\(CanonicalValue.hex(bytes))\"]"
        case .bytes(let bytes): return "[\"bytes\",\"\(CanonicalValue.hex(bytes))\"]"
        case .nativeString(let bytes): return "[\"str2\",\"\(CanonicalValue.hex(bytes))\"]"
        case .byteArray(let bytes): return "[\"bytearray\",\"\(CanonicalValue.hex(bytes))\"]"
        case .tuple(let items): return list("tuple", items)
        case .list(let items): return list("list", items)
        case .set(let items):
            return style.protocolNumber >= 4 ? list("set", items) : call(builtins, "set", .list(items))
        case .frozenSet(let items):
            return style.protocolNumber >= 4 ? list("frozenset", items) : call(builtins, "frozenset", .list(items))
        case .dict(let entries): return list("dict", entries.flatMap { [$0.key, $0.value] })
        case .global(let name): return "[\"global\",\"\(name.module)\",\"\(name.name)\"]"
        case .persistentID(let id): return "[\"persid\",\(json(id))]"
        case .instance(let instance):
            let made =
                instance.kind == .oldStyle
                ? [instance.callable] + instance.arguments : [instance.callable, .tuple(instance.arguments)]
            let parts = [made, instance.items, instance.entries.flatMap { [$0.key, $0.value] }, instance.states]
            let texts = parts.map { "[\($0.map(json).joined(separator: ","))]" }
            return "[\"call\",\(texts.joined(separator: ","))]"
        case .persistentText, .extensionCode: return "[\"none\"]"
        }
    }
}

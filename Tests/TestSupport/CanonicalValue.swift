public import Pickle

/// A pickled value in the canonical JSON of `sample-data/generate/statefacts.py`, to be compared with what Python says.
public struct CanonicalValue {
    private let document: PickleDocument
    private var path: [PickleDocument.NodeID] = []

    public init(_ document: PickleDocument) { self.document = document }

    public static func of(_ slot: PickleDocument.Slot, in document: PickleDocument) -> JSONValue {
        var writer = CanonicalValue(document)
        return writer.value(slot)
    }

    private mutating func value(_ slot: PickleDocument.Slot) -> JSONValue {
        switch document[slot] {
        case .none: return .null
        case .bool(let value): return .bool(value)
        case .integer(let value):
            if let small = value.int64, small.magnitude < 1 << 53 { return .number(String(small)) }
            return one("int", .string(value.description))
        case .float(let value):
            if value.isFinite { return .number(value.description) }
            return one("float", .string(value.isNaN ? "nan" : value < 0 ? "-inf" : "inf"))
        case .text(let bytes): return .string(String(decoding: bytes, as: UTF8.self))
        case .nativeString(let bytes): return nativeString(bytes)
        case .bytes(let bytes), .byteArray(let bytes): return Self.long(bytes) ?? one("bytes", .string(Self.hex(bytes)))
        case .global(let name): return one("global", .string(name.description))
        case .persistentID(let id): return one("ref", reference(id))
        case .tuple, .list, .dict, .set, .frozenSet, .instance: return container(slot)
        case .persistentText, .extensionCode, .outOfBandBuffer: return one("unexpected", .null)
        }
    }

    private mutating func container(_ slot: PickleDocument.Slot) -> JSONValue {
        if let index = path.lastIndex(of: slot.node) {
            return one("cycle", .number(String(path.count - index)))
        }
        path.append(slot.node)
        defer { path.removeLast() }
        switch document[slot] {
        case .list(let items): return .array(items.map { value($0) })
        case .tuple(let items): return one("tuple", .array(items.map { value($0) }))
        case .set(let items): return one("set", .array(items.map { value($0) }))
        case .frozenSet(let items): return one("frozenset", .array(items.map { value($0) }))
        case .dict(let entries): return one("dict", .array(pairs(entries)))
        case .instance(let instance): return self.instance(instance)
        default: return .null
        }
    }

    private mutating func pairs(_ entries: [PickleDocument.Entry]) -> [JSONValue] {
        entries.map { .array([value($0.key), value($0.value)]) }
    }

    private mutating func instance(_ instance: PickleInstance) -> JSONValue {
        let how =
            switch instance.kind {
            case .reduce: "reduce"
            case .newObject, .newObjectEx: "new"
            case .oldStyle: "inst"
            }
        let name: JSONValue =
            instance.className.map { .string($0.description) } ?? instance.callable.map { value($0) } ?? .null
        var members = [JSONValue.Member(how, name), .init("args", .array(instance.arguments.map { value($0) }))]
        if let state = instance.states.last { members.append(.init("state", value(state))) }
        if !instance.items.isEmpty { members.append(.init("append", .array(instance.items.map { value($0) }))) }
        if !instance.entries.isEmpty { members.append(.init("setitems", .array(pairs(instance.entries)))) }
        return .object(members)
    }

    private mutating func reference(_ id: PickleDocument.Slot) -> JSONValue {
        func hex(_ slot: PickleDocument.Slot) -> JSONValue { .string(Self.hex(document.stringBytes(slot) ?? [])) }
        switch document[id] {
        case .tuple(let parts) where parts.count == 2:
            return .object([
                .init("kind", .string("strong")), .init("oid", hex(parts[0])), .init("class", value(parts[1])),
            ])
        case .list(let parts) where parts.count == 1:
            return .object([.init("kind", .string("weak (legacy)")), .init("oid", hex(parts[0]))])
        case .list(let parts) where parts.count == 2:
            guard case .tuple(let arguments) = document[parts[1]] else { return .null }
            let kind = String(decoding: document.stringBytes(parts[0]) ?? [], as: UTF8.self)
            if kind == "w" {
                var members = [JSONValue.Member("kind", .string("weak")), .init("oid", hex(arguments[0]))]
                if arguments.count > 1 { members.append(.init("database", value(arguments[1]))) }
                return .object(members)
            }
            var members = [
                JSONValue.Member("kind", .string("cross-database")), .init("form", .string(kind)),
                .init("database", value(arguments[0])), .init("oid", hex(arguments[1])),
            ]
            if kind == "m" { members.append(.init("class", value(arguments[2]))) }
            return .object(members)
        default:
            return .object([.init("kind", .string("strong")), .init("oid", hex(id))])
        }
    }

    private func nativeString(_ bytes: [UInt8]) -> JSONValue {
        if let long = Self.long(bytes) { return long }
        let isPlain = bytes.allSatisfy { (32..<127).contains($0) || [9, 10, 13].contains($0) }
        return isPlain
            ? one("str2", .string(String(decoding: bytes, as: UTF8.self))) : one("str2hex", .string(Self.hex(bytes)))
    }

    /// Strings over 1,024 bytes are compared by length alone here; their digest is compared where the record's is.
    private static func long(_ bytes: [UInt8]) -> JSONValue? {
        bytes.count > 1024 ? .object([.init("bytes_len", .number(String(bytes.count)))]) : nil
    }

    private func one(_ key: String, _ value: JSONValue) -> JSONValue { .object([.init(key, value)]) }

    public static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension JSONValue {
    /// Equal as canonical values: numbers by value but an integer is no float, `sha1` members left out.
    public func matches(_ other: JSONValue) -> Bool { difference(from: other) == nil }

    /// The first place where the two differ, for a test's message; nil when they are equal.
    public func difference(from other: JSONValue, at place: String = "") -> String? {
        switch (self, other) {
        case (.number(let left), .number(let right)):
            let isFloat = { (text: String) in text.contains { ".eE".contains($0) } }
            return isFloat(left) == isFloat(right) && Double(left) == Double(right)
                ? nil : "\(place): \(left) is not \(right)"
        case (.array(let left), .array(let right)):
            guard left.count == right.count else { return "\(place): \(left.count) elements, not \(right.count)" }
            for (index, pair) in zip(left, right).enumerated() {
                if let found = pair.0.difference(from: pair.1, at: "\(place)[\(index)]") { return found }
            }
            return nil
        case (.object(let left), .object(let right)):
            let (left, right) = (left.filter { $0.key != "sha1" }, right.filter { $0.key != "sha1" })
            guard left.map(\.key).sorted() == right.map(\.key).sorted() else {
                return "\(place): keys \(left.map(\.key)), not \(right.map(\.key))"
            }
            for member in left {
                guard let value = other[member.key] else { return "\(place).\(member.key): missing" }
                if let found = member.value.difference(from: value, at: "\(place).\(member.key)") { return found }
            }
            return nil
        default:
            return self == other ? nil : "\(place): \(self) is not \(other)"
        }
    }
}

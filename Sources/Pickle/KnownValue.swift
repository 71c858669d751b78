/// Instances that stand for a plain value: what `REDUCE` of a well-known callable means, read from its arguments alone.
enum KnownValue {
    case set([PickleDocument.Slot])
    case frozenSet([PickleDocument.Slot])
    /// `_codecs.encode(text, 'latin1')`, or `bytes()` when there are none: bytes as Python 3 writes them below protocol 3.
    case bytes([UInt8])
    /// ISO 8601, and the zone's slot when it has one.
    case dateTime(String, zone: PickleDocument.Slot?)
    case date(String)
    case time(String)

    init?(_ instance: PickleInstance, in document: PickleDocument) {
        guard instance.kind == .reduce, let name = instance.className, instance.states.isEmpty,
            instance.items.isEmpty, instance.entries.isEmpty
        else { return nil }
        if instance.arguments.isEmpty, ["builtins", "__builtin__"].contains(name.module), name.name == "bytes",
            let tuple = instance.argumentTuple, case .tuple = document[tuple]
        {
            self = .bytes([])
            return
        }
        guard let first = instance.arguments.first else { return nil }
        let arguments = instance.arguments
        switch (name.module, name.name) {
        case ("builtins", "set"), ("__builtin__", "set"):
            guard arguments.count == 1, case .list(let items) = document[first] else { return nil }
            self = .set(items)
        case ("builtins", "frozenset"), ("__builtin__", "frozenset"):
            guard arguments.count == 1, case .list(let items) = document[first] else { return nil }
            self = .frozenSet(items)
        case ("_codecs", "encode"):
            guard arguments.count == 2, case .text(let utf8) = document[first],
                let codec = document.stringBytes(arguments[1]), String(decoding: codec, as: UTF8.self) == "latin1"
            else { return nil }
            let scalars = String(decoding: utf8, as: UTF8.self).unicodeScalars
            guard scalars.allSatisfy({ $0.value < 256 }) else { return nil }
            self = .bytes(scalars.map { UInt8($0.value) })
        case ("datetime", "datetime"):
            guard let text = Self.dateTime(document.dateBytes(first)), arguments.count <= 2 else { return nil }
            self = .dateTime(text, zone: arguments.dropFirst().first)
        case ("datetime", "date"):
            guard let bytes = document.dateBytes(first), bytes.count == 4, arguments.count == 1 else { return nil }
            self = .date(Self.date(bytes))
        case ("datetime", "time"):
            guard let bytes = document.dateBytes(first), bytes.count == 6, arguments.count == 1 else { return nil }
            self = .time(Self.time(bytes[...]))
        default:
            return nil
        }
    }

    /// Year (16 bits), month, day, hour, minute, second, microseconds (24 bits). The month's high bit is Python's `fold`.
    private static func dateTime(_ bytes: [UInt8]?) -> String? {
        guard let bytes, bytes.count == 10 else { return nil }
        return date(bytes) + "T" + time(bytes[4...])
    }

    private static func date(_ bytes: [UInt8]) -> String {
        let year = Int(bytes[0]) << 8 | Int(bytes[1])
        return "\(padded(year, 4))-\(padded(Int(bytes[2] & 0x7f), 2))-\(padded(Int(bytes[3]), 2))"
    }

    private static func time(_ bytes: ArraySlice<UInt8>) -> String {
        let parts = Array(bytes)
        let micro = Int(parts[3]) << 16 | Int(parts[4]) << 8 | Int(parts[5])
        let clock = "\(padded(Int(parts[0] & 0x7f), 2)):\(padded(Int(parts[1]), 2)):\(padded(Int(parts[2]), 2))"
        return micro == 0 ? clock : "\(clock).\(padded(micro, 6))"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension PickleDocument {
    /// The packed fields of a date or time: bytes, a Python 2 string, or `_codecs.encode(…)` of them.
    fileprivate func dateBytes(_ slot: Slot) -> [UInt8]? {
        switch self[slot] {
        case .bytes(let bytes), .nativeString(let bytes): return bytes
        case .instance(let call):
            if case .bytes(let bytes)? = KnownValue(call, in: self) { return bytes }
            return nil
        default: return nil
        }
    }
}

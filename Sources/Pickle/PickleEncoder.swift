/// Writes values as opcodes, byte for byte as Python's own pickler of that generation does with `fast = True`: nothing
/// is memoized, so that what is written can stand anywhere in a pickle and no memo number can clash.
public struct PickleEncoder: Sendable {
    public let style: PickleStyle
    public private(set) var bytes: [UInt8] = []
    var depth = 0

    public init(_ style: PickleStyle) {
        self.style = style
    }

    /// The opcodes that push `value`.
    public static func opcodes(_ value: PickleValue, _ style: PickleStyle) throws(PickleValueError) -> [UInt8] {
        var encoder = PickleEncoder(style)
        try encoder.append(value)
        return encoder.bytes
    }

    /// A whole pickle: PROTO where the protocol has it, the value, STOP.
    public static func pickle(_ value: PickleValue, _ style: PickleStyle) throws(PickleValueError) -> [UInt8] {
        var encoder = PickleEncoder(style)
        try encoder.appendPickle(value)
        return encoder.bytes
    }

    /// A record: the class pickle, then the state pickle. `classValue` is a global, or one of the other forms that ZODB
    /// knows (`ZODB/serialize.py`).
    public static func record(
        class classValue: PickleValue, state: PickleValue, _ style: PickleStyle
    ) throws(PickleValueError) -> [UInt8] {
        var encoder = PickleEncoder(style)
        try encoder.appendPickle(classValue)
        try encoder.appendPickle(state)
        return encoder.bytes
    }

    public mutating func appendPickle(_ value: PickleValue) throws(PickleValueError) {
        if style.protocolNumber >= 2 {
            write(.proto)
            bytes.append(UInt8(style.protocolNumber))
        }
        try append(value)
        write(.stop)
    }

    public mutating func append(_ value: PickleValue) throws(PickleValueError) {
        guard depth < PickleValue.depthLimit else { throw .tooDeep(limit: PickleValue.depthLimit) }
        depth += 1
        defer { depth -= 1 }
        switch value {
        case .none: write(.none)
        case .bool(let value): append(value)
        case .integer(let value): try append(value)
        case .float(let value): append(value)
        case .text(let utf8): append(text: utf8)
        case .nativeString(let string): try append(nativeString: string)
        case .bytes(let value): try append(bytes: value)
        case .byteArray(let value): try append(byteArray: value)
        case .tuple(let items): try append(tuple: items)
        case .list(let items):
            if style.protocolNumber == 0 { write(.mark, .list) } else { write(.emptyList) }
            try append(items: items, restOfOneIsSingle: style.isPython2)
        case .dict(let entries):
            if style.protocolNumber == 0 { write(.mark, .dict) } else { write(.emptyDict) }
            try append(entries: entries, isDict: true)
        case .set(let items): try append(set: items)
        case .frozenSet(let items): try append(frozenSet: items)
        case .global(let name): try append(name)
        case .persistentID(let id):
            try append(id)
            write(.persistentID)
        case .persistentText(let text):
            guard !text.contains(UInt8(ascii: "\n")) else { throw .notDetachable("a persistent id of two lines") }
            write(.persistentText)
            bytes += text + [UInt8(ascii: "\n")]
        case .instance(let instance): try append(instance)
        case .extensionCode(let code): append(extensionCode: code)
        }
    }

    // MARK: Pieces

    mutating func write(_ opcodes: Opcode...) {
        for opcode in opcodes { bytes.append(opcode.rawValue) }
    }

    mutating func write(_ opcode: Opcode, line: some StringProtocol) {
        bytes.append(opcode.rawValue)
        bytes.append(contentsOf: line.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func write(littleEndian value: some FixedWidthInteger & BitwiseCopyable) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(contentsOf more: [UInt8]) { bytes += more }

    /// An opcode with its argument's length (in the first width that holds it) and the argument.
    mutating func write(counted argument: [UInt8], _ short: Opcode?, _ medium: Opcode, _ long: Opcode?) {
        if let short, argument.count < 256 {
            write(short)
            bytes.append(UInt8(argument.count))
        } else if argument.count <= UInt32.max || long == nil {
            write(medium)
            write(littleEndian: UInt32(clamping: argument.count))
        } else if let long {
            write(long)
            write(littleEndian: UInt64(argument.count))
        }
        bytes += argument
    }

    // MARK: Containers

    private mutating func append(tuple items: [PickleValue]) throws(PickleValueError) {
        let short: [Opcode] = [.emptyTuple, .tuple1, .tuple2, .tuple3]
        // Protocol 0 has no EMPTY_TUPLE, protocols 0 and 1 no TUPLE1 to TUPLE3.
        let hasShort = style.protocolNumber >= 2 ? items.count < 4 : items.isEmpty && style.protocolNumber == 1
        if !hasShort { write(.mark) }
        for item in items { try append(item) }
        write(hasShort ? short[items.count] : .tuple)
    }

    /// How many items one batch holds, in every pickler.
    private static let batch = 1000

    /// APPENDS in batches, or APPEND for one item. Picklers differ in a last batch of one: those that go through an
    /// iterator write APPEND for it, those that know the list write APPENDS.
    mutating func append(items: [PickleValue], restOfOneIsSingle: Bool) throws(PickleValueError) {
        guard style.protocolNumber > 0 else {
            for item in items {
                try append(item)
                write(.append)
            }
            return
        }
        for start in stride(from: 0, to: items.count, by: Self.batch) {
            let batch = items[start..<min(start + Self.batch, items.count)]
            let isSingle = batch.count == 1 && (start == 0 || restOfOneIsSingle)
            if !isSingle { write(.mark) }
            for item in batch { try append(item) }
            write(isSingle ? .append : .appends)
        }
    }

    /// As for items. For a real dict every pickler looks for more behind a full batch, and may find none.
    mutating func append(entries: [PickleValue.Entry], isDict: Bool) throws(PickleValueError) {
        guard style.protocolNumber > 0 else {
            for entry in entries {
                try append(key: entry.key)
                try append(entry.value)
                write(.setItem)
            }
            return
        }
        for start in stride(from: 0, to: entries.count, by: Self.batch) {
            let batch = entries[start..<min(start + Self.batch, entries.count)]
            let isSingle = batch.count == 1 && (start == 0 || !isDict)
            if !isSingle { write(.mark) }
            for entry in batch {
                try append(key: entry.key)
                try append(entry.value)
            }
            write(isSingle ? .setItem : .setItems)
        }
        if isDict, !entries.isEmpty, entries.count.isMultiple(of: Self.batch) { write(.mark, .setItems) }
    }

    /// A dict's key or a set's item.
    mutating func append(key: PickleValue) throws(PickleValueError) {
        if let kind = key.unhashableKind { throw .unhashable(kind) }
        try append(key)
    }

    private mutating func append(set items: [PickleValue]) throws(PickleValueError) {
        guard style.protocolNumber >= 4 else { return try append(setCall: "set", items) }
        write(.emptySet)
        for start in stride(from: 0, to: items.count, by: Self.batch) {
            write(.mark)
            for item in items[start..<min(start + Self.batch, items.count)] { try append(key: item) }
            write(.addItems)
        }
        if !items.isEmpty, items.count.isMultiple(of: Self.batch) { write(.mark, .addItems) }
    }

    private mutating func append(frozenSet items: [PickleValue]) throws(PickleValueError) {
        guard style.protocolNumber >= 4 else { return try append(setCall: "frozenset", items) }
        write(.mark)
        for item in items { try append(key: item) }
        write(.frozenSet)
    }

    /// Below protocol 4 a set is a call with a list.
    private mutating func append(setCall name: String, _ items: [PickleValue]) throws(PickleValueError) {
        for item in items {
            if let kind = item.unhashableKind { throw .unhashable(kind) }
        }
        try append(builtin: name)
        try append(.tuple([.list(items)]))
        write(.reduce)
    }
}

extension PickleValue {
    /// What it is, when Python refuses it as a key.
    var unhashableKind: String? {
        switch self {
        case .list: "list"
        case .dict: "dict"
        case .set: "set"
        case .byteArray: "bytearray"
        case .tuple(let items): items.lazy.compactMap(\.unhashableKind).first
        default: nil
        }
    }
}

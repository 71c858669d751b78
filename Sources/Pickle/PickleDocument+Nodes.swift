extension PickleDocument {
    public subscript(slot: Slot) -> PickleNode { self[slot.node] }

    /// The value, its children as slots. Numbers and texts are decoded here, each time they are asked for.
    public subscript(id: NodeID) -> PickleNode {
        let record = nodes[Int(id.index)]
        let argument = self.argument(of: record)
        switch record.opcode {
        case .none: return .none
        case .newTrue: return .bool(true)
        case .newFalse: return .bool(false)
        case .binInt1, .binInt2: return .integer(PickleInteger(Int64(littleEndian(argument))))
        case .binInt:
            return .integer(PickleInteger(Int64(Int32(truncatingIfNeeded: littleEndian(argument)))))
        case .long1, .long4:
            return .integer(PickleInteger(twosComplement: Array(source[argument]), isLong: true))
        case .int, .long: return TextArgument.number(record.opcode, source[argument])
        case .binFloat: return .float(Double(bitPattern: bigEndian(argument)))
        case .float: return .float(TextArgument.float(source[argument]))
        case .binUnicode, .shortBinUnicode, .binUnicode8: return .text(Array(source[argument]))
        case .unicode: return .text(TextArgument.rawUnicodeEscape(source[argument]))
        case .binBytes, .shortBinBytes, .binBytes8: return .bytes(Array(source[argument]))
        case .binString, .shortBinString: return .nativeString(Array(source[argument]))
        case .string: return .nativeString(TextArgument.quoted(source[argument]) ?? [])
        case .byteArray8: return .byteArray(Array(source[argument]))
        case .emptyTuple: return .tuple([])
        case .tuple, .tuple1, .tuple2, .tuple3: return .tuple(Array(firstOperands(of: record)))
        case .emptyList, .list: return .list(allOperands(of: record))
        case .emptyDict, .dict: return .dict(Self.entries(allOperands(of: record)))
        case .emptySet: return .set(allOperands(of: record))
        case .frozenSet: return .frozenSet(Array(firstOperands(of: record)))
        case .global: return .global(TextArgument.globalName(source[argument]))
        case .stackGlobal: return stackGlobal(record)
        case .persistentID: return firstOperands(of: record).first.map { .persistentID($0) } ?? .none
        case .persistentText: return .persistentText(Array(source[argument].dropLast()))
        case .extension1, .extension2, .extension4: return .extensionCode(Int(littleEndian(argument)))
        case .nextBuffer: return .outOfBandBuffer
        case .reduce, .newObject, .newObjectEx, .inst, .obj: return .instance(instance(record))
        default: return .none
        }
    }

    /// Whether two slots show the same value: the same object in Python, not merely an equal one.
    public func isSame(_ left: Slot, _ right: Slot) -> Bool { left.nodeIndex == right.nodeIndex }

    /// The opcode that made the value.
    public func opcode(of slot: Slot) -> Opcode { nodes[Int(slot.nodeIndex)].opcode }

    /// The value's states given by BUILD, for what is not an instance (a class or reference that takes a state).
    public func states(of slot: Slot) -> [Slot] {
        operands(of: nodes[Int(slot.nodeIndex)]) { $0 == .build }
    }

    /// Whether any string is one of Python 2: an opcode `S`, `T` or `U`.
    public var hasNativeStrings: Bool {
        nodes.contains { $0.opcode == .shortBinString || $0.opcode == .binString || $0.opcode == .string }
    }

    /// The operand of every persistent reference, in the order they are written, repeats included.
    public var persistentIDs: [Slot] {
        nodes.compactMap { record in record.opcode == .persistentID ? firstOperands(of: record).first : nil }
    }

    /// Whether there is a persistent reference of protocol 0, as text.
    public var hasPersistentTexts: Bool { nodes.contains { $0.opcode == .persistentText } }

    /// The range of the value's argument bytes (a text's UTF-8, without opcode and length) for strings; nil otherwise.
    public func contentRange(of slot: Slot) -> Range<Int>? {
        let record = nodes[Int(slot.nodeIndex)]
        switch record.opcode {
        case .binUnicode, .shortBinUnicode, .binUnicode8, .binBytes, .shortBinBytes, .binBytes8, .binString,
            .shortBinString, .byteArray8:
            return argument(of: record)
        default:
            return nil
        }
    }

    // MARK: Steps

    private func firstOperands(of record: NodeRecord) -> ArraySlice<Slot> {
        guard record.firstStep >= 0 else { return [] }
        let step = steps[Int(record.firstStep)]
        return operands[Int(step.first)..<Int(step.first) + Int(step.count)]
    }

    private func allOperands(of record: NodeRecord) -> [Slot] { operands(of: record) { _ in true } }

    private func operands(of record: NodeRecord, where included: (Opcode) -> Bool) -> [Slot] {
        var result: [Slot] = []
        var index = record.firstStep
        while index >= 0 {
            let step = steps[Int(index)]
            if included(step.opcode) {
                result.append(contentsOf: operands[Int(step.first)..<Int(step.first) + Int(step.count)])
            }
            index = step.next
        }
        return result
    }

    private static func entries(_ slots: [Slot]) -> [Entry] {
        stride(from: 0, to: slots.count - 1, by: 2).map { Entry(key: slots[$0], value: slots[$0 + 1]) }
    }

    private func instance(_ record: NodeRecord) -> PickleInstance {
        let made = firstOperands(of: record)
        let kind: PickleInstance.Kind
        var callable: Slot?
        var className: GlobalName?
        var tuple: Slot?
        var keywords: Slot?
        var arguments: [Slot] = []
        switch record.opcode {
        case .inst:
            kind = .oldStyle
            className = TextArgument.globalName(source[argument(of: record)])
            arguments = Array(made)
        case .obj:
            kind = .oldStyle
            callable = made.first
            arguments = Array(made.dropFirst())
        default:
            kind = record.opcode == .reduce ? .reduce : record.opcode == .newObject ? .newObject : .newObjectEx
            callable = made.first
            tuple = made.dropFirst().first
            keywords = made.dropFirst(2).first
            if let tuple, case .tuple(let items) = self[tuple] { arguments = items }
        }
        if let callable, case .global(let name) = self[callable] { className = name }
        let changes: (Set<Opcode>) -> [Slot] = { opcodes in self.operands(of: record) { opcodes.contains($0) } }
        return PickleInstance(
            kind: kind, callable: callable, className: className, argumentTuple: tuple, arguments: arguments,
            keywords: keywords, states: changes([.build]), items: changes([.append, .appends, .addItems]),
            entries: Self.entries(changes([.setItem, .setItems])))
    }

    private func stackGlobal(_ record: NodeRecord) -> PickleNode {
        let parts = firstOperands(of: record).map { slot in
            switch self[slot] {
            case .text(let bytes), .bytes(let bytes), .nativeString(let bytes): String(decoding: bytes, as: UTF8.self)
            default: "?"
            }
        }
        return .global(GlobalName(module: parts.first ?? "?", name: parts.last ?? "?"))
    }

    // MARK: Arguments

    /// The argument's bytes. The parser has checked that they lie inside the source.
    func argument(of record: NodeRecord) -> Range<Int> {
        let first = Int(record.start) + 1
        switch record.opcode.argument {
        case .nothing: return first..<first
        case .fixed(let count): return first..<first + count
        case .counted(let width):
            return first + width..<first + width + Int(littleEndian(first..<first + width))
        case .lines(let lines):
            var end = first
            for _ in 0..<lines {
                while source[end] != UInt8(ascii: "\n") { end += 1 }
                end += 1
            }
            return first..<end
        }
    }

    private func littleEndian(_ range: Range<Int>) -> UInt64 {
        range.reversed().reduce(0) { $0 << 8 | UInt64(source[$1]) }
    }

    private func bigEndian(_ range: Range<Int>) -> UInt64 {
        range.reduce(0) { $0 << 8 | UInt64(source[$1]) }
    }
}

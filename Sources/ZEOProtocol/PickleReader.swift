internal import ByteCoding

/// Reads one pickled message body into a `WireValue`: protocols 0 to 3, as ZEO peers of all ages write them, and the
/// few opcodes of protocol 4 that plain values need.
///
/// It resolves no name and calls nothing: GLOBAL, REDUCE, BUILD, INST, OBJ and NEWOBJ become inert data. Every
/// container is a node that others refer to by number, so that a memo can share it and even put it into itself; the
/// value at the end is a tree, and a pickle whose tree would be too deep or too large is refused.
///
/// Offsets in errors count from the start of the body.
struct PickleReader {
    /// A tree deeper than this is refused. Messages of real peers nest about ten deep.
    static let deepest = 200
    /// Digits of a decimal integer.
    static let longestInteger = 1000

    enum Node {
        case leaf(WireValue)
        case tuple([Int])
        case list([Int])
        /// Keys and values in turn.
        case dict([Int])
        indirect case instance(callable: Int, arguments: Int, state: Int?, contents: [Int])
    }

    private(set) var nodes: [Node] = []
    private var stack: [Int] = []
    private var marks: [Int] = []
    private var memo: [Int: Int] = [:]
    /// Where the opcode being carried out stands.
    private var opcodeOffset = 0
    /// How many more opcodes there may be: each may cost many times its byte in memory.
    private var budget: Int

    private init(budget: Int) {
        self.budget = budget
    }

    /// - Parameter limit: the most opcodes, and the most values.
    static func value(of body: [UInt8], limit: Int = .max) throws(FormatError) -> WireValue {
        var reader = ByteReader(body.span.bytes)
        var machine = PickleReader(budget: limit)
        let root = try machine.run(&reader)
        guard reader.isAtEnd else {
            throw FormatError(
                .invalid(field: "pickle", found: "\(reader.remaining) bytes after its end"), at: reader.offset)
        }
        var tree = PickleTree(nodes: machine.nodes, budget: min(body.count * 4 + 1000, limit), end: reader.offset)
        return try tree.value(of: root)
    }

    /// Carries out opcodes up to STOP; the node that remains.
    private mutating func run(_ reader: inout ByteReader) throws(FormatError) -> Int {
        while true {
            opcodeOffset = reader.offset
            budget -= 1
            guard budget >= 0 else { throw invalid("pickle", "more opcodes than any message has") }
            let code: UInt8 = try reader.read()
            if code == UInt8(ascii: ".") { return try pop() }
            if try readScalar(code, &reader) { continue }
            if try readMemo(code, &reader) { continue }
            try build(code, &reader)
        }
    }

    // MARK: Scalars

    /// - Returns: false when `code` is no opcode of a scalar.
    private mutating func readScalar(_ code: UInt8, _ reader: inout ByteReader) throws(FormatError) -> Bool {
        switch code {
        case UInt8(ascii: "N"): push(.none)
        case 0x88: push(.bool(true))
        case 0x89: push(.bool(false))
        case UInt8(ascii: "K"): push(.integer(Int64(try reader.read(as: UInt8.self))))
        case UInt8(ascii: "M"): push(.integer(Int64(UInt16(littleEndianOf: try reader.read()))))
        case UInt8(ascii: "J"): push(.integer(Int64(Int32(littleEndianOf: try reader.read()))))
        case 0x8a: push(.twosComplement(try reader.read(count: Int(try reader.read(as: UInt8.self)))))
        case 0x8b: push(.twosComplement(try reader.read(count: try count32(&reader))))
        case UInt8(ascii: "I"): push(try integerLine(&reader))
        case UInt8(ascii: "L"): push(try integerLine(&reader))
        case UInt8(ascii: "G"): push(.float(Double(bitPattern: try reader.read())))
        case UInt8(ascii: "F"): push(.float(try floatLine(&reader)))
        case UInt8(ascii: "U"): push(.nativeString(try reader.read(count: Int(try reader.read(as: UInt8.self)))))
        case UInt8(ascii: "T"): push(.nativeString(try reader.read(count: try count32(&reader))))
        case UInt8(ascii: "S"): push(.nativeString(try quotedLine(&reader)))
        case UInt8(ascii: "C"): push(.bytes(try reader.read(count: Int(try reader.read(as: UInt8.self)))))
        case UInt8(ascii: "B"): push(.bytes(try reader.read(count: try count32(&reader))))
        case 0x8e: push(.bytes(try reader.read(count: try count64(&reader))))
        case 0x8c: push(.text(try reader.read(count: Int(try reader.read(as: UInt8.self)))))
        case UInt8(ascii: "X"): push(.text(try reader.read(count: try count32(&reader))))
        case 0x8d: push(.text(try reader.read(count: try count64(&reader))))
        case UInt8(ascii: "V"): push(.text(PickleLines.rawUnicodeEscape(try line(&reader))))
        case UInt8(ascii: "c"):
            let module = try line(&reader)
            push(.global(module: String(decoding: module, as: UTF8.self), name: try nameLine(&reader)))
        default: return false
        }
        return true
    }

    private func count32(_ reader: inout ByteReader) throws(FormatError) -> Int {
        let count = Int32(littleEndianOf: try reader.read())
        guard count >= 0 else { throw invalid("length", String(count)) }
        return Int(count)
    }

    private func count64(_ reader: inout ByteReader) throws(FormatError) -> Int {
        let count = UInt64(littleEndianOf: try reader.read())
        guard let count = Int(exactly: count) else { throw invalid("length", String(count)) }
        return count
    }

    private func line(_ reader: inout ByteReader) throws(FormatError) -> [UInt8] {
        var line: [UInt8] = []
        while true {
            let byte: UInt8 = try reader.read()
            if byte == UInt8(ascii: "\n") { return line }
            line.append(byte)
        }
    }

    private func nameLine(_ reader: inout ByteReader) throws(FormatError) -> String {
        String(decoding: try line(&reader), as: UTF8.self)
    }

    /// `01` and `00` are the truth values of protocols 0 and 1; the `L` of a Python 2 long is dropped.
    private func integerLine(_ reader: inout ByteReader) throws(FormatError) -> WireValue {
        let text = try line(&reader)
        switch text {
        case [0x30, 0x31]: return .bool(true)
        case [0x30, 0x30]: return .bool(false)
        default:
            guard text.count <= Self.longestInteger, let value = PickleLines.integer(text) else {
                throw invalid("integer", WireValue.escaped(text, keepingText: false))
            }
            return value
        }
    }

    private func floatLine(_ reader: inout ByteReader) throws(FormatError) -> Double {
        let text = try line(&reader)
        guard text.count <= Self.longestInteger, let value = Double(String(decoding: text, as: UTF8.self)) else {
            throw invalid("float", WireValue.escaped(text, keepingText: false))
        }
        return value
    }

    private func quotedLine(_ reader: inout ByteReader) throws(FormatError) -> [UInt8] {
        let text = try line(&reader)
        guard let bytes = PickleLines.stringLiteral(text) else {
            throw invalid("string literal", WireValue.escaped(text, keepingText: false))
        }
        return bytes
    }

    // MARK: Memo and stack

    private mutating func readMemo(_ code: UInt8, _ reader: inout ByteReader) throws(FormatError) -> Bool {
        switch code {
        case UInt8(ascii: "q"): memo[Int(try reader.read(as: UInt8.self))] = try top()
        case UInt8(ascii: "r"): memo[try count32(&reader)] = try top()
        case UInt8(ascii: "p"): memo[try memoLine(&reader)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): try get(Int(try reader.read(as: UInt8.self)))
        case UInt8(ascii: "j"): try get(try count32(&reader))
        case UInt8(ascii: "g"): try get(try memoLine(&reader))
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): stack.append(try top())
        // PROTO and FRAME say nothing that matters here.
        case 0x80: try reader.skip(1)
        case 0x95: try reader.skip(8)
        default: return false
        }
        return true
    }

    private func memoLine(_ reader: inout ByteReader) throws(FormatError) -> Int {
        let text = String(decoding: try line(&reader), as: UTF8.self)
        guard let number = Int(text), number >= 0 else { throw invalid("memo number", text) }
        return number
    }

    private mutating func get(_ number: Int) throws(FormatError) {
        guard let node = memo[number] else { throw invalid("memo number", String(number)) }
        stack.append(node)
    }

    private mutating func push(_ value: WireValue) { make(.leaf(value)) }

    private mutating func make(_ node: Node) {
        stack.append(nodes.count)
        nodes.append(node)
    }

    private func top() throws(FormatError) -> Int {
        guard stack.count > (marks.last ?? 0), let node = stack.last else { throw invalid("stack", "nothing on it") }
        return node
    }

    private mutating func pop() throws(FormatError) -> Int {
        let node = try top()
        stack.removeLast()
        return node
    }

    private mutating func pop(_ count: Int) throws(FormatError) -> [Int] {
        guard stack.count - (marks.last ?? 0) >= count else { throw invalid("stack", "too little on it") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(FormatError) -> [Int] {
        guard let mark = marks.popLast() else { throw invalid("stack", "no mark on it") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    // MARK: Containers and instances

    private mutating func build(_ code: UInt8, _ reader: inout ByteReader) throws(FormatError) {
        switch code {
        case UInt8(ascii: ")"): make(.tuple([]))
        case 0x85: make(.tuple(try pop(1)))
        case 0x86: make(.tuple(try pop(2)))
        case 0x87: make(.tuple(try pop(3)))
        case UInt8(ascii: "t"): make(.tuple(try popToMark()))
        case UInt8(ascii: "]"): make(.list([]))
        case UInt8(ascii: "l"): make(.list(try popToMark()))
        case UInt8(ascii: "}"): make(.dict([]))
        case UInt8(ascii: "d"): make(.dict(try pairs(try popToMark())))
        case UInt8(ascii: "a"): try append(try pop(1))
        case UInt8(ascii: "e"): try append(try popToMark())
        case UInt8(ascii: "s"): try setItems(try pop(2))
        case UInt8(ascii: "u"): try setItems(try pairs(try popToMark()))
        case UInt8(ascii: "R"), 0x81:
            let parts = try pop(2)
            make(.instance(callable: parts[0], arguments: parts[1], state: nil, contents: []))
        case UInt8(ascii: "b"): try setState(try pop())
        case UInt8(ascii: "i"):
            let arguments = try popToMark()
            let module = try nameLine(&reader)
            push(.global(module: module, name: try nameLine(&reader)))
            try instantiate(try pop(), arguments)
        case UInt8(ascii: "o"):
            let parts = try popToMark()
            guard let callable = parts.first else { throw invalid("stack", "no class for OBJ") }
            try instantiate(callable, Array(parts.dropFirst()))
        case 0x93:
            let parts = try pop(2)
            guard case .leaf(let module) = nodes[parts[0]], case .leaf(let name) = nodes[parts[1]],
                let module = module.name, let name = name.name
            else { throw invalid("class name", "no text") }
            push(.global(module: module, name: name))
        default:
            // Persistent references, extension codes and sets: no message has them.
            throw invalid("pickle opcode", "0x" + Hexadecimal.text(code, width: 2))
        }
    }

    private mutating func instantiate(_ callable: Int, _ arguments: [Int]) throws(FormatError) {
        make(.tuple(arguments))
        make(.instance(callable: callable, arguments: try pop(), state: nil, contents: []))
    }

    private func pairs(_ items: [Int]) throws(FormatError) -> [Int] {
        guard items.count.isMultiple(of: 2) else { throw invalid("dict", "a key without a value") }
        return items
    }

    private mutating func append(_ items: [Int]) throws(FormatError) {
        let target = try top()
        switch nodes[target] {
        case .list(var elements):
            nodes[target] = .list([])  // gives up its hold on the array, which then grows in place
            elements.append(contentsOf: items)
            nodes[target] = .list(elements)
        case .instance(let callable, let arguments, let state, var contents):
            nodes[target] = .list([])
            contents.append(contentsOf: items)
            nodes[target] = .instance(
                callable: callable, arguments: arguments, state: state, contents: contents)
        default: throw invalid("APPEND", "no list on the stack")
        }
    }

    private mutating func setItems(_ items: [Int]) throws(FormatError) {
        let target = try top()
        switch nodes[target] {
        case .dict(var entries):
            nodes[target] = .dict([])
            entries.append(contentsOf: items)
            nodes[target] = .dict(entries)
        case .instance(let callable, let arguments, let state, var contents):
            nodes[target] = .list([])
            for index in stride(from: 0, to: items.count - 1, by: 2) {
                contents.append(nodes.count)
                nodes.append(.tuple([items[index], items[index + 1]]))
            }
            nodes[target] = .instance(callable: callable, arguments: arguments, state: state, contents: contents)
        default: throw invalid("SETITEM", "no dict on the stack")
        }
    }

    private mutating func setState(_ state: Int) throws(FormatError) {
        let target = try top()
        guard case .instance(let callable, let arguments, _, let contents) = nodes[target] else {
            throw invalid("BUILD", "no instance on the stack")
        }
        nodes[target] = .instance(callable: callable, arguments: arguments, state: state, contents: contents)
    }

    private func invalid(_ field: String, _ found: String) -> FormatError {
        FormatError(.invalid(field: field, found: found), at: opcodeOffset)
    }
}

extension FixedWidthInteger {
    /// `ByteReader` reads big-endian; binary pickle opcodes hold little-endian numbers.
    fileprivate init(littleEndianOf value: Self) { self = value.byteSwapped }
}

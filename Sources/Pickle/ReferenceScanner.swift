/// Reads a record's opcodes for its references and nothing else: the fast way through a whole database.
///
/// One 32-bit item per stack entry and memo number is all it keeps. It never guesses: what it does not know for certain
/// (an extension code, a persistent id of another shape, a number of the memo above its table) it calls *odd*, and the
/// caller gives the record to `PickleDocument`, which knows every form. About 2 GB/s; the document does 0.5.
///
/// Equality with ZODB's own `referencesf` is tested on every sample record.
public struct ReferenceScanner: ~Copyable {
    public enum Outcome: Hashable, Sendable {
        /// Both pickles were read; `references` holds what they refer to, in order, repeats included.
        case complete
        /// The opcode at this offset is beyond the scanner: read the record as a document.
        case odd(at: Int)
        /// Of a strict scanner: Python cannot load the record for what stands at this offset.
        case unreadable(at: Int, Problem)
    }

    /// What Python refuses although the opcodes and their arguments are whole.
    public enum Problem: Hashable, Sendable {
        /// A text, or a class's name, that is no UTF-8 (surrogates as three bytes count as such).
        case text
        /// Keys and values of a dict that are not as many.
        case oddItems
        /// An item that is put into what holds none, a text or a tuple; a list or a dict as a key.
        case container
    }

    /// Objects that the record refers to strongly: oids in the order they are written, repeats included.
    public private(set) var references: [UInt64] = []
    /// After a complete scan: the bytes of the record up to the end of its second pickle.
    public private(set) var end = 0
    /// Opcodes executed since the scanner was made.
    public private(set) var opcodeCount = 0

    /// An item is `offset << 2 | kind`; 0 is a memo number never defined.
    private var stack: UnsafeMutableBufferPointer<UInt32>
    private let memo: UnsafeMutableBufferPointer<UInt32>
    private var highestMemo = -1

    private static let memoSize = 1 << 16
    private static let other: UInt32 = 1 << 2
    /// What items may be put into besides a list: no offset is so small.
    private static let dict: UInt32 = 2 << 2
    /// Made by a class, or by whoever loads persistent objects: anything may be put into it.
    private static let object: UInt32 = 3 << 2
    private static let oid: UInt32 = 1
    private static let oidTuple: UInt32 = 2
    private static let list: UInt32 = 3
    /// Offsets have 30 bits.
    private static let maximumLength = 1 << 30

    /// Whether texts are looked at too.
    private let isStrict: Bool

    /// - Parameter isStrict: look for what is `unreadable`; it takes a fifth longer.
    public init(isStrict: Bool = false) {
        self.isStrict = isStrict
        stack = .allocate(capacity: 1 << 16)
        memo = .allocate(capacity: Self.memoSize)
        memo.initialize(repeating: 0)
    }

    deinit {
        stack.deallocate()
        memo.deallocate()
    }

    /// Scans one record: two pickles with one memo.
    public mutating func scan(record: UnsafeRawBufferPointer) -> Outcome {
        references.removeAll(keepingCapacity: true)
        guard record.count < Self.maximumLength else { return .odd(at: 0) }
        // One opcode pushes one item at most, so a stack as large as the record cannot overflow.
        if stack.count <= record.count {
            stack.deallocate()
            stack = .allocate(capacity: record.count + 1)
        }
        defer {
            if highestMemo >= 0 { memo[0...highestMemo].update(repeating: 0) }
            highestMemo = -1
        }
        var at = 0
        for _ in 0..<2 {
            let outcome = scanPickle(record, from: &at)
            guard outcome == .complete else { return outcome }
        }
        end = at
        return .complete
    }

    // The one long function of this module: split up, the stack and the offset would travel through memory, and it
    // would run at half the speed.
    private mutating func scanPickle(_ bytes: UnsafeRawBufferPointer, from start: inout Int) -> Outcome {
        let end = bytes.count
        let stack = self.stack
        let memo = self.memo
        var at = start
        var depth = 0
        var marks: [Int] = []
        var floor = 0
        while true {
            guard at < end else { return .odd(at: at) }
            let opcodeAt = at
            let opcode = bytes[at]
            at &+= 1
            opcodeCount &+= 1
            switch opcode {
            case 0x71:  // BINPUT
                guard depth > floor, at < end else { return .odd(at: opcodeAt) }
                let id = Int(bytes[at])
                memo[id] = stack[depth &- 1]
                highestMemo = max(highestMemo, id)
                at &+= 1
            case 0x68:  // BINGET
                guard at < end else { return .odd(at: opcodeAt) }
                let item = memo[Int(bytes[at])]
                guard item != 0 else { return .odd(at: opcodeAt) }
                stack[depth] = item
                depth &+= 1
                at &+= 1
            case 0x43, 0x55:  // SHORT_BINBYTES, SHORT_BINSTRING
                guard at < end else { return .odd(at: opcodeAt) }
                let count = Int(bytes[at])
                at &+= 1
                guard end &- at >= count else { return .odd(at: opcodeAt) }
                stack[depth] = count == 8 ? UInt32(truncatingIfNeeded: at) << 2 | Self.oid : Self.other
                depth &+= 1
                at &+= count
            case 0x58, 0x42, 0x54:  // BINUNICODE, BINBYTES, BINSTRING
                guard end &- at >= 4 else { return .odd(at: opcodeAt) }
                let count = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
                at &+= 4
                guard end &- at >= count else { return .odd(at: opcodeAt) }
                if isStrict, opcode == 0x58, !Self.isText(bytes, at, count) { return .unreadable(at: at, .text) }
                let isOID = opcode != 0x58 && count == 8
                stack[depth] = isOID ? UInt32(truncatingIfNeeded: at) << 2 | Self.oid : Self.other
                depth &+= 1
                at &+= count
            case 0x4b:  // BININT1
                guard at < end else { return .odd(at: opcodeAt) }
                at &+= 1
                stack[depth] = Self.other
                depth &+= 1
            case 0x4d:  // BININT2
                guard end &- at >= 2 else { return .odd(at: opcodeAt) }
                at &+= 2
                stack[depth] = Self.other
                depth &+= 1
            case 0x4a:  // BININT
                guard end &- at >= 4 else { return .odd(at: opcodeAt) }
                at &+= 4
                stack[depth] = Self.other
                depth &+= 1
            case 0x47:  // BINFLOAT
                guard end &- at >= 8 else { return .odd(at: opcodeAt) }
                at &+= 8
                stack[depth] = Self.other
                depth &+= 1
            case 0x8a:  // LONG1
                guard at < end, end &- at > Int(bytes[at]) else { return .odd(at: opcodeAt) }
                at &+= 1 &+ Int(bytes[at])
                stack[depth] = Self.other
                depth &+= 1
            case 0x4e, 0x88, 0x89, 0x29:  // NONE, NEWTRUE, NEWFALSE, EMPTY_TUPLE
                stack[depth] = Self.other
                depth &+= 1
            case 0x7d:  // EMPTY_DICT
                stack[depth] = Self.dict
                depth &+= 1
            case 0x5d:  // EMPTY_LIST
                stack[depth] = Self.list
                depth &+= 1
            case 0x63:  // GLOBAL
                var lines = 2
                while lines > 0 {
                    guard at < end else { return .odd(at: opcodeAt) }
                    if bytes[at] == 0x0a { lines &-= 1 }
                    at &+= 1
                }
                if isStrict, !Self.isText(bytes, opcodeAt &+ 1, at &- opcodeAt &- 1) {
                    return .unreadable(at: opcodeAt, .text)
                }
                stack[depth] = Self.other
                depth &+= 1
            case 0x28:  // MARK
                marks.append(depth)
                floor = depth
            case 0x74, 0x6c, 0x64:  // TUPLE, LIST, DICT
                guard let mark = marks.popLast() else { return .odd(at: opcodeAt) }
                floor = marks.last ?? 0
                if isStrict, opcode == 0x64, (depth &- mark) & 1 == 1 { return .unreadable(at: opcodeAt, .oddItems) }
                let isReference = opcode == 0x74 && depth > mark && stack[mark] & 3 == Self.oid
                let made = opcode == 0x6c ? Self.list : opcode == 0x64 ? Self.dict : Self.other
                stack[mark] = isReference ? stack[mark] & ~3 | Self.oidTuple : made
                depth = mark &+ 1
            case 0x85, 0x86, 0x87:  // TUPLE1, TUPLE2, TUPLE3
                let count = Int(opcode) &- 0x84
                guard depth &- floor >= count else { return .odd(at: opcodeAt) }
                depth &-= count
                let first = stack[depth]
                stack[depth] = first & 3 == Self.oid ? first & ~3 | Self.oidTuple : Self.other
                depth &+= 1
            case 0x51:  // BINPERSID
                guard depth > floor else { return .odd(at: opcodeAt) }
                let item = stack[depth &- 1]
                stack[depth &- 1] = Self.object
                switch item & 3 {
                case Self.oid, Self.oidTuple:
                    let oid = bytes.loadUnaligned(fromByteOffset: Int(item >> 2), as: UInt64.self)
                    references.append(oid.bigEndian)
                case Self.list: break  // weak or in another database: keeps nothing alive
                default: return .odd(at: opcodeAt)
                }
            case 0x61, 0x62:  // APPEND, BUILD
                guard depth &- floor >= 2 else { return .odd(at: opcodeAt) }
                depth &-= 1
                if isStrict, opcode == 0x61, !Self.takesElements(stack[depth &- 1]) {
                    return .unreadable(at: opcodeAt, .container)
                }
            case 0x73:  // SETITEM
                guard depth &- floor >= 3 else { return .odd(at: opcodeAt) }
                depth &-= 2
                if isStrict, !Self.takesItems(stack[depth &- 1]) || Self.cannotBeKey(stack[depth]) {
                    return .unreadable(at: opcodeAt, .container)
                }
            case 0x65, 0x75:  // APPENDS, SETITEMS
                guard let mark = marks.popLast() else { return .odd(at: opcodeAt) }
                floor = marks.last ?? 0
                guard mark > floor else { return .odd(at: opcodeAt) }
                if isStrict, opcode == 0x75, (depth &- mark) & 1 == 1 { return .unreadable(at: opcodeAt, .oddItems) }
                if isStrict, depth > mark {
                    let target = stack[mark &- 1]
                    guard opcode == 0x75 ? Self.takesItems(target) : Self.takesElements(target) else {
                        return .unreadable(at: opcodeAt, .container)
                    }
                    if opcode == 0x75 {
                        for place in stride(from: mark, to: depth, by: 2) where Self.cannotBeKey(stack[place]) {
                            return .unreadable(at: opcodeAt, .container)
                        }
                    }
                }
                depth = mark
            case 0x52, 0x81:  // REDUCE, NEWOBJ
                guard depth &- floor >= 2 else { return .odd(at: opcodeAt) }
                depth &-= 1
                stack[depth &- 1] = Self.object
            case 0x6f:  // OBJ
                guard let mark = marks.popLast(), depth > mark else { return .odd(at: opcodeAt) }
                floor = marks.last ?? 0
                stack[mark] = Self.object
                depth = mark &+ 1
            case 0x30:  // POP
                guard depth > floor else { return .odd(at: opcodeAt) }
                depth &-= 1
            case 0x31:  // POP_MARK
                guard let mark = marks.popLast() else { return .odd(at: opcodeAt) }
                floor = marks.last ?? 0
                depth = mark
            case 0x72, 0x6a:  // LONG_BINPUT, LONG_BINGET
                guard end &- at >= 4 else { return .odd(at: opcodeAt) }
                let id = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
                at &+= 4
                guard id < Self.memoSize else { return .odd(at: opcodeAt) }
                if opcode == 0x72 {
                    guard depth > floor else { return .odd(at: opcodeAt) }
                    memo[id] = stack[depth &- 1]
                    highestMemo = max(highestMemo, id)
                } else {
                    guard memo[id] != 0 else { return .odd(at: opcodeAt) }
                    stack[depth] = memo[id]
                    depth &+= 1
                }
            case 0x49, 0x4c, 0x46:  // INT, LONG, FLOAT
                while at < end, bytes[at] != 0x0a { at &+= 1 }
                guard at < end else { return .odd(at: opcodeAt) }
                at &+= 1
                stack[depth] = Self.other
                depth &+= 1
            case 0x80:  // PROTO
                guard at < end, bytes[at] <= 5 else { return .odd(at: opcodeAt) }
                at &+= 1
            case 0x2e:  // STOP
                guard depth == 1, marks.isEmpty else { return .odd(at: opcodeAt) }
                start = at
                return .complete
            default:
                return .odd(at: opcodeAt)
            }
        }
    }

    private static func takesItems(_ item: UInt32) -> Bool { item == dict || item == object }

    private static func cannotBeKey(_ item: UInt32) -> Bool { item == dict || item & 3 == list }

    private static func takesElements(_ item: UInt32) -> Bool { item & 3 == list || item == object }

    /// Whether bytes are UTF-8 as Python's pickler writes it, with `surrogatepass`.
    @inline(__always)
    static func isText(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Bool {
        var at = start
        let end = start &+ count
        while end &- at >= 8 {
            guard bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 else { break }
            at &+= 8
        }
        while at < end {
            guard bytes[at] < 0x80 else { return isWideText(bytes, at, end) }
            at &+= 1
        }
        return true
    }

    private static func isWideText(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Bool {
        var at = start
        while at < end {
            let first = bytes[at]
            at &+= 1
            guard first >= 0x80 else { continue }
            let more: Int
            // The second byte's range excludes what could be written shorter, and what is beyond Unicode.
            var range: ClosedRange<UInt8> = 0x80...0xbf
            switch first {
            case 0xc2...0xdf: more = 1
            case 0xe0: (more, range) = (2, 0xa0...0xbf)
            case 0xe1...0xef: more = 2
            case 0xf0: (more, range) = (3, 0x90...0xbf)
            case 0xf1...0xf3: more = 3
            case 0xf4: (more, range) = (3, 0x80...0x8f)
            default: return false
            }
            guard end &- at >= more, range.contains(bytes[at]) else { return false }
            for place in at &+ 1..<at &+ more where bytes[place] & 0xc0 != 0x80 { return false }
            at &+= more
        }
        return true
    }
}

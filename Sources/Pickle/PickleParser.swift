/// The stack machine that reads pickles symbolically.
///
/// It knows every opcode of protocols 0 to 5 and does what the opcode says to a stack of *slots*, never to objects:
/// there is no class, no call and no import in this machine, only positions in the source.
struct PickleParser: ~Copyable {
    typealias Slot = PickleDocument.Slot
    typealias NodeRecord = PickleDocument.NodeRecord
    typealias StepRecord = PickleDocument.StepRecord

    var nodes: GrowingBuffer<NodeRecord>
    var steps: GrowingBuffer<StepRecord>
    var operands: GrowingBuffer<Slot>
    var roots: [Slot] = []
    var remoteSteps: [PickleDocument.RemoteStep] = []
    var usesDuplicate = false
    var usesFramesOrMemoize = false

    private var stack: GrowingBuffer<Slot>
    private var marks: GrowingBuffer<OpenMark>
    private var memo = Memo()
    /// Where bytes that POP made dead begin, and the height at which they did: they belong to the next value there, so
    /// that removing that value removes them too.
    private var dead: (start: UInt32, height: Int)?
    private var at = 0
    /// Where slots begin that are a GET behind dead bytes: what is changed through them may have been made in the latter.
    private var recalledBehindDead: Set<UInt32> = []

    init(sourceCount: Int) {
        let guess = min(max(sourceCount / 8, 16), 4096)
        nodes = GrowingBuffer(capacity: guess)
        steps = GrowingBuffer(capacity: guess / 2)
        operands = GrowingBuffer(capacity: guess)
        stack = GrowingBuffer(capacity: 64)
        marks = GrowingBuffer(capacity: 16)
    }

    /// Ready for another source, with the memory that this one took.
    mutating func reset() {
        nodes.truncate(to: 0)
        steps.truncate(to: 0)
        operands.truncate(to: 0)
        stack.truncate(to: 0)
        marks.truncate(to: 0)
        memo.reset()
        (roots, remoteSteps, recalledBehindDead) = ([], [], [])
        (dead, at, usesDuplicate, usesFramesOrMemoize) = (nil, 0, false, false)
    }

    /// Bytes that it holds for the next source.
    var capacity: Int { nodes.bytes + steps.bytes + operands.bytes + stack.bytes + marks.bytes }

    /// Reads one, two or all pickles of `bytes`; returns the offset behind the last.
    mutating func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, _ count: PickleDocument.Count
    ) throws(PickleError) -> Int {
        switch count {
        case .one:
            try parseOne(bytes)
        case .record:
            try parseOne(bytes)
            try parseOne(bytes)
        case .all:
            repeat { try parseOne(bytes) } while at < bytes.count
        }
        return at
    }

    private mutating func parseOne(_ bytes: UnsafeBufferPointer<UInt8>) throws(PickleError) {
        dead = nil
        while true {
            let start = at
            guard start < bytes.count else { throw PickleError(.truncated(needed: 1, available: 0), at: start) }
            guard let opcode = Opcode(rawValue: bytes[start]) else {
                throw PickleError(.unknownOpcode(bytes[start]), at: start)
            }
            let argument = try Self.argumentRange(of: opcode, at: start, in: bytes)
            at = argument.upperBound
            if try perform(opcode, at: start, argument, bytes) { return }
        }
    }

    /// The argument's bytes: the counted or fixed part, without a length field but with the line feeds of lines.
    @inline(__always)
    static func argumentRange(
        of opcode: Opcode, at start: Int, in bytes: UnsafeBufferPointer<UInt8>
    ) throws(PickleError) -> Range<Int> {
        let first = start + 1
        switch opcode.argument {
        case .nothing:
            return first..<first
        case .fixed(let count):
            guard bytes.count - first >= count else {
                throw PickleError(.truncated(needed: count, available: bytes.count - first), at: start)
            }
            return first..<first + count
        case .counted(let width):
            guard bytes.count - first >= width else {
                throw PickleError(.truncated(needed: width, available: bytes.count - first), at: start)
            }
            let length = Self.littleEndian(bytes, first..<first + width)
            let available = bytes.count - first - width
            guard length <= UInt64(available) else {
                throw PickleError(.truncated(needed: Int(clamping: length), available: available), at: start)
            }
            return first + width..<first + width + Int(length)
        case .lines(let lines):
            var end = first
            for _ in 0..<lines {
                while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
                guard end < bytes.count else { throw PickleError(.truncated(needed: 1, available: 0), at: start) }
                end += 1
            }
            return first..<end
        }
    }

    /// Does what one opcode says. True at STOP.
    @inline(__always)
    private mutating func perform(
        _ opcode: Opcode, at start: Int, _ argument: Range<Int>, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(PickleError) -> Bool {
        switch opcode {
        // What most pickles are made of comes first.
        case .binPut, .longBinPut:
            try remember(Int(Self.littleEndian(bytes, argument)), opcode, at: start)
        case .binGet, .longBinGet:
            try recall(Int(Self.littleEndian(bytes, argument)), at: start)
        case .shortBinString, .binUnicode, .shortBinBytes, .binString, .binBytes, .binInt, .binInt1, .binInt2, .none,
            .newTrue, .newFalse, .binFloat, .emptyTuple, .emptyList, .emptyDict, .emptySet, .shortBinUnicode,
            .binUnicode8, .binBytes8, .byteArray8, .long1, .long4, .extension1, .extension2, .extension4, .nextBuffer,
            .global, .persistentText:
            pushNew(opcode, at: start)
        case .int, .long, .float, .string, .unicode:
            try TextArgument.check(opcode, bytes, argument, at: start)
            pushNew(opcode, at: start)
        case .mark:
            var first = UInt32(truncatingIfNeeded: start)
            if let pending = dead, pending.height == stack.count { first = pending.start }
            dead = nil
            let height = UInt32(truncatingIfNeeded: stack.count)
            marks.append(OpenMark(height: height, start: first, offset: UInt32(truncatingIfNeeded: start)))
        case .tuple1: try construct(opcode, at: start, taking: 1)
        case .tuple2: try construct(opcode, at: start, taking: 2)
        case .tuple3: try construct(opcode, at: start, taking: 3)
        case .persistentID: try construct(opcode, at: start, taking: 1)
        case .reduce, .newObject, .stackGlobal: try construct(opcode, at: start, taking: 2)
        case .newObjectEx: try construct(opcode, at: start, taking: 3)
        case .tuple, .list, .frozenSet, .inst: try constructFromMark(opcode, at: start)
        case .dict, .obj: try constructFromMark(opcode, at: start)
        case .append, .build: try change(opcode, at: start, taking: 1)
        case .setItem: try change(opcode, at: start, taking: 2)
        case .appends, .setItems, .addItems: try changeFromMark(opcode, at: start)
        case .pop: try pop(at: start)
        case .popMark: try popToMark(at: start)
        case .duplicate:
            try require(1, opcode, at: start)
            usesDuplicate = true
            push(stack[stack.count - 1].nodeIndex, at: start)
        case .memoize:
            usesFramesOrMemoize = true
            try remember(memo.count, opcode, at: start)
        case .put, .get:
            let id = try TextArgument.memoID(opcode, bytes, argument, at: start)
            if opcode == .put { try remember(id, opcode, at: start) } else { try recall(id, at: start) }
        case .proto:
            let version = Int(bytes[argument.lowerBound])
            guard version <= 5 else { throw PickleError(.unsupportedProtocol(version), at: start) }
        case .frame:
            usesFramesOrMemoize = true
            let length = Self.littleEndian(bytes, argument)
            let available = bytes.count - argument.upperBound
            guard length <= UInt64(available) else {
                throw PickleError(.truncated(needed: Int(clamping: length), available: available), at: start)
            }
        case .readOnlyBuffer:
            try require(1, opcode, at: start)
            extendTop()
        case .stop:
            try finish(at: start)
            return true
        }
        return false
    }

    // MARK: The stack

    /// The lowest height that may be reached without crossing a MARK.
    private var floor: Int { marks.count == 0 ? 0 : Int(marks[marks.count - 1].height) }

    @inline(__always)
    private func require(_ count: Int, _ opcode: Opcode, at start: Int) throws(PickleError) {
        guard stack.count - floor >= count else { throw PickleError(.stackUnderflow(opcode), at: start) }
    }

    @inline(__always)
    private mutating func push(_ node: UInt32, at start: Int) {
        var first = UInt32(truncatingIfNeeded: start)
        if let pending = dead {
            if pending.height == stack.count { first = pending.start }
            dead = nil
        }
        stack.append(Slot(nodeIndex: node, start: first, end: UInt32(truncatingIfNeeded: at)))
    }

    @inline(__always)
    private mutating func newNode(_ opcode: Opcode, at start: Int) -> UInt32 {
        let node = UInt32(truncatingIfNeeded: nodes.count)
        nodes.append(
            NodeRecord(opcode: opcode, start: UInt32(truncatingIfNeeded: start), firstStep: -1, lastStep: -1))
        return node
    }

    @inline(__always)
    private mutating func pushNew(_ opcode: Opcode, at start: Int) {
        push(newNode(opcode, at: start), at: start)
    }

    /// The opcode just read belongs to the value on top: a PUT, a step.
    @inline(__always)
    private mutating func extendTop() {
        let top = stack.count - 1
        let slot = stack[top]
        stack[top] = Slot(nodeIndex: slot.nodeIndex, start: slot.start, end: UInt32(truncatingIfNeeded: at))
        dead = nil
    }

    private mutating func closeMark(_ opcode: Opcode, at start: Int) throws(PickleError) -> OpenMark {
        guard marks.count > 0 else { throw PickleError(.missingMark(opcode), at: start) }
        let mark = marks[marks.count - 1]
        marks.truncate(to: marks.count - 1)
        return mark
    }

    // MARK: Making values

    /// A new value from the topmost `count` slots.
    private mutating func construct(_ opcode: Opcode, at start: Int, taking count: Int) throws(PickleError) {
        try require(count, opcode, at: start)
        let low = stack.count - count
        makeNode(opcode, at: start, from: low, rangeStart: stack[low].start, mark: PickleDocument.noMark)
    }

    /// A new value from the slots above the mark.
    private mutating func constructFromMark(_ opcode: Opcode, at start: Int) throws(PickleError) {
        let mark = try closeMark(opcode, at: start)
        let low = Int(mark.height)
        let count = stack.count - low
        if opcode == .obj, count == 0 { throw PickleError(.stackUnderflow(opcode), at: start) }
        if opcode == .dict, count % 2 != 0 { throw PickleError(.unpairedItems(opcode), at: start) }
        makeNode(opcode, at: start, from: low, rangeStart: mark.start, mark: mark.offset)
    }

    @inline(__always)
    private mutating func makeNode(
        _ opcode: Opcode, at start: Int, from low: Int, rangeStart: UInt32, mark: UInt32
    ) {
        let node = newNode(opcode, at: start)
        addStep(opcode, at: start, to: Int(node), from: low, mark: mark)
        stack.truncate(to: low)
        dead = nil
        stack.append(Slot(nodeIndex: node, start: rangeStart, end: UInt32(truncatingIfNeeded: at)))
    }

    /// Records that `opcode` took the slots from `low` up as operands for `node`.
    @inline(__always)
    private mutating func addStep(_ opcode: Opcode, at start: Int, to node: Int, from low: Int, mark: UInt32) {
        let first = operands.count
        var index = low
        while index < stack.count {
            operands.append(stack[index])
            index &+= 1
        }
        let step = Int32(truncatingIfNeeded: steps.count)
        steps.append(
            StepRecord(
                opcode: opcode, offset: UInt32(truncatingIfNeeded: start), mark: mark,
                first: UInt32(truncatingIfNeeded: first), count: UInt32(truncatingIfNeeded: stack.count - low), next: -1
            ))
        var record = nodes[node]
        if record.lastStep < 0 {
            record.firstStep = step
        } else {
            var previous = steps[Int(record.lastStep)]
            previous.next = step
            steps[Int(record.lastStep)] = previous
        }
        record.lastStep = step
        nodes[node] = record
    }

    // MARK: Changing values

    private mutating func change(_ opcode: Opcode, at start: Int, taking count: Int) throws(PickleError) {
        try require(count + 1, opcode, at: start)
        try apply(opcode, at: start, from: stack.count - count, mark: PickleDocument.noMark)
    }

    private mutating func changeFromMark(_ opcode: Opcode, at start: Int) throws(PickleError) {
        let mark = try closeMark(opcode, at: start)
        let low = Int(mark.height)
        guard low > floor else { throw PickleError(.stackUnderflow(opcode), at: start) }
        if opcode == .setItems, (stack.count - low) % 2 != 0 { throw PickleError(.unpairedItems(opcode), at: start) }
        try apply(opcode, at: start, from: low, mark: mark.offset)
    }

    private mutating func apply(
        _ opcode: Opcode, at start: Int, from low: Int, mark: UInt32
    ) throws(PickleError) {
        let slot = stack[low - 1]
        let target = Int(slot.nodeIndex)
        guard Self.accepts(nodes[target].opcode, opcode) else {
            throw PickleError(.wrongTarget(opcode), at: start)
        }
        if slot.start > nodes[target].start
            || !recalledBehindDead.isEmpty && recalledBehindDead.contains(slot.start)
        {
            remoteSteps.append(.init(node: slot.nodeIndex, offset: UInt32(truncatingIfNeeded: start)))
        }
        addStep(opcode, at: start, to: target, from: low, mark: mark)
        stack.truncate(to: low)
        extendTop()
    }

    /// Whether a value made by `maker` can be changed by `step`: what Python would not refuse.
    private static func accepts(_ maker: Opcode, _ step: Opcode) -> Bool {
        switch maker {
        case .reduce, .newObject, .newObjectEx, .inst, .obj: true
        case .emptyList, .list: step == .append || step == .appends
        case .emptyDict, .dict: step == .setItem || step == .setItems
        case .emptySet: step == .addItems
        // A persistent reference, an extension code or a class may stand for an object that takes a state.
        case .persistentID, .persistentText, .global, .stackGlobal, .extension1, .extension2, .extension4:
            step == .build
        default: false
        }
    }

    // MARK: Memo, POP, STOP

    @inline(__always)
    private mutating func remember(_ id: Int, _ opcode: Opcode, at start: Int) throws(PickleError) {
        try require(1, opcode, at: start)
        memo[id] = stack[stack.count - 1].nodeIndex
        extendTop()
    }

    @inline(__always)
    private mutating func recall(_ id: Int, at start: Int) throws(PickleError) {
        guard let node = memo[id] else { throw PickleError(.undefinedMemo(id), at: start) }
        if let dead, dead.height == stack.count { recalledBehindDead.insert(dead.start) }
        push(node, at: start)
    }

    /// POP takes a MARK when that is what lies on top.
    private mutating func pop(at start: Int) throws(PickleError) {
        if marks.count > 0, Int(marks[marks.count - 1].height) == stack.count {
            let mark = try closeMark(.pop, at: start)
            dead = (mark.start, Int(mark.height))
            return
        }
        try require(1, .pop, at: start)
        let slot = stack[stack.count - 1]
        operands.append(slot)
        stack.truncate(to: stack.count - 1)
        dead = (slot.start, stack.count)
    }

    private mutating func popToMark(at start: Int) throws(PickleError) {
        let mark = try closeMark(.popMark, at: start)
        for index in Int(mark.height)..<stack.count { operands.append(stack[index]) }
        stack.truncate(to: Int(mark.height))
        dead = (mark.start, Int(mark.height))
    }

    private mutating func finish(at start: Int) throws(PickleError) {
        guard stack.count == 1, marks.count == 0 else {
            throw PickleError(.unfinished(items: stack.count, marks: marks.count), at: start)
        }
        roots.append(stack[0])
        stack.truncate(to: 0)
    }

    @inline(__always)
    private static func littleEndian(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        for index in range {
            value |= UInt64(bytes[index]) << shift
            shift &+= 8
        }
        return value
    }
}

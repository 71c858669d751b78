/// The bytes to change for an edited container: additions and removals within the batches that it was made of.
struct ContainerSplices {
    private let document: PickleDocument
    private let node: PickleDocument.NodeID
    private let style: PickleStyle
    private let edit: ContainerEdit
    private let kind: Kind

    /// An instance without steps gets its items, then its entries, then its state.
    static let stateOrder = 2

    enum Kind: Hashable, Sendable {
        /// All its items come with the opcode that makes it.
        case tuple
        /// Items are added by APPEND, APPENDS, ADDITEMS.
        case sequence
        case dict

        /// Whether a step gives this kind of container its elements. `made` is the opcode that made it.
        func includes(_ opcode: Opcode, made: Opcode) -> Bool {
            switch (self, opcode) {
            case (.tuple, .tuple), (.tuple, .tuple1), (.tuple, .tuple2), (.tuple, .tuple3), (.tuple, .frozenSet),
                (.sequence, .list), (.sequence, .append), (.sequence, .appends), (.sequence, .addItems),
                (.dict, .dict), (.dict, .setItem), (.dict, .setItems):
                opcode == made || !opcode.takesOperands
            default: false
            }
        }

        /// - Parameter pairs: whether the entries of an instance are meant, not its items.
        init?(_ opcode: Opcode, pairs: Bool) {
            switch opcode {
            case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .frozenSet: self = .tuple
            case .emptyList, .list, .emptySet: self = .sequence
            case .emptyDict, .dict: self = .dict
            case .reduce, .newObject, .newObjectEx, .inst, .obj: self = pairs ? .dict : .sequence
            default: return nil
            }
        }

        var width: Int { self == .dict ? 2 : 1 }
    }

    /// - Parameter edit: its elements are pairs when `kind` is `dict`.
    init(
        _ document: PickleDocument, _ node: PickleDocument.NodeID, _ kind: Kind, _ style: PickleStyle,
        _ edit: ContainerEdit
    ) {
        self.document = document
        self.node = node
        self.kind = kind
        self.style = style
        self.edit = edit
    }

    func cuts() -> [Splicer.Cut] {
        switch document.nodes[Int(node.index)].opcode {
        case .emptyTuple, .tuple1, .tuple2, .tuple3: shortTuple()
        default: batches()
        }
    }

    // MARK: Batches

    private func batches() -> [Splicer.Cut] {
        let made = document.nodes[Int(node.index)].opcode
        var cuts: [Splicer.Cut] = []
        var element = 0
        var last: (step: PickleDocument.StepRecord, isGone: Bool)?
        for step in document.steps(of: node) where kind.includes(step.opcode, made: made) {
            let operands = document.operands(of: step)
            let count = operands.count / kind.width
            let isGone = change(step, operands, elements: element..<element + count, &cuts)
            last = (step, isGone)
            element += count
        }
        let added = edit.inserted[element] ?? []
        guard !added.isEmpty else { return cuts }
        let end = last.map { Int($0.step.offset) } ?? 0
        if let last, last.step.mark != PickleDocument.noMark, !last.isGone {
            Self.add(Int(last.step.offset)..<Int(last.step.offset), added.flatMap(\.bytes), taker: end, to: &cuts)
        } else if let last {
            let end = Int(last.step.offset) + 1
            Self.add(end..<end, steps(adding: added), belongsToPrevious: true, taker: end, to: &cuts)
        } else {
            cuts.append(first(steps(adding: added)))
        }
        return cuts
    }

    /// Changes one batch. True when nothing is left of it, opcode included.
    private func change(
        _ step: PickleDocument.StepRecord, _ operands: ArraySlice<PickleDocument.Slot>, elements: Range<Int>,
        _ cuts: inout [Splicer.Cut]
    ) -> Bool {
        let end = Int(step.offset) + 1
        func slots(_ element: Int) -> Range<Int> {
            let first = operands.startIndex + (element - elements.lowerBound) * kind.width
            return operands[first].range.lowerBound..<operands[first + kind.width - 1].range.upperBound
        }
        guard step.mark != PickleDocument.noMark else {
            let added = steps(adding: edit.inserted[elements.lowerBound] ?? [])
            let start = slots(elements.lowerBound).lowerBound
            let isRemoved = edit.removed.contains(elements.lowerBound)
            if isRemoved || !added.isEmpty { Self.add(start..<(isRemoved ? end : start), added, taker: end, to: &cuts) }
            return isRemoved
        }
        let touched = elements.filter { edit.removed.contains($0) || edit.inserted[$0]?.isEmpty == false }
        let isEmptied = !elements.isEmpty && elements.allSatisfy { edit.removed.contains($0) }
        let isAddedTo = touched.contains { edit.inserted[$0]?.isEmpty == false }
        if isEmptied, !isAddedTo, !step.opcode.takesOperands {
            Self.add(Int(step.mark)..<end, [], taker: end, to: &cuts)
            return true
        }
        for element in touched {
            let range = slots(element)
            let bytes = (edit.inserted[element] ?? []).flatMap(\.bytes)
            let isRemoved = edit.removed.contains(element)
            Self.add(range.lowerBound..<(isRemoved ? range.upperBound : range.lowerBound), bytes, taker: end, to: &cuts)
        }
        return false
    }

    /// Elements with the opcodes that add them to the container on top of the stack.
    private func steps(adding elements: [ContainerEdit.Element]) -> [UInt8] {
        guard !elements.isEmpty else { return [] }
        let isSet = document.nodes[Int(node.index)].opcode == .emptySet
        let bytes = elements.flatMap(\.bytes)
        let mark = Opcode.mark.rawValue
        if isSet { return [mark] + bytes + [Opcode.addItems.rawValue] }
        let (one, many): (Opcode, Opcode) = kind == .dict ? (.setItem, .setItems) : (.append, .appends)
        if elements.count == 1 || style.protocolNumber == 0 {
            return elements.flatMap { $0.bytes + [one.rawValue] }
        }
        return [mark] + bytes + [many.rawValue]
    }

    /// The first elements of a container that has none: behind its PUT. An instance gets items before entries and both
    /// before its state, as Python does it.
    private func first(_ bytes: [UInt8]) -> Splicer.Cut {
        for step in document.steps(of: node) where !step.opcode.takesOperands {
            let isLater = step.opcode == .build || kind == .sequence
            let operand = document.operands(of: step).first?.range.lowerBound
            guard isLater, let start = step.mark == PickleDocument.noMark ? operand : Int(step.mark) else { continue }
            return Splicer.Cut(range: start..<start, bytes: bytes, order: kind == .dict ? 1 : 0)
        }
        let end = document.definingSlot(of: node)?.range.upperBound ?? document.argumentEnd(of: node)
        return Splicer.Cut(range: end..<end, bytes: bytes, belongsToPrevious: true, order: kind == .dict ? 1 : 0)
    }

    // MARK: Short tuples

    /// `)`, TUPLE1 to TUPLE3: the opcode says how many there are.
    private func shortTuple() -> [Splicer.Cut] {
        let items = document.constructorOperands(of: document.nodes[Int(node.index)])
        let count = edit.count(of: items.count)
        let opcode = document.start(of: node)
        let needsMark = count > 3 || count > 0 && items.isEmpty && style.protocolNumber < 2
        var cuts: [Splicer.Cut] = []
        var front: [UInt8] = needsMark ? [Opcode.mark.rawValue] : []
        for (index, slot) in items.enumerated() {
            let isRemoved = edit.removed.contains(index)
            let bytes = front + (edit.inserted[index] ?? []).flatMap(\.bytes)
            front = []
            let start = slot.range.lowerBound
            if isRemoved || !bytes.isEmpty {
                Self.add(start..<(isRemoved ? slot.range.upperBound : start), bytes, taker: opcode, to: &cuts)
            }
        }
        let short: [Opcode] = [.emptyTuple, .tuple1, .tuple2, .tuple3]
        let made: Opcode = needsMark ? .tuple : short[count]
        let added = (edit.inserted[items.count] ?? []).flatMap(\.bytes)
        Self.add(opcode..<opcode + 1, front + added + [made.rawValue], taker: opcode, to: &cuts)
        return cuts
    }

    /// Adds a cut behind the others, joined with the last where they touch.
    ///
    /// - Parameter taker: the opcode that takes what is added. Where an item begins with an item of its own (a tuple in a
    ///   tuple), what is added to the outer one comes first: its opcode stands further back.
    private static func add(
        _ range: Range<Int>, _ bytes: [UInt8], belongsToPrevious: Bool = false, taker: Int,
        to cuts: inout [Splicer.Cut]
    ) {
        if let last = cuts.last, last.range.upperBound == range.lowerBound {
            cuts[cuts.count - 1] = Splicer.Cut(
                range: last.range.lowerBound..<range.upperBound, bytes: last.bytes + bytes,
                belongsToPrevious: last.belongsToPrevious, order: last.order)
        } else {
            cuts.append(
                Splicer.Cut(range: range, bytes: bytes, belongsToPrevious: belongsToPrevious, order: -taker))
        }
    }
}

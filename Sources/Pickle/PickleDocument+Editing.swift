/// What editing asks a document.
extension PickleDocument {
    /// How many pickles the source was read as.
    var count: Count {
        switch roots.count {
        case 1: .one
        case 2: .record
        default: .all
        }
    }

    func start(of node: NodeID) -> Int { Int(nodes[Int(node.index)].start) }

    /// Behind the argument of the opcode that made the node.
    func argumentEnd(of node: NodeID) -> Int { argument(of: nodes[Int(node.index)]).upperBound }

    /// The name of a GLOBAL, or of the class of an INST.
    func globalName(of node: NodeID) -> GlobalName? {
        let record = nodes[Int(node.index)]
        switch record.opcode {
        case .global, .inst: return TextArgument.globalName(source[argument(of: record)])
        case .stackGlobal:
            guard case .global(let name) = self[node] else { return nil }
            return name
        default: return nil
        }
    }

    /// The slot that holds the opcode which made the node; the others have it by GET.
    func definingSlot(of node: NodeID) -> Slot? {
        let start = nodes[Int(node.index)].start
        func defines(_ slot: Slot) -> Bool {
            slot.nodeIndex == node.index && slot.start <= start && start < slot.end
        }
        // A GET behind dead bytes in which the node was made contains its opcode as well, but comes later.
        return operands.first(where: defines) ?? roots.first(where: defines)
    }

    /// What the opcode that made the value took from the stack.
    func constructorOperands(of record: NodeRecord) -> ArraySlice<Slot> {
        guard record.opcode.takesOperands, record.firstStep >= 0 else { return [] }
        let step = steps[Int(record.firstStep)]
        return operands[Int(step.first)..<Int(step.first) + Int(step.count)]
    }

    func steps(of node: NodeID) -> [StepRecord] {
        var result: [StepRecord] = []
        var index = nodes[Int(node.index)].firstStep
        while index >= 0 {
            result.append(steps[Int(index)])
            index = steps[Int(index)].next
        }
        return result
    }

    func operands(of step: StepRecord) -> ArraySlice<Slot> {
        operands[Int(step.first)..<Int(step.first) + Int(step.count)]
    }

    /// What kind of value a dict has as a key, or a set as an item, that Python cannot hash, and where the opcode stands that
    /// puts it there; nil when all is well.
    var unhashableKey: (kind: String, offset: Int)? {
        var sound: Set<UInt32> = []
        for step in steps {
            let stride: Int
            switch step.opcode {
            case .setItem, .setItems, .dict: stride = 2
            case .addItems, .frozenSet: stride = 1
            default: continue
            }
            var index = Int(step.first)
            while index < Int(step.first) + Int(step.count) {
                if let kind = unhashableKind(of: operands[index].nodeIndex, &sound, depth: 0) {
                    return (kind, Int(step.offset))
                }
                index += stride
            }
        }
        return nil
    }

    /// - Parameter sound: tuples looked at, so that each is looked at once however often it is shared.
    private func unhashableKind(of node: UInt32, _ sound: inout Set<UInt32>, depth: Int) -> String? {
        let record = nodes[Int(node)]
        switch record.opcode {
        case .emptyList, .list: return "list"
        case .emptyDict, .dict: return "dict"
        case .emptySet: return "set"
        case .byteArray8: return "bytearray"
        case .tuple, .tuple1, .tuple2, .tuple3:
            guard depth < 50, sound.insert(node).inserted else { return nil }
            for slot in constructorOperands(of: record) {
                if let kind = unhashableKind(of: slot.nodeIndex, &sound, depth: depth + 1) { return kind }
            }
            return nil
        default: return nil
        }
    }
}

extension Opcode {
    /// Whether the opcode makes a value from others on the stack.
    var takesOperands: Bool {
        switch self {
        case .tuple, .tuple1, .tuple2, .tuple3, .list, .dict, .frozenSet, .reduce, .newObject, .newObjectEx, .obj,
            .inst,
            .persistentID, .stackGlobal:
            true
        default: false
        }
    }
}

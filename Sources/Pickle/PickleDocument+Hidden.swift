extension PickleDocument {
    /// Whether reading it makes something that is no part of any result: a class or function looked up, an instance made, or an
    /// object referred to, and then dropped by POP or left in the memo. No pickler writes this, no listing of the values
    /// shows it, and Python does it all the same.
    public var hasHiddenCalls: Bool {
        var isSeen = [Bool](repeating: false, count: nodes.count)
        var stack = roots.map { Int($0.nodeIndex) }
        while let index = stack.popLast() {
            guard !isSeen[index] else { continue }
            isSeen[index] = true
            var next = nodes[index].firstStep
            while next >= 0 {
                let step = steps[Int(next)]
                stack += operands[Int(step.first)..<Int(step.first) + Int(step.count)].map { Int($0.nodeIndex) }
                next = step.next
            }
        }
        return zip(nodes, isSeen).contains { record, isSeen in !isSeen && record.opcode.isCall }
    }
}

extension Opcode {
    /// Names a class or an object, or calls something.
    fileprivate var isCall: Bool {
        switch self {
        case .global, .stackGlobal, .reduce, .newObject, .newObjectEx, .inst, .obj, .persistentID, .persistentText,
            .extension1, .extension2, .extension4:
            true
        default: false
        }
    }
}

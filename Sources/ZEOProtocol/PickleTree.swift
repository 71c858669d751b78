internal import ByteCoding

/// Makes the tree out of the nodes. Sharing becomes copies, which is why there is a budget.
struct PickleTree {
    let nodes: [PickleReader.Node]
    /// How many more values there may be.
    var budget: Int
    /// Where the pickle ends: what errors about the whole name.
    let end: Int
    var depth = 0

    init(nodes: [PickleReader.Node], budget: Int, end: Int) {
        self.nodes = nodes
        self.budget = budget
        self.end = end
    }

    mutating func value(of node: Int) throws(FormatError) -> WireValue {
        guard depth < PickleReader.deepest else {
            throw FormatError(.invalid(field: "nesting", found: "more than \(PickleReader.deepest) levels"), at: end)
        }
        budget -= 1
        guard budget >= 0 else {
            throw FormatError(.invalid(field: "sharing", found: "a value far larger than its pickle"), at: end)
        }
        depth += 1
        defer { depth -= 1 }
        switch nodes[node] {
        case .leaf(let value): return value
        case .tuple(let items): return .tuple(try values(of: items))
        case .list(let items): return .list(try values(of: items))
        case .dict(let items):
            var entries: [WireValue.Entry] = []
            entries.reserveCapacity(items.count / 2)
            for index in stride(from: 0, to: items.count - 1, by: 2) {
                entries.append(.init(try value(of: items[index]), try value(of: items[index + 1])))
            }
            return .dict(entries)
        case .instance(let callable, let arguments, let state, let contents):
            var instance = WireValue.Instance(
                callable: try value(of: callable), arguments: try value(of: arguments),
                contents: try values(of: contents))
            if let state { instance.state = try value(of: state) }
            return .instance(instance)
        }
    }

    private mutating func values(of items: [Int]) throws(FormatError) -> [WireValue] {
        var values: [WireValue] = []
        values.reserveCapacity(items.count)
        for item in items { values.append(try value(of: item)) }
        return values
    }
}

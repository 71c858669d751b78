/// Memo number → node. Numbers are dense in what picklers write, and anything in what attackers do.
struct Memo {
    private var dense: [UInt32] = []
    private var sparse: [Int: UInt32] = [:]
    /// How many numbers are defined: the number that MEMOIZE gives next.
    private(set) var count = 0
    private static let undefined = UInt32.max
    /// Behind the highest number in `dense` that is defined.
    private var end = 0

    /// Nothing is defined any more; the memory stays.
    mutating func reset() {
        for id in 0..<end { dense[id] = Self.undefined }
        if !sparse.isEmpty { sparse = [:] }
        (count, end) = (0, 0)
    }

    subscript(id: Int) -> UInt32? {
        @inline(__always)
        get {
            if id < dense.count {
                let node = dense[id]
                return node == Self.undefined ? nil : node
            }
            return sparse[id]
        }
        @inline(__always)
        set {
            guard let newValue else { return }
            if id >= dense.count {
                define(id, newValue)
            } else {
                if dense[id] == Self.undefined { count += 1 }
                dense[id] = newValue
                if id >= end { end = id + 1 }
            }
        }
    }

    /// A number above the array. A little above: the array doubles, and takes over what was sparse below; that happens
    /// a logarithmic number of times, and the array stays within a factor of the numbers really defined.
    private mutating func define(_ id: Int, _ node: UInt32) {
        guard id < count * 4 + 256 else {
            if sparse.updateValue(node, forKey: id) == nil { count += 1 }
            return
        }
        let size = max(id + 1, dense.count * 2)
        dense.append(contentsOf: repeatElement(Self.undefined, count: size - dense.count))
        for (key, value) in sparse where key < size {
            dense[key] = value
            end = max(end, key + 1)
        }
        sparse = sparse.filter { $0.key >= size }
        if dense[id] == Self.undefined { count += 1 }
        dense[id] = node
        end = max(end, id + 1)
    }
}

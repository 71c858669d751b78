/// An array's `append` without its uniqueness check: a third of the parser's time when it used arrays.
///
/// The only place of this module that owns raw memory. Indices are checked in debug builds only, so callers check
/// what comes from outside before they index; `append` grows as needed and `removeLast` is guarded.
struct GrowingBuffer<Element: BitwiseCopyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 8)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// The memory that it has.
    var bytes: Int { capacity * MemoryLayout<Element>.stride }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        // In bounds: count < capacity, after growing if need be.
        (base + count).initialize(to: element)
        count &+= 1
    }

    @inline(__always)
    subscript(index: Int) -> Element {
        get {
            assert(index >= 0 && index < count)
            return base[index]
        }
        set {
            assert(index >= 0 && index < count)
            base[index] = newValue
        }
    }

    @inline(__always)
    mutating func truncate(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count)
        count = newCount
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: base, count: count)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    /// The elements as an array of exactly their number.
    func array() -> [Element] {
        [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let start = buffer.baseAddress { start.initialize(from: base, count: count) }
            initialized = count
        }
    }
}

// The only owner of its memory, and not copyable: whoever has it, has it alone.
extension GrowingBuffer: @unchecked Sendable {}

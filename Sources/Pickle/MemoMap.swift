/// Every PUT and GET of a document, in order, each GET bound to its PUT: what editing must know, and reading need not.
///
/// A GET is bound to the PUT, not to the number: a number may be PUT twice.
struct MemoMap {
    struct Put: BitwiseCopyable {
        var id: Int
        var at: UInt32
        /// The next PUT of the same number, as an index; -1 for none.
        var next: Int32
    }

    struct Use: BitwiseCopyable {
        /// The PUT that it gets the value of, as an index.
        var put: Int32
        var at: UInt32
        var end: UInt32
    }

    let puts: [Put]
    let uses: [Use]
    /// Where FRAME headers stand, nine bytes each.
    let frames: [Int]
    /// Whether any number is implicit: then the count of definitions must stay what it is.
    let usesMemoize: Bool

    init(_ document: PickleDocument) throws(PickleError) {
        var builder = Builder(guess: document.nodes.count)
        try document.source.withUnsafeBufferPointer { (bytes) throws(PickleError) in
            try builder.walk(bytes, end: document.end)
        }
        puts = builder.puts.array()
        uses = builder.uses.array()
        frames = builder.frames
        usesMemoize = builder.usesMemoize
    }

    /// The lowest number that a PUT gives. Python 3 begins with 0, Python 2 with 1.
    static func lowestNumber(of document: PickleDocument) -> Int? {
        (try? MemoMap(document))?.puts.lazy.map(\.id).min()
    }

    /// Whether a GET outside of some ranges gets a value that was PUT inside of them: seldom, and quickly told.
    ///
    /// Also true when there are more numbers than this keeps in mind, or implicit ones: then the map tells.
    static func isUsed(outside cuts: [Splicer.Cut], in document: PickleDocument) throws(PickleError) -> Bool {
        guard let first = cuts.first else { return false }
        return try document.source.withUnsafeBufferPointer { (bytes) throws(PickleError) -> Bool in
            var walk = UseWalk(bytes, cuts.map(\.range))
            return try walk.findsUse(from: first.range.lowerBound, to: document.end)
        }
    }

    private struct UseWalk {
        let bytes: UnsafeBufferPointer<UInt8>
        let ranges: [Range<Int>]
        /// Numbers whose last PUT was inside.
        var isInside: [Bool] = []
        static let limit = 1 << 20

        init(_ bytes: UnsafeBufferPointer<UInt8>, _ ranges: [Range<Int>]) {
            self.bytes = bytes
            self.ranges = ranges.filter { !$0.isEmpty }
        }

        mutating func findsUse(from start: Int, to end: Int) throws(PickleError) -> Bool {
            var (at, next) = (start, 0)
            while at < end {
                let start = at
                guard let opcode = Opcode(rawValue: bytes[start]) else {
                    throw PickleError(.unknownOpcode(bytes[start]), at: start)
                }
                let argument = try PickleParser.argumentRange(of: opcode, at: start, in: bytes)
                at = argument.upperBound
                let isGet: Bool
                switch opcode {
                case .binPut, .longBinPut, .put: isGet = false
                case .binGet, .longBinGet, .get: isGet = true
                case .memoize: return true
                default: continue
                }
                while next < ranges.count, ranges[next].upperBound <= start { next += 1 }
                let isCut = next < ranges.count && ranges[next].contains(start)
                if next == ranges.count, isInside.isEmpty { return false }
                if isGet, isCut { continue }
                let id: Int
                switch opcode {
                case .put, .get: id = try TextArgument.memoID(opcode, bytes, argument, at: start)
                default: id = argument.reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
                }
                if isGet {
                    if id < isInside.count, isInside[id] { return true }
                } else if isCut {
                    guard id < Self.limit else { return true }
                    if id >= isInside.count {
                        isInside += repeatElement(false, count: id + 1 - isInside.count)
                    }
                    isInside[id] = true
                } else if id < isInside.count {
                    isInside[id] = false
                }
            }
            return false
        }
    }

    private struct Builder: ~Copyable {
        var puts: GrowingBuffer<Put>
        var uses: GrowingBuffer<Use>
        var frames: [Int] = []
        var usesMemoize = false
        private var memo = Memo()

        init(guess: Int) {
            puts = GrowingBuffer(capacity: guess)
            uses = GrowingBuffer(capacity: guess / 4)
        }

        mutating func walk(_ bytes: UnsafeBufferPointer<UInt8>, end: Int) throws(PickleError) {
            var at = 0
            while at < end {
                let start = at
                guard let opcode = Opcode(rawValue: bytes[start]) else {
                    throw PickleError(.unknownOpcode(bytes[start]), at: start)
                }
                let argument = try PickleParser.argumentRange(of: opcode, at: start, in: bytes)
                at = argument.upperBound
                switch opcode {
                case .binPut: define(Int(bytes[start + 1]), at: start)
                case .binGet: try use(Int(bytes[start + 1]), at: start, end: at)
                case .longBinPut: define(Self.word(bytes, argument), at: start)
                case .longBinGet: try use(Self.word(bytes, argument), at: start, end: at)
                case .put: define(try TextArgument.memoID(opcode, bytes, argument, at: start), at: start)
                case .get: try use(try TextArgument.memoID(opcode, bytes, argument, at: start), at: start, end: at)
                case .memoize:
                    usesMemoize = true
                    define(memo.count, at: start)
                case .frame: frames.append(start)
                default: break
                }
            }
        }

        @inline(__always)
        private mutating func define(_ id: Int, at start: Int) {
            let index = puts.count
            if let previous = memo[id] {
                var put = puts[Int(previous)]
                put.next = Int32(truncatingIfNeeded: index)
                puts[Int(previous)] = put
            }
            memo[id] = UInt32(truncatingIfNeeded: index)
            puts.append(Put(id: id, at: UInt32(truncatingIfNeeded: start), next: -1))
        }

        @inline(__always)
        private mutating func use(_ id: Int, at start: Int, end: Int) throws(PickleError) {
            guard let put = memo[id] else { throw PickleError(.undefinedMemo(id), at: start) }
            uses.append(
                Use(
                    put: Int32(truncatingIfNeeded: put), at: UInt32(truncatingIfNeeded: start),
                    end: UInt32(truncatingIfNeeded: end)))
        }

        private static func word(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int {
            range.reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
        }
    }
}

extension Array {
    /// The first index whose element is not below, in an array sorted by `isBelow`.
    func partitioningIndex(where isBelow: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBelow(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

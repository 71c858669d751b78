/// Counts records and bytes by class, at the speed of a file scan.
public struct ClassTally: Sendable {
    public struct Line: Hashable, Sendable {
        /// `module.Name`; nil for records whose class could not be told.
        public let className: String?
        public var records: Int
        public var bytes: Int
    }

    private struct Counter: BitwiseCopyable {
        var records = 0
        var bytes = 0
    }

    private var names = ClassNames()
    private var counters: [Counter] = []
    private var unreadable = Counter()

    public init() {}

    /// Adds one record of `size` bytes as stored.
    public mutating func add(_ record: RawSpan, size: Int) {
        guard let number = names.number(ofClassIn: record) else {
            unreadable.records += 1
            unreadable.bytes += size
            return
        }
        if number == counters.count { counters.append(Counter()) }
        counters[number].records &+= 1
        counters[number].bytes &+= size
    }

    /// What was counted, the largest number of bytes first.
    public var result: [Line] {
        var lines = counters.enumerated().map { number, counter in
            Line(className: names.name(number), records: counter.records, bytes: counter.bytes)
        }
        if unreadable.records > 0 {
            lines.append(Line(className: nil, records: unreadable.records, bytes: unreadable.bytes))
        }
        return lines.sorted { ($0.bytes, $1.records) > ($1.bytes, $0.records) }
    }
}

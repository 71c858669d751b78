/// Which definitions inside the cuts must survive, and where to.
struct KeptDefinitions {
    private let document: PickleDocument
    private let map: MemoMap
    private let cuts: [Splicer.Cut]
    private let rules: Splicer.Rules

    /// A PUT, or a change through a GET, inside a cut: what may have to be kept, with the slot that it belongs to.
    private struct Point {
        var at: Int
        /// The PUT as an index; nil for a change.
        var put: Int?
        /// Where the changed value was made.
        var target: Int
        var range: Range<Int>?
    }

    private var points: [Point] = []
    /// PUT → its point; -1 for one outside of all cuts.
    private var pointOfPut: [Int32] = []
    /// PUT → the first GET outside of all cuts; -1 for none.
    private var firstUse: [Int32] = []
    private var isNeeded: [Bool] = []
    private var worklist: [Int] = []
    /// Uses already looked at: each entry leads to the next that is not.
    private var nextUse: [Int] = []

    /// The outermost definitions to keep, in the order of the source.
    private(set) var ranges: [Range<Int>] = []

    init(_ document: PickleDocument, _ map: MemoMap, _ cuts: [Splicer.Cut], _ rules: Splicer.Rules) {
        self.document = document
        self.map = map
        self.cuts = cuts
        self.rules = rules
    }

    mutating func find() {
        guard rules.contains(.keepUsed) else { return }
        collectPoints()
        findFirstUses()
        for (index, point) in points.enumerated() {
            if let put = point.put {
                if firstUse[put] >= 0 { need(index) }
            } else if cut(containing: point.target) == nil {
                need(index)
            }
        }
        guard !worklist.isEmpty else { return }
        findRanges()
        nextUse = Array(0...map.uses.count)
        let changes = points.indices.filter { points[$0].put == nil }.sorted { points[$0].target < points[$1].target }
        while let index = worklist.popLast() {
            guard let range = points[index].range else { continue }
            if rules.contains(.closure) { needWhatIsUsed(in: range) }
            var next = changes.partitioningIndex { points[$0].target < range.lowerBound }
            while next < changes.count, points[changes[next]].target < range.upperBound {
                if !range.contains(points[changes[next]].at) { need(changes[next]) }
                next += 1
            }
        }
        keepOutermost()
    }

    private mutating func collectPoints() {
        pointOfPut = [Int32](repeating: -1, count: map.puts.count)
        let changes = rules.contains(.remoteSteps) ? document.remoteSteps : []
        for cut in cuts where !cut.range.isEmpty {
            var put = map.puts.partitioningIndex { Int($0.at) < cut.range.lowerBound }
            var found: [Point] = []
            while put < map.puts.count, Int(map.puts[put].at) < cut.range.upperBound {
                found.append(Point(at: Int(map.puts[put].at), put: put, target: 0, range: nil))
                put += 1
            }
            var change = changes.partitioningIndex { Int($0.offset) < cut.range.lowerBound }
            let hasChanges = change < changes.count && Int(changes[change].offset) < cut.range.upperBound
            while change < changes.count, Int(changes[change].offset) < cut.range.upperBound {
                let target = Int(document.nodes[Int(changes[change].node)].start)
                found.append(Point(at: Int(changes[change].offset), put: nil, target: target, range: nil))
                change += 1
            }
            if hasChanges { found.sort { $0.at < $1.at } }
            points += found
        }
        for (index, point) in points.enumerated() {
            if let put = point.put { pointOfPut[put] = Int32(truncatingIfNeeded: index) }
        }
        isNeeded = [Bool](repeating: false, count: points.count)
    }

    private mutating func findFirstUses() {
        firstUse = [Int32](repeating: -1, count: map.puts.count)
        var cut = 0
        for (index, use) in map.uses.enumerated() {
            while cut < cuts.count, cuts[cut].range.upperBound <= Int(use.at) { cut += 1 }
            if cut < cuts.count, cuts[cut].range.contains(Int(use.at)) { continue }
            let put = Int(use.put)
            if pointOfPut[put] >= 0, firstUse[put] < 0 { firstUse[put] = Int32(truncatingIfNeeded: index) }
        }
    }

    private func cut(containing offset: Int) -> Int? {
        let index = cuts.partitioningIndex { $0.range.upperBound <= offset }
        return index < cuts.count && cuts[index].range.contains(offset) ? index : nil
    }

    private mutating func need(_ point: Int) {
        guard !isNeeded[point] else { return }
        isNeeded[point] = true
        worklist.append(point)
    }

    /// Gives each point its slot: the innermost one around it. Inner slots come first in `operands`, so the first slot that
    /// contains a point is the one; points that have theirs are skipped.
    private mutating func findRanges() {
        var next = Array(0...points.count)
        func root(_ start: Int) -> Int {
            var index = start
            while next[index] != index {
                next[index] = next[next[index]]
                index = next[index]
            }
            return index
        }
        func visit(_ slot: PickleDocument.Slot, _ points: inout [Point]) {
            let range = slot.range
            var index = root(points.partitioningIndex { $0.at < range.lowerBound })
            while index < points.count, points[index].at < range.upperBound {
                points[index].range = range
                next[index] = index + 1
                index = root(index)
            }
        }
        // Most slots lie outside of all cuts, and most cuts are few: one look at the whole is enough for them.
        guard let first = points.first?.at, let last = points.last?.at else { return }
        for slot in document.operands where Int(slot.start) <= last && Int(slot.end) > first { visit(slot, &points) }
        for slot in document.roots { visit(slot, &points) }
    }

    /// Rule 2: what a kept definition uses is needed too, when it is cut and not in that definition.
    private mutating func needWhatIsUsed(in range: Range<Int>) {
        var index = unseenUse(map.uses.partitioningIndex { Int($0.at) < range.lowerBound })
        while index < map.uses.count, Int(map.uses[index].at) < range.upperBound {
            let put = Int(map.uses[index].put)
            let point = Int(pointOfPut[put])
            if point >= 0, !range.contains(points[point].at) { need(point) }
            nextUse[index] = index + 1
            index = unseenUse(index)
        }
    }

    private mutating func unseenUse(_ start: Int) -> Int {
        var index = start
        while nextUse[index] != index {
            nextUse[index] = nextUse[nextUse[index]]
            index = nextUse[index]
        }
        return index
    }

    private mutating func keepOutermost() {
        let needed = points.indices.filter { isNeeded[$0] }.compactMap { points[$0].range }
        let sorted = needed.sorted {
            ($0.lowerBound, $1.upperBound) < ($1.lowerBound, $0.upperBound)
        }
        for range in sorted where range.lowerBound >= ranges.last?.upperBound ?? 0 { ranges.append(range) }
    }

    // MARK: Moving

    /// The definitions that can go to their first use: index in `ranges` → index of the use.
    func moves() -> [Int: Int] {
        guard !map.usesMemoize || !rules.contains(.keepNumbers), !ranges.isEmpty else { return [:] }
        let blocked = rules.contains(.noOtherKept) ? usedByOthers() : []
        var result: [Int: Int] = [:]
        for (index, range) in ranges.enumerated() where !blocked.contains(index) {
            if let use = firstUse(of: range) { result[index] = use }
        }
        return result
    }

    /// Definitions of which another kept one uses a part: that one may run before the first use outside.
    private func usedByOthers() -> Set<Int> {
        var result: Set<Int> = []
        for (index, range) in ranges.enumerated() {
            var use = map.uses.partitioningIndex { Int($0.at) < range.lowerBound }
            while use < map.uses.count, Int(map.uses[use].at) < range.upperBound {
                let at = Int(map.puts[Int(map.uses[use].put)].at)
                let owner = ranges.partitioningIndex { $0.upperBound <= at }
                if owner != index, owner < ranges.count, ranges[owner].contains(at) { result.insert(owner) }
                use += 1
            }
        }
        return result
    }

    /// The use to move a definition to; nil when it has to stay.
    private func firstUse(of range: Range<Int>) -> Int? {
        let lower = map.puts.partitioningIndex { Int($0.at) < range.lowerBound }
        let upper = map.puts.partitioningIndex { Int($0.at) < range.upperBound }
        guard let first = (lower..<upper).lazy.map({ Int(firstUse[$0]) }).filter({ $0 >= 0 }).min() else { return nil }
        let point = Int(pointOfPut[Int(map.uses[first].put)])
        if rules.contains(.exactFirstUse) {
            guard point >= 0, points[point].range == range else { return nil }
        }
        let changes = document.remoteSteps
        let change = changes.partitioningIndex { Int($0.offset) < range.lowerBound }
        guard change == changes.count || Int(changes[change].offset) >= range.upperBound else { return nil }
        guard rules.contains(.noSecondPut) else { return first }
        let between = range.upperBound..<Int(map.uses[first].at)
        // A number defined in it, or used in it, that means something else by then. (Where the next PUT of the number is in
        // the definition itself, that one is looked at in its turn.)
        func isPutBetween(_ put: Int) -> Bool {
            let next = Int(map.puts[put].next)
            return next >= 0 && between.contains(Int(map.puts[next].at))
        }
        for put in lower..<upper where isPutBetween(put) { return nil }
        var use = map.uses.partitioningIndex { Int($0.at) < range.lowerBound }
        while use < map.uses.count, Int(map.uses[use].at) < range.upperBound {
            if isPutBetween(Int(map.uses[use].put)) { return nil }
            use += 1
        }
        return first
    }
}

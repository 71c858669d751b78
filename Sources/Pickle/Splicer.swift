/// Replaces ranges of a document by other bytes, so that every GET outside of them still gets what it got before.
///
/// Each range is made of whole items (a slot, a pair, pairs with their opcode) and its replacement does to the stack what
/// the range did. A value that is defined inside a range and used outside is kept: moved to where it is used first, which
/// is what Python would have written, or left where it is as dead code (its bytes and a POP), which is always right.
///
/// The rules, each of which some record needs (`Tests/PickleTests/SpliceTests.swift`):
/// 1. A PUT inside that a GET outside uses is needed.
/// 2. So is one that a kept definition uses, unless it lies in that definition.
/// 3. Only outermost definitions are kept; they nest or are disjoint.
/// 4. One is moved only if the first use asks for exactly it and not for something inside, no other kept definition uses
///    anything in it, none of its numbers is PUT again before that place, and no number is implicit.
/// 5. Where numbers are implicit (MEMOIZE), each definition that goes leaves one of None, so that the count stays.
/// 6. FRAME headers go, all of them: frames are optional.
/// 7. A change made to a value through a GET is kept as the value is.
struct Splicer {
    struct Cut {
        var range: Range<Int>
        var bytes: [UInt8]
        /// For an empty range: it belongs to the byte before it and not to the one behind.
        var belongsToPrevious = false
        /// What comes first where several empty ranges of one side meet.
        var order = 0
    }

    let document: PickleDocument
    /// Sorted and disjoint.
    let cuts: [Cut]

    /// The rules that can be turned off, for the tests that show what each is for.
    struct Rules: OptionSet {
        let rawValue: Int
        static let keepUsed = Rules(rawValue: 1)
        static let closure = Rules(rawValue: 2)
        static let exactFirstUse = Rules(rawValue: 4)
        static let noOtherKept = Rules(rawValue: 8)
        static let noSecondPut = Rules(rawValue: 16)
        static let keepNumbers = Rules(rawValue: 32)
        static let dropFrames = Rules(rawValue: 64)
        static let remoteSteps = Rules(rawValue: 128)
        static let all = Rules(rawValue: 255)
    }

    var rules = Rules.all

    init(_ document: PickleDocument, _ cuts: [Cut]) {
        self.document = document
        self.cuts = cuts
    }

    /// The source with the cuts made.
    func result() throws(PickleError) -> [UInt8] {
        guard try needsMap() else { return assemble(cuts, without: []) }
        let map = try MemoMap(document)
        var kept = KeptDefinitions(document, map, cuts, rules)
        kept.find()
        let moves = kept.moves()
        var pieces: [Cut] = []
        for (index, cut) in cuts.enumerated() {
            let front = deadCode(kept, in: cut.range, moved: moves, map, cutIndex: index)
            pieces.append(Cut(range: cut.range, bytes: front + cut.bytes))
        }
        let frames = rules.contains(.dropFrames) ? map.frames : []
        for (definition, use) in moves {
            let get = map.uses[use]
            pieces.append(
                Cut(range: Int(get.at)..<Int(get.end), bytes: bytes(of: kept.ranges[definition], without: frames)))
        }
        if !moves.isEmpty {
            pieces.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        }
        return assemble(pieces, without: frames)
    }

    /// Most cuts define nothing that is used elsewhere. Then the rest of the source can stay as it is.
    private func needsMap() throws(PickleError) -> Bool {
        if document.usesFramesOrMemoize || !document.remoteSteps.isEmpty { return true }
        return try MemoMap.isUsed(outside: cuts, in: document)
    }

    /// What must stay of a cut, in the order of the source: kept definitions that are not moved, each with a POP; and in a
    /// pickle with implicit numbers one definition of None for each that goes.
    private func deadCode(
        _ kept: KeptDefinitions, in range: Range<Int>, moved: [Int: Int], _ map: MemoMap, cutIndex: Int
    ) -> [UInt8] {
        var result: [UInt8] = []
        let pop = Opcode.pop.rawValue
        let frames = rules.contains(.dropFrames) ? map.frames : []
        var next = kept.ranges.partitioningIndex { $0.lowerBound < range.lowerBound }
        guard map.usesMemoize, rules.contains(.keepNumbers) else {
            while next < kept.ranges.count, kept.ranges[next].lowerBound < range.upperBound {
                if moved[next] == nil { result += bytes(of: kept.ranges[next], without: frames) + [pop] }
                next += 1
            }
            return result
        }
        var put = map.puts.partitioningIndex { Int($0.at) < range.lowerBound }
        while put < map.puts.count, Int(map.puts[put].at) < range.upperBound {
            let at = Int(map.puts[put].at)
            while next < kept.ranges.count, kept.ranges[next].upperBound <= at {
                result += bytes(of: kept.ranges[next], without: frames) + [pop]
                next += 1
            }
            if next < kept.ranges.count, kept.ranges[next].contains(at) {
                put += 1
                continue
            }
            result.append(Opcode.none.rawValue)
            result += definition(at: at)
            result.append(pop)
            put += 1
        }
        while next < kept.ranges.count, kept.ranges[next].lowerBound < range.upperBound {
            result += bytes(of: kept.ranges[next], without: frames) + [pop]
            next += 1
        }
        return result
    }

    /// The bytes of the PUT or MEMOIZE that stands at an offset.
    private func definition(at offset: Int) -> ArraySlice<UInt8> {
        let source = document.source
        switch source[offset] {
        case Opcode.memoize.rawValue: return source[offset..<offset + 1]
        case Opcode.binPut.rawValue: return source[offset..<offset + 2]
        case Opcode.longBinPut.rawValue: return source[offset..<offset + 5]
        default:
            var end = offset
            while source[end] != UInt8(ascii: "\n") { end += 1 }
            return source[offset...end]
        }
    }

    private func bytes(of range: Range<Int>, without frames: [Int]) -> [UInt8] {
        var result: [UInt8] = []
        var at = range.lowerBound
        var next = frames.partitioningIndex { $0 < at }
        while next < frames.count, frames[next] < range.upperBound {
            result += document.source[at..<frames[next]]
            at = frames[next] + Self.frameLength
            next += 1
        }
        return result + document.source[at..<range.upperBound]
    }

    private static let frameLength = 9

    private func assemble(_ pieces: [Cut], without frames: [Int]) -> [UInt8] {
        let source = document.source
        var result: [UInt8] = []
        result.reserveCapacity(source.count + pieces.reduce(0) { $0 + $1.bytes.count })
        var at = 0
        for piece in pieces {
            result +=
                frames.isEmpty
                ? source[at..<piece.range.lowerBound] : bytes(of: at..<piece.range.lowerBound, without: frames)[...]
            result += piece.bytes
            at = piece.range.upperBound
        }
        result += frames.isEmpty ? source[at...] : bytes(of: at..<source.count, without: frames)[...]
        return result
    }
}

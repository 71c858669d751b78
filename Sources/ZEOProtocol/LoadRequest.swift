public import ZODB

/// A `loadBefore` as clients of ZEO 4.2 and later write it, recognised by its bytes: nine of ten calls are one, and
/// reading them as values takes longer than answering them.
///
/// What is not recognised is no error: it takes the way of all calls. Nothing here allocates.
public struct LoadRequest: Equatable, Sendable {
    public let oid: ObjectID
    public let before: TransactionID
    /// Where the call's id stands in the message, opcodes and all: an answer repeats it.
    public let id: Range<Int>

    /// - Parameter body: one message's body.
    public init?(_ body: RawSpan, in encoding: Dialect.Encoding) {
        var reader = MessageMatcher(bytes: body)
        switch encoding {
        case .pickle: self.init(pickled: &reader)
        case .messagePack: self.init(packed: &reader)
        }
    }

    /// `80 03 ( id 89 X "loadBefore" C oid C tid 86 t .`, with any opcodes for an id that is an integer or a pair of an oid
    /// and a tid, and the strings of Python 2 as well.
    private init?(pickled reader: inout MessageMatcher) {
        guard reader.skip([0x80, 3, UInt8(ascii: "(")]) else { return nil }
        let start = reader.offset
        switch reader.next() {
        case UInt8(ascii: "K"): reader.offset += 1
        case UInt8(ascii: "M"): reader.offset += 2
        case UInt8(ascii: "J"):
            // -1 is the id of a heartbeat, which is not answered.
            if reader.skip([0xff, 0xff, 0xff, 0xff]) { return nil }
            reader.offset += 4
        case UInt8(ascii: "C"), UInt8(ascii: "U"):
            reader.offset -= 1
            guard reader.eight() != nil, reader.eight() != nil, reader.skip([0x86]) else { return nil }
        default: return nil
        }
        id = start..<reader.offset
        guard reader.skip([0x89]) || reader.skip([UInt8(ascii: "K"), 0]),
            reader.skip([UInt8(ascii: "X"), 10, 0, 0, 0]) || reader.skip([UInt8(ascii: "U"), 10]),
            reader.skipName(), let oid = reader.eight(), let tid = reader.eight(),
            reader.skip([0x86, UInt8(ascii: "t"), UInt8(ascii: ".")]), reader.isAtEnd
        else { return nil }
        self.oid = ObjectID(rawValue: oid)
        before = TransactionID(rawValue: tid)
    }

    /// `94 id c2 aa "loadBefore" 92 c4 08 oid c4 08 tid`
    private init?(packed reader: inout MessageMatcher) {
        guard reader.skip([0x94]) else { return nil }
        let start = reader.offset
        switch reader.next() ?? 0xff {
        case 0x00...0x7f: break
        case 0xcc: reader.offset += 1
        case 0xcd: reader.offset += 2
        case 0xce: reader.offset += 4
        case 0x92: guard reader.packedEight() != nil, reader.packedEight() != nil else { return nil }
        default: return nil
        }
        id = start..<reader.offset
        guard reader.skip([0xc2]) || reader.skip([0]), reader.skip([0xaa]), reader.skipName(), reader.skip([0x92]),
            let oid = reader.packedEight(), let tid = reader.packedEight(), reader.isAtEnd
        else { return nil }
        self.oid = ObjectID(rawValue: oid)
        before = TransactionID(rawValue: tid)
    }
}

/// The answer to a `loadBefore`, written piece by piece where it is to lie.
public enum LoadReply {
    /// Bytes of the frame that holds a revision of `count` bytes, its length word included.
    public static func frameSize(
        id: Int, count: Int, hasNext: Bool, in encoding: Dialect.Encoding, for reader: PythonGeneration
    ) -> Int {
        switch encoding {
        case .pickle:
            4 + 3 + id + 2 + (reader == .python3 ? 11 : 8) + (count < 256 ? 2 : 5) + count + 10
                + (hasNext ? 10 : 1) + 3
        case .messagePack:
            4 + 1 + id + 1 + 7 + 1 + (count < 0x100 ? 2 : count < 0x10000 ? 3 : 5) + count + 10 + (hasNext ? 10 : 1)
        }
    }

    /// Fills `frame`, which has `frameSize` bytes.
    /// - Parameter id: the id of the call, as its message has it.
    public static func write(
        to frame: UnsafeMutableRawBufferPointer, id: RawSpan, data: RawSpan, serial: TransactionID,
        next: TransactionID?, in encoding: Dialect.Encoding, for reader: PythonGeneration
    ) {
        var writer = unsafe FrameWriter(base: frame)
        writer.write(UInt32(frame.count - 4).bigEndian)
        let count = data.byteCount
        switch encoding {
        case .pickle:
            writer.write([0x80, 3, UInt8(ascii: "(")])
            writer.write(id)
            writer.write([UInt8(ascii: "K"), 0])
            let isOld = reader == .python2
            if isOld { writer.write([UInt8(ascii: "U"), 6]) } else { writer.write([UInt8(ascii: "X"), 6, 0, 0, 0]) }
            let short = isOld ? UInt8(ascii: "U") : UInt8(ascii: "C")
            writer.write(Self.replyName)
            if count < 256 {
                writer.write([short, UInt8(count)])
            } else {
                writer.write([isOld ? UInt8(ascii: "T") : UInt8(ascii: "B")])
                writer.write(UInt32(truncatingIfNeeded: count).littleEndian)
            }
            writer.write(data)
            writer.write([short, 8])
            writer.write(serial.rawValue.bigEndian)
            if let next {
                writer.write([short, 8])
                writer.write(next.rawValue.bigEndian)
            } else {
                writer.write([UInt8(ascii: "N")])
            }
            writer.write([0x87, UInt8(ascii: "t"), UInt8(ascii: ".")])
        case .messagePack:
            writer.write([0x94])
            writer.write(id)
            writer.write([0, 0xa6])
            writer.write(Self.replyName)
            writer.write([0x93])
            if count < 0x100 {
                writer.write([0xc4, UInt8(count)])
            } else if count < 0x10000 {
                writer.write([0xc5])
                writer.write(UInt16(count).bigEndian)
            } else {
                writer.write([0xc6])
                writer.write(UInt32(truncatingIfNeeded: count).bigEndian)
            }
            writer.write(data)
            writer.write([0xc4, 8])
            writer.write(serial.rawValue.bigEndian)
            if let next {
                writer.write([0xc4, 8])
                writer.write(next.rawValue.bigEndian)
            } else {
                writer.write([0xc0])
            }
        }
        precondition(writer.offset == frame.count, "a frame's size is computed from what is written to it")
    }

    private static let replyName: [6 of UInt8] = [0x2e, 0x72, 0x65, 0x70, 0x6c, 0x79]
}

/// Writes one piece behind the other, never beyond the end.
private struct FrameWriter {
    let base: UnsafeMutableRawBufferPointer
    var offset = 0

    init(base: UnsafeMutableRawBufferPointer) {
        unsafe self.base = base
    }

    @inline(__always)
    mutating func write<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        unsafe precondition(offset + MemoryLayout<Value>.size <= base.count)
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: Value.self)
        offset += MemoryLayout<Value>.size
    }

    @inline(__always)
    mutating func write<let count: Int>(_ bytes: [count of UInt8]) {
        unsafe precondition(offset + count <= base.count)
        for index in 0..<count { unsafe base[offset + index] = bytes[index] }
        offset += count
    }

    @inline(__always)
    mutating func write(_ bytes: RawSpan) {
        unsafe precondition(offset + bytes.byteCount <= base.count)
        unsafe bytes.withUnsafeBytes { source in
            if source.count > 0 {
                unsafe UnsafeMutableRawBufferPointer(rebasing: base[offset..<offset + source.count])
                    .copyMemory(from: source)
            }
        }
        offset += bytes.byteCount
    }
}

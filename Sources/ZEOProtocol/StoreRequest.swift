public import ZODB

/// A `storea` as clients of ZEO 5 and later write it, recognised by its bytes: a transaction of a thousand objects has a
/// thousand of them, and reading them as values takes longer than all else that is done for them.
///
/// What is not recognised is no error: it takes the way of all calls. Nothing here allocates.
public struct StoreRequest: Equatable, Sendable {
    public let oid: ObjectID
    public let serial: TransactionID
    /// Where the record stands in the message.
    public let data: Range<Int>
    /// The transaction's number.
    public let transaction: Int64

    /// - Parameter body: one message's body.
    public init?(_ body: RawSpan, in encoding: Dialect.Encoding) {
        var reader = MessageMatcher(bytes: body)
        switch encoding {
        case .pickle: self.init(pickled: &reader)
        case .messagePack: self.init(packed: &reader)
        }
    }

    /// `80 03 ( K 00 88 X "storea" ( C oid C serial C|B data number t t .`, and the strings of Python 2 as well.
    private init?(pickled reader: inout MessageMatcher) {
        guard reader.skip([0x80, 3, UInt8(ascii: "("), UInt8(ascii: "K"), 0, 0x88]),
            reader.skip([UInt8(ascii: "X"), 6, 0, 0, 0]) || reader.skip([UInt8(ascii: "U"), 6]),
            reader.skip([0x73, 0x74, 0x6f, 0x72, 0x65, 0x61]), reader.skip([UInt8(ascii: "(")]),
            let oid = reader.eight(), let serial = reader.eight()
        else { return nil }
        let count: UInt64?
        switch reader.next() ?? 0 {
        case UInt8(ascii: "C"), UInt8(ascii: "U"): count = reader.littleEndian(1)
        case UInt8(ascii: "B"), UInt8(ascii: "T"): count = reader.littleEndian(4)
        default: return nil
        }
        guard let count, let data = reader.place(Int(count)), let number = Self.pickledInteger(&reader),
            reader.skip([UInt8(ascii: "t"), UInt8(ascii: "t"), UInt8(ascii: ".")]), reader.isAtEnd
        else { return nil }
        self.oid = ObjectID(rawValue: oid)
        self.serial = TransactionID(rawValue: serial)
        self.data = data
        transaction = number
    }

    private static func pickledInteger(_ reader: inout MessageMatcher) -> Int64? {
        switch reader.next() ?? 0 {
        case UInt8(ascii: "K"): return reader.littleEndian(1).map(Int64.init)
        case UInt8(ascii: "M"): return reader.littleEndian(2).map(Int64.init)
        case UInt8(ascii: "J"): return reader.littleEndian(4).map { Int64(Int32(truncatingIfNeeded: $0)) }
        case UInt8(ascii: "I"):
            // Python 2: decimal digits, and the end of the line.
            var value: Int64 = 0
            var digits = 0
            while let byte = reader.next(), byte != UInt8(ascii: "\n") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits < 18 else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                digits += 1
            }
            // Two digits with a leading zero are a truth value.
            return digits > 2 ? value : nil
        case 0x8a:
            guard let count = reader.littleEndian(1), (1...8).contains(count),
                let value = reader.littleEndian(Int(count))
            else { return nil }
            // Two's complement: the top bit is the sign.
            let shift = 64 - Int64(count) * 8
            return Int64(bitPattern: value << UInt64(shift)) >> shift
        default: return nil
        }
    }

    /// `94 00 c3 a6 "storea" 94 c4 08 oid c4 08 serial c4|c5|c6 data number`
    private init?(packed reader: inout MessageMatcher) {
        guard reader.skip([0x94, 0, 0xc3, 0xa6]), reader.skip([0x73, 0x74, 0x6f, 0x72, 0x65, 0x61]),
            reader.skip([0x94]), let oid = reader.packedEight(), let serial = reader.packedEight()
        else { return nil }
        let count: UInt64?
        switch reader.next() ?? 0 {
        case 0xc4: count = reader.bigEndian(1)
        case 0xc5: count = reader.bigEndian(2)
        case 0xc6: count = reader.bigEndian(4)
        default: return nil
        }
        guard let count, let data = reader.place(Int(count)), let number = Self.packedInteger(&reader), reader.isAtEnd
        else { return nil }
        self.oid = ObjectID(rawValue: oid)
        self.serial = TransactionID(rawValue: serial)
        self.data = data
        transaction = number
    }

    private static func packedInteger(_ reader: inout MessageMatcher) -> Int64? {
        switch reader.next() ?? 0xff {
        case let small where small < 0x80: return Int64(small)
        case 0xcc: return reader.bigEndian(1).map(Int64.init)
        case 0xcd: return reader.bigEndian(2).map(Int64.init)
        case 0xce: return reader.bigEndian(4).map(Int64.init)
        case 0xcf: return reader.bigEndian(8).flatMap { Int64(exactly: $0) }
        default: return nil
        }
    }
}

import ByteCoding
import Testing

@Suite("Byte reader")
struct ByteReaderTests {
    static let bytes: [UInt8] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07]

    @Test("integers are big-endian and follow each other")
    func integers() throws {
        var reader = ByteReader(Self.bytes.span.bytes)
        #expect(try reader.read(as: UInt8.self) == 1)
        #expect(try reader.read(as: UInt16.self) == 0x0203)
        #expect(try reader.read(as: UInt32.self) == 0x0405_0607)
        let rest = reader.remaining
        #expect(rest == 0)
    }

    @Test("a read past the end says how much was needed, how much was there, and where")
    func truncated() throws {
        var reader = ByteReader(Self.bytes.span.bytes)
        try reader.skip(5)
        #expect(throws: FormatError(.truncated(needed: 8, available: 2), at: 5)) {
            var reader = ByteReader(Self.bytes.span.bytes)
            try reader.skip(5)
            _ = try reader.read(as: UInt64.self)
        }
        #expect(try reader.read(count: 2) == [6, 7])
    }

    @Test("a negative or huge count is an error, not a trap", arguments: [-1, 8, Int.max])
    func hostileCount(count: Int) {
        #expect(throws: FormatError.self) {
            var reader = ByteReader(Self.bytes.span.bytes)
            _ = try reader.read(count: count)
        }
    }

    @Test("what the writer writes, the reader reads")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.write(UInt64(0x0102_0304_0506_0708))
        writer.write([9, 10])
        var reader = ByteReader(writer.bytes.span.bytes)
        #expect(try reader.read(as: UInt64.self) == 0x0102_0304_0506_0708)
        #expect(try reader.read(count: 2) == [9, 10])
    }

    @Test("hexadecimal goes both ways and refuses what is none")
    func hexadecimal() {
        #expect(Hexadecimal.text([0x0a, 0xff]) == "0aff")
        #expect(Hexadecimal.bytes("0aFF") == [0x0a, 0xff])
        #expect(Hexadecimal.bytes("0af") == nil)
        #expect(Hexadecimal.bytes("0x") == nil)
        #expect(Hexadecimal.text(26, width: 4) == "001a")
    }
}

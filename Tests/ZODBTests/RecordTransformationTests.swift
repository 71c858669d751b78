import ByteCoding
import CZlib
import Testing
import ZODB

@Suite("Record transformations")
struct RecordTransformationTests {
    /// `.z` and the zlib stream of `data`, as `zc.zlibstorage` stores it.
    static func compressed(_ data: [UInt8]) throws -> [UInt8] {
        var size = compressBound(UInt(data.count))
        var stream = [UInt8](repeating: 0, count: Int(size))
        try #require(compress(&stream, &size, data, UInt(data.count)) == Z_OK)
        return Array(".z".utf8) + stream.prefix(Int(size))
    }

    @Test("a record that zc.zlibstorage wrote is inflated")
    func pythonVector() throws {
        // zlib.compress(b"cfoo\nBar\nq\x01." + b"}." * 20) in Python 3.11, behind `.z`.
        let stored = try #require(
            Hexadecimal.bytes("2e7a789c4b4ecbcfe7724a2ce22a64d4ab25120200b84310cd"))
        let plain = "cfoo\nBar\nq\u{1}." + String(repeating: "}.", count: 20)
        #expect(try RecordTransformation.undone(stored) == Array(plain.utf8))
    }

    @Test("a plain record and an encrypted one stay as they are")
    func others() throws {
        for data in [Array("cfoo\nBar\nq\u{1}.}.".utf8), Array(".e\u{1}\u{2}".utf8), Array(".".utf8), []] {
            #expect(try RecordTransformation.undone(data) == data)
        }
        #expect(RecordTransformation(of: Array(".e".utf8)) == .unknown(UInt8(ascii: "e")))
        #expect(RecordTransformation(of: Array(".".utf8)) == .plain)
        #expect(RecordTransformation(of: Array(".z".utf8)) == .zlib)
    }

    @Test(
        "records of every size come back, over the borders of the pieces", arguments: [0, 1, 65_535, 65_536, 300_001])
    func sizes(count: Int) throws {
        let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) }
        #expect(try RecordTransformation.undone(Self.compressed(data)) == data)
    }

    @Test("a stream that ends early, at whatever byte, is an error")
    func truncated() throws {
        let stored = try Self.compressed((0..<500).map { UInt8(truncatingIfNeeded: $0 &* $0) })
        for count in 2..<stored.count {
            #expect(throws: FormatError.self) { try RecordTransformation.undone(Array(stored.prefix(count))) }
        }
    }

    @Test("damage and trailing bytes are errors")
    func damaged() throws {
        let stored = try Self.compressed(Array(repeating: 1, count: 500))
        #expect(throws: FormatError.self) { try RecordTransformation.undone(stored + [0]) }
        #expect(throws: FormatError.self) { try RecordTransformation.undone(Array(".z".utf8) + [1, 2, 3, 4, 5, 6]) }
        var checksum = stored
        checksum[stored.count - 1] ^= 1
        #expect(throws: FormatError.self) { try RecordTransformation.undone(checksum) }
    }

    @Test("a bomb stops at the limit")
    func bomb() throws {
        let stored = try Self.compressed(Array(repeating: 0, count: 20 << 20))
        #expect(stored.count < 32 << 10)
        #expect(throws: FormatError.self) { try RecordTransformation.undone(stored) }
        #expect(try RecordTransformation.undone(stored, limit: 20 << 20).count == 20 << 20)
        #expect(RecordTransformation.inflatedLimit(of: .max) == 1 << 30)
        #expect(RecordTransformation.inflatedLimit(of: 1 << 20) == 128 << 20)
    }
}

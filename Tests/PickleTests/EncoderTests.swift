import Foundation
import Pickle
import TestSupport
import Testing

@Suite("Encoder")
struct EncoderTests {
    static let seed = UInt64.random(in: 0..<1_000_000)

    /// Which picklers there are, and who has them.
    static let styles: [PickleStyle] =
        (0...3).map { PickleStyle(protocolNumber: $0, isPython2: true) }
        + (0...5).map { PickleStyle(protocolNumber: $0, isPython2: false) }

    @Test(
        "what it writes is what Python's pickler writes, to the byte",
        .enabled(if: PythonPeer.zeo6.isReady && PythonPeer.zeo5Python2.isReady), arguments: [true, false])
    func judged(isPython2: Bool) throws {
        var random = RandomNumbers(seed: Self.seed)
        var lines: [String] = []
        for style in Self.styles where style.isPython2 == isPython2 {
            var values = Self.edges(style)
            for _ in 0..<400 { values.append(Self.value(style, depth: 3, &random)) }
            for value in values {
                func base64(_ style: PickleStyle) throws -> String {
                    Data(try PickleEncoder.pickle(value, style)).base64EncodedString()
                }
                let twin = PickleStyle(protocolNumber: 1, isPython2: isPython2)
                let rest = style.protocolNumber == 0 ? ",\"twin\":\"\(try base64(twin))\"" : ""
                lines.append(
                    """
                    {"label":"\(style)","protocol":\(style.protocolNumber),"pickle":"\(try base64(style))"\(rest)}
                    """)
            }
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        let peer = isPython2 ? PythonPeer.zeo5Python2 : .zeo6
        do {
            let text = try peer.run(try PythonScript.text("encoder.py"), [file.path])
            print(text.split(separator: "\n").last ?? "")
            #expect(text.contains("\(lines.count) cases"))
        } catch {
            Issue.record("seed \(Self.seed): \(error)")
        }
    }

    @Test("what it writes is read again as the same value", arguments: styles)
    func roundTrip(style: PickleStyle) throws {
        var random = RandomNumbers(seed: Self.seed)
        for value in Self.edges(style) + (0..<300).map({ _ in Self.value(style, depth: 3, &random) }) {
            let document = try PickleDocument(try PickleEncoder.pickle(value, style))
            let again = try PickleValue(document.roots[0], in: document)
            #expect(try PickleEncoder.pickle(again, style) == document.source, "seed \(Self.seed)")
            #expect(Self.comparable(again, style) == Self.comparable(value, style), "seed \(Self.seed)")
        }
    }

    /// Sizes at which the opcode or the batch changes.
    static func edges(_ style: PickleStyle) -> [PickleValue] {
        var values: [PickleValue] = [.none, .bool(true), .bool(false), .tuple([]), .list([]), .dict([]), .text("")]
        for bits in [0, 7, 8, 15, 16, 31, 32, 62] {
            for offset in [-1, 0, 1] {
                let value = 1 << bits + offset
                values += [.integer(value), .integer(-value)]
            }
        }
        values += [.integer(.max), .integer(.min)].map { (value: PickleValue) in value }
        for bytes in [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0x80]] as [[UInt8]]
        {
            values.append(.integer(PickleInteger(twosComplement: bytes, isLong: true)))
        }
        if style.isPython2 { values += [0, -1, 255, 70_000].map { .integer(PickleInteger($0, isLong: true)) } }
        if style.protocolNumber >= 2 {
            values.append(
                .integer(PickleInteger(twosComplement: [UInt8](repeating: 0x55, count: 256), isLong: true)))
        }
        values += [0, -0.0, 1.5, 1e300, 1e-300, .infinity, -.infinity].map { .float($0) }
        for count in [1, 255, 256, 70_000] {
            values.append(.text([UInt8](repeating: 97, count: count)))
            if style.isPython2 { values.append(.nativeString([UInt8](repeating: 97, count: count))) }
            if style.protocolNumber >= 3 || !style.isPython2 {
                values.append(.bytes([UInt8](repeating: 200, count: count)))
            }
        }
        for count in [1, 2, 3, 4, 999, 1000, 1001, 1002, 2001] {
            let items = (0..<count).map { PickleValue.integer($0) }
            values += [.list(items), .tuple(items)]
            values.append(.dict(items.map { PickleValue.Entry(key: $0, value: .none) }))
            values += [.set(items), .frozenSet(items)]
        }
        values += [.set([]), .frozenSet([]), .byteArray([]), .byteArray([0, 0xe9, 255])]
        values.append(.text("\\ \n\r\0\u{1a} \u{e9}\u{20ac}\u{1f600}"))
        // A lone surrogate.
        values.append(.text([0xed, 0xa0, 0x80]))
        if style.isPython2 {
            values += [.nativeString("it's \"quoted\"\n\t\\"), .nativeString([0, 0x7f, 0xe9])]
        } else if style.protocolNumber != 0 {
            values += [.bytes([]), .bytes([0, 0xe9])]
        }
        return values
    }

    static func value(_ style: PickleStyle, depth: Int, _ random: inout RandomNumbers) -> PickleValue {
        func some(_ random: inout RandomNumbers) -> [PickleValue] {
            (0..<random.below(5)).map { _ in value(style, depth: depth - 1, &random) }
        }
        switch random.below(depth > 0 ? 15 : 8) {
        case 0: return .none
        case 1: return .bool(random.oneIn(2))
        case 2: return .integer(Int(truncatingIfNeeded: random.next() >> UInt64(random.below(64))))
        case 3: return .float(Double(bitPattern: random.next() & 0xbfff_ffff_ffff_ffff))
        case 4, 5: return .text(String(random.next(), radix: 36) + (random.oneIn(3) ? "\u{e9}\u{20ac}" : ""))
        case 6 where style.isPython2: return .nativeString([UInt8(random.below(256)), UInt8(random.below(256))])
        case 6 where style.protocolNumber >= 3: return .bytes([UInt8(random.below(256))])
        case 7 where style.isPython2: return .integer(PickleInteger(Int64(random.below(1000)), isLong: true))
        case 8, 9: return .list(some(&random))
        case 10, 11: return .tuple(some(&random))
        case 12: return .dict(Set(some(&random).filter(\.isPlainKey)).map { .init(key: $0, value: .list([])) })
        case 13: return .set(Set(some(&random).filter(\.isPlainKey)).prefix(2).map { $0 })
        case 14 where style.protocolNumber > 0 && (style.isPython2 || style.protocolNumber > 2):
            return .persistentID(
                .tuple([style.objectID([0, 0, 0, 0, 0, 0, 0, UInt8(random.below(256))]), .global("__main__", "Made")]))
        default: return .float(0.5)
        }
    }

    /// A value with what a style does not tell apart made the same.
    static func comparable(_ value: PickleValue, _ style: PickleStyle) -> PickleValue {
        func all(_ values: [PickleValue]) -> [PickleValue] { values.map { comparable($0, style) } }
        switch value {
        case .integer(let integer):
            let isLong = style.isPython2 && (integer.isLong || integer.int64 == nil)
            return .integer(PickleInteger(twosComplement: integer.twosComplement, isLong: isLong))
        case .float(let value): return .float(value.isNaN ? 0 : value)
        case .tuple(let items): return .tuple(all(items))
        case .list(let items): return .list(all(items))
        case .set(let items): return .set(all(items))
        case .frozenSet(let items): return .frozenSet(all(items))
        case .dict(let entries):
            return .dict(entries.map { .init(key: comparable($0.key, style), value: comparable($0.value, style)) })
        case .persistentID(let id): return .persistentID(comparable(id, style))
        case .byteArray(let bytes) where style.protocolNumber < 5:
            return .list([.text("bytearray"), .bytes(bytes)])
        case .instance(let instance):
            guard case .global(let name) = instance.callable, name.name == "bytearray" else { return value }
            let bytes = instance.arguments.first?.stringBytes ?? []
            let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
            if case .text? = instance.arguments.first {
                return .list([.text("bytearray"), .bytes(scalars.map { UInt8($0.value) })])
            }
            return .list([.text("bytearray"), .bytes(bytes)])
        default: return value
        }
    }

    @Test("what a Python cannot read is refused, with the reason")
    func refusals() {
        func refused(_ value: PickleValue, _ style: PickleStyle) -> String? {
            do throws(PickleValueError) {
                _ = try PickleEncoder.opcodes(value, style)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(refused(.nativeString("a"), .python3)?.contains("Python 3") == true)
        #expect(refused(.bytes([1]), .python2)?.contains("zodbpickle") == true)
        #expect(refused(.bytes([1]), .zodbpickle2) == nil)
        #expect(refused(.global("m\n", "C"), .python3) != nil)
        #expect(refused(.global("m", ""), .python3) != nil)
        #expect(refused(.global("m", "\u{e9}"), .python2) != nil)
        #expect(refused(.dict([.init(key: .list([]), value: .none)]), .python3) != nil)
        #expect(refused(.set([.tuple([.dict([])])]), .python3) != nil)
        var deep = PickleValue.none
        for _ in 0..<300 { deep = .list([deep]) }
        #expect(refused(deep, .python3) != nil)
        let huge = PickleInteger(twosComplement: [UInt8](repeating: 0x55, count: 3000), isLong: true)
        #expect(refused(.integer(huge), .python2) != nil && refused(.integer(huge), .python3) == nil)
    }
}

extension PickleValue {
    fileprivate var isPlainKey: Bool {
        switch self {
        case .text, .nativeString, .none: true
        default: false
        }
    }
}

enum PythonScript {
    static func text(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: folder.appending(path: "TestSupport/python/\(name)"), encoding: .utf8)
    }
}

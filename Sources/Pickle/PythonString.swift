/// Strings as Python literals, safe to show on a terminal: nothing that could move the cursor or turn the text around
/// passes unescaped.
public enum PythonString {
    /// `'…'` with the quotes and escapes of Python 3's `repr`, cut after `limit` characters (then `cut` is true).
    public static func literal(_ utf8: some Collection<UInt8>, limit: Int = .max) -> (text: String, cut: Bool) {
        let quote: Unicode.Scalar = utf8.contains(0x27) && !utf8.contains(0x22) ? "\"" : "'"
        var text = String.UnicodeScalarView([quote])
        var decoder = ScalarDecoder(utf8)
        var shown = 0
        var cut = false
        while let piece = decoder.next() {
            guard shown < limit else {
                cut = true
                break
            }
            shown += 1
            switch piece {
            case .scalar(let scalar): append(scalar, quote: quote, to: &text)
            case .surrogate(let code): text.append(contentsOf: "\\u\(hexadecimal(code, 4))".unicodeScalars)
            case .invalid(let byte): text.append(contentsOf: "\\x\(hexadecimal(UInt32(byte), 2))".unicodeScalars)
            }
        }
        text.append(quote)
        return (String(text), cut)
    }

    /// `b'…'` as Python prints bytes, cut after `limit` bytes.
    public static func bytesLiteral(_ bytes: some Collection<UInt8>, limit: Int = .max) -> (text: String, cut: Bool) {
        let quote: UInt8 = bytes.contains(0x27) && !bytes.contains(0x22) ? 0x22 : 0x27
        var text: [UInt8] = [UInt8(ascii: "b"), quote]
        for byte in bytes.prefix(limit) {
            switch byte {
            case quote, UInt8(ascii: "\\"): text.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 9: text.append(contentsOf: "\\t".utf8)
            case 10: text.append(contentsOf: "\\n".utf8)
            case 13: text.append(contentsOf: "\\r".utf8)
            case 0x20..<0x7f: text.append(byte)
            default: text.append(contentsOf: "\\x\(hexadecimal(UInt32(byte), 2))".utf8)
            }
        }
        text.append(quote)
        return (String(decoding: text, as: UTF8.self), bytes.count > limit)
    }

    /// Text with everything escaped that is no printable character: for database text outside quotes.
    public static func escaped(_ utf8: some Collection<UInt8>) -> String {
        String(literal(utf8).text.dropFirst().dropLast())
    }

    /// Whether the bytes are UTF-8 without surrogates.
    public static func isUTF8(_ bytes: some Collection<UInt8>) -> Bool {
        var decoder = ScalarDecoder(bytes)
        while let piece = decoder.next() {
            guard case .scalar = piece else { return false }
        }
        return true
    }

    /// The number of characters (code points) in UTF-8, a byte that is none counting as one.
    static func characterCount(_ utf8: some Collection<UInt8>) -> Int {
        utf8.reduce(0) { $0 + ($1 & 0xc0 == 0x80 ? 0 : 1) }
    }

    private static func append(
        _ scalar: Unicode.Scalar, quote: Unicode.Scalar, to text: inout String.UnicodeScalarView
    ) {
        switch scalar {
        case quote, "\\": text.append(contentsOf: ["\\", scalar])
        case "\n": text.append(contentsOf: "\\n".unicodeScalars)
        case "\r": text.append(contentsOf: "\\r".unicodeScalars)
        case "\t": text.append(contentsOf: "\\t".unicodeScalars)
        case " "..."~": text.append(scalar)
        default:
            if isPrintable(scalar) {
                text.append(scalar)
            } else if scalar.value < 0x100 {
                text.append(contentsOf: "\\x\(hexadecimal(scalar.value, 2))".unicodeScalars)
            } else if scalar.value < 0x10000 {
                text.append(contentsOf: "\\u\(hexadecimal(scalar.value, 4))".unicodeScalars)
            } else {
                text.append(contentsOf: "\\U\(hexadecimal(scalar.value, 8))".unicodeScalars)
            }
        }
    }

    /// As Python's `str.isprintable`: no control, format (bidirectional overrides are there), surrogate, private or
    /// unassigned character, and of the separators only the space.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }

    private static func hexadecimal(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads UTF-8 as Python's `surrogatepass` wrote it: characters, lone surrogates, and bytes that are neither.
struct ScalarDecoder<Bytes: Collection<UInt8>> {
    enum Piece: Equatable {
        case scalar(Unicode.Scalar)
        case surrogate(UInt32)
        case invalid(UInt8)
    }

    private let bytes: Bytes
    private var index: Bytes.Index

    init(_ bytes: Bytes) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    mutating func next() -> Piece? {
        guard index != bytes.endIndex else { return nil }
        let first = bytes[index]
        let start = index
        bytes.formIndex(after: &index)
        let extra: Int
        var value: UInt32
        switch first {
        case ..<0x80: return .scalar(Unicode.Scalar(first))
        case 0xc2...0xdf: (extra, value) = (1, UInt32(first & 0x1f))
        case 0xe0...0xef: (extra, value) = (2, UInt32(first & 0x0f))
        case 0xf0...0xf4: (extra, value) = (3, UInt32(first & 0x07))
        default: return .invalid(first)
        }
        for _ in 0..<extra {
            guard index != bytes.endIndex, bytes[index] & 0xc0 == 0x80 else { return invalid(first, after: start) }
            value = value << 6 | UInt32(bytes[index] & 0x3f)
            bytes.formIndex(after: &index)
        }
        let smallest: UInt32 = extra == 1 ? 0x80 : extra == 2 ? 0x800 : 0x10000
        guard value >= smallest, value <= 0x10ffff else { return invalid(first, after: start) }
        if (0xd800...0xdfff).contains(value) { return .surrogate(value) }
        guard let scalar = Unicode.Scalar(value) else { return invalid(first, after: start) }
        return .scalar(scalar)
    }

    /// One byte is given up; reading goes on behind it.
    private mutating func invalid(_ byte: UInt8, after start: Bytes.Index) -> Piece {
        index = bytes.index(after: start)
        return .invalid(byte)
    }
}

/// Writes JSON text piece by piece. The caller says what comes when; this knows commas, escapes and numbers.
public struct JSONText: Sendable {
    public private(set) var bytes: [UInt8] = []
    /// Whether the next value needs a comma before it.
    private var needsComma = false

    public init() {}

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    public mutating func key(_ name: some StringProtocol) {
        comma()
        append(quoted: name.utf8)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func string(_ value: some StringProtocol) {
        comma()
        append(quoted: value.utf8)
        needsComma = true
    }

    /// UTF-8 as Python has it: a lone surrogate becomes `\udXXX`, a byte that is no UTF-8 U+FFFD.
    public mutating func string(utf8: some Collection<UInt8>) {
        comma()
        append(quoted: utf8)
        needsComma = true
    }

    public mutating func key(utf8: some Collection<UInt8>) {
        comma()
        append(quoted: utf8)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func integer(_ value: some BinaryInteger) { raw(String(value)) }
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }
    public mutating func null() { raw("null") }
    /// A finite number; JSON has no other.
    public mutating func number(_ value: Double) { raw(value.description) }

    /// A value that is JSON already.
    public mutating func raw(_ json: String) {
        comma()
        bytes.append(contentsOf: json.utf8)
        needsComma = true
    }

    private mutating func begin(_ byte: UInt8) {
        comma()
        bytes.append(byte)
        needsComma = false
    }

    private mutating func end(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func append(quoted utf8: some Collection<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        var decoder = ScalarDecoder(utf8)
        while let piece = decoder.next() {
            switch piece {
            case .invalid: bytes.append(contentsOf: "\u{fffd}".utf8)
            case .surrogate(let code): bytes.append(contentsOf: "\\u\(String(code, radix: 16))".utf8)
            case .scalar(let scalar): append(scalar)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"", "\\": bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(truncatingIfNeeded: scalar.value)])
        case "\n": bytes.append(contentsOf: "\\n".utf8)
        case "\r": bytes.append(contentsOf: "\\r".utf8)
        case "\t": bytes.append(contentsOf: "\\t".utf8)
        case " "..."~": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        default:
            // Controls must be escaped in JSON; the others that are not printable could drive a terminal, or turn the
            // text around on it.
            guard !PythonString.isPrintable(scalar) else {
                bytes.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
                return
            }
            for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                let digits = String(unit, radix: 16)
                bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
            }
        }
    }
}

/// Base64 as JSON carries bytes: the standard alphabet, with padding.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    public static func text(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).reduce(0) { $0 << 8 | (start + $1 < bytes.count ? Int(bytes[start + $1]) : 0) }
            for position in 0..<4 {
                let known = start + position <= bytes.count
                result.append(known ? alphabet[group >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// nil when the text is none: another alphabet, a length that is no multiple of four.
    public static func bytes(_ text: [UInt8]) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3)
        for start in stride(from: 0, to: text.count, by: 4) {
            let padding = start + 4 == text.count ? text.suffix(2).count { $0 == UInt8(ascii: "=") } : 0
            if padding == 2, text[start + 2] != UInt8(ascii: "=") { return nil }
            if padding == 1, text[start + 3] != UInt8(ascii: "=") { return nil }
            var group = 0
            for position in 0..<4 - padding {
                guard let value = values[Int(text[start + position])] else { return nil }
                group |= Int(value) << (18 - 6 * position)
            }
            for shift in [16, 8, 0].prefix(3 - padding) { result.append(UInt8(group >> shift & 0xff)) }
        }
        return result
    }

    private static let values: [UInt8?] = {
        var values = [UInt8?](repeating: nil, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()
}

internal import ByteCoding

/// Bytes between double quotes, as a dump has them: printable characters as they are, everything else escaped.
///
/// `\\`, `\"`, `\n`, `\r`, `\t`, and `\xNN` for any other byte: for those of a character that is not printable, and for
/// those that are no UTF-8. Printable are letters, numbers, punctuation and symbols.
///
/// Source: zodbtools, `zodbdump.py` (`qq`), and pygolang's `strconv.py`, whose reader knows `\a`, `\b`, `\v`, `\f` as well.
enum DumpQuoting {
    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        text.append(quote)
        if bytes.allSatisfy(isPlain) {
            text += bytes
        } else {
            appendEscaped(bytes, to: &text)
        }
        text.append(quote)
    }

    private static let quote = UInt8(ascii: "\""), backslash = UInt8(ascii: "\\")

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != quote && byte != backslash
    }

    private static func appendEscaped(_ bytes: [UInt8], to text: inout [UInt8]) {
        var index = 0
        while index < bytes.count {
            let length = characterLength(bytes[index...])
            let character = bytes[index..<index + max(length, 1)]
            index += max(length, 1)
            if length > 0, isPrintable(character) {
                if character.first == quote || character.first == backslash { text.append(backslash) }
                text += character
                continue
            }
            switch character.first {
            case 9: text += Array("\\t".utf8)
            case 10: text += Array("\\n".utf8)
            case 13: text += Array("\\r".utf8)
            default:
                for byte in character {
                    text += Array("\\x".utf8)
                    text.append(DumpText.digit(byte >> 4))
                    text.append(DumpText.digit(byte & 15))
                }
            }
        }
    }

    /// How many bytes the first character has; 0 when they are no UTF-8.
    private static func characterLength(_ bytes: ArraySlice<UInt8>) -> Int {
        guard let first = bytes.first else { return 0 }
        let length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
        guard bytes.count >= length, String(validating: bytes.prefix(length), as: UTF8.self) != nil else { return 0 }
        return length
    }

    private static func isPrintable(_ character: ArraySlice<UInt8>) -> Bool {
        guard let scalar = String(validating: character, as: UTF8.self)?.unicodeScalars.first else { return false }
        if scalar.isASCII { return (0x20...0x7e).contains(scalar.value) }
        // Readers take it for what stands in place of a byte that is none.
        if scalar == "\u{fffd}" { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol,
            .otherSymbol:
            return true
        default: return false
        }
    }

    /// The bytes that a quoted text stands for; nil when it is none.
    static func unquoted(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count >= 2, text.first == quote, text.last == quote else { return nil }
        var rest = text.dropFirst().dropLast()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == backslash else {
                // It would have ended here.
                guard byte != quote else { return nil }
                bytes.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { return nil }
            if escape == UInt8(ascii: "x") {
                guard let high = rest.popFirst(), let low = rest.popFirst(),
                    let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(value)
            } else if let byte = PythonEscape.byte(for: escape) {
                bytes.append(byte)
            } else {
                return nil
            }
        }
        return bytes
    }
}

/// Pieces of the text of a dump, made without strings: there are millions.
enum DumpText {
    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    /// Sixteen hexadecimal digits.
    static func append(_ number: UInt64, to text: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            text.append(digit(UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15))
        }
    }

    /// A decimal number, at least so many digits long.
    static func append(decimal number: Int, width: Int = 1, to text: inout [UInt8]) {
        var rest = number.magnitude
        let start = text.count
        repeat {
            text.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0 || text.count - start < width
        text[start...].reverse()
    }

    static func append(_ string: StaticString, to text: inout [UInt8]) {
        string.withUTF8Buffer { text.append(contentsOf: $0) }
    }
}

/// Text from a database, made fit to be shown: it must not drive the terminal, nor deceive its reader.
public enum TerminalText {
    /// Control characters (C0, DEL, C1), bidirectional overrides and invisible marks become escapes such as `\x1b`.
    ///
    /// - Parameter keepsLines: line feeds and tabs stay.
    public static func escaped(_ text: String, keepsLines: Bool = false) -> String {
        guard text.unicodeScalars.contains(where: { needsEscape($0, keepsLines) }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if needsEscape(scalar, keepsLines) {
                result.append(contentsOf: escape(scalar).unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    private static func needsEscape(_ scalar: Unicode.Scalar, _ keepsLines: Bool) -> Bool {
        switch scalar.value {
        case 0x0a, 0x09: !keepsLines
        case 0x20..<0x7f: false
        case 0..<0x20, 0x7f..<0xa0: true
        default: isInvisible(scalar)
        }
    }

    /// Characters that change the order of others, break lines, or show as nothing.
    static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x61c, 0x200b, 0x200e, 0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfff9...0xfffb,
            0xe0000...0xe007f:
            true
        default: false
        }
    }

    static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(scalar.value, radix: 16)
            let width = scalar.value < 0x100 ? 2 : scalar.value < 0x10000 ? 4 : 8
            let letter = scalar.value < 0x100 ? "x" : scalar.value < 0x10000 ? "u" : "U"
            return "\\\(letter)" + String(repeating: "0", count: width - digits.count) + digits
        }
    }

    /// How many columns of a terminal the text takes.
    public static func width(of text: String) -> Int {
        var width = 0
        for scalar in text.unicodeScalars { width += Self.width(of: scalar) }
        return width
    }

    static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return isWide(scalar.value) ? 2 : 1
        }
    }

    /// East Asian Wide and Fullwidth, and emoji. Source: Unicode 15, EastAsianWidth.txt, in blocks.
    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115f, 0x231a...0x231b, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
            0xa000...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
            true
        default: false
        }
    }

    /// The text, cut to `width` columns with `…` as the last when it is longer.
    static func cut(_ text: String, to width: Int) -> String {
        guard text.utf8.count > width, Self.width(of: text) > width else { return text }
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            let size = Self.width(of: scalar)
            if used + size > width - 1 { break }
            used += size
            result.append(scalar)
        }
        return String(result) + "…"
    }
}

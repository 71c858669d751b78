import TestSupport

/// Configuration texts that are often valid and never far from it.
struct RandomText {
    private var random: RandomNumbers
    private let pieces: [String]

    /// - Parameter isASCII: Python 2 knows no white space but ASCII's.
    init(seed: UInt64, isASCII: Bool) {
        random = RandomNumbers(seed: seed)
        let plain = [
            "a", "b", "n1", "N1", "key", "Key", "value", " ", "  ", "\t", "\r", "$", "$$", "$x", "${x}",
            "$(ZCONFIG_TEST)",
            "$(", "${", "}", ")", "(", "<", ">", "/", "</", "%", "%define", "define", "include", "import", "#", "x",
            "1",
            "-", "_", ".", "*", "+", "'", "\"", "\u{b}", "\u{c}",
        ]
        pieces = isASCII ? plain : plain + ["\u{a0}", "\u{85}", "\u{2003}", "\u{e9}", "\u{1f600}", "\u{1c}", "\u{1f}"]
    }

    private mutating func pick(_ choices: [String]) -> String { choices[random.below(choices.count)] }

    private mutating func junk() -> String { (0..<random.below(7)).map { _ in pick(pieces) }.joined() }

    private mutating func value() -> String {
        pick([
            "", "plain", "two words", "# not a comment", "$x", "${X}y", "a$$b", "$(ZCONFIG_TEST)", "$(UNSET)", "$gone",
        ])
            + (random.oneIn(4) ? junk() : "")
    }

    private mutating func file(depth: Int) -> String {
        var lines: [String] = []
        var open: [String] = []
        for _ in 0..<random.below(12) {
            switch random.below(14) {
            case 0, 1:
                lines.append(pick(["key", "Key", "other.key-1", "k(ey", "9"]) + pick([" ", "\t ", ""]) + value())
            case 2, 3, 4:
                let type = pick(["a", "b", "A"])
                lines.append("<\(type)\(pick(["", " ", " n1", "  N2 ", " n\(lines.count)", " $x"]))>")
                open.append(type)
            case 5: lines.append(pick(["<a/>", "<b />", "<a n\(lines.count)/>", "<b n1 />"]))
            case 6, 7, 8: if let type = open.popLast() { lines.append("</\(type)\(pick(["", " "]))>") }
            case 9: lines.append("%define \(pick(["x", "X", "y", "_z1", "1x"])) \(value())")
            case 10: lines.append(pick(["# comment", "", "   "]))
            case 11 where depth < 2:
                lines.append("%include \(pick(["one.conf", "./sub/two.conf", "../top/one.conf", "gone.conf"]))")
            case 12 where random.oneIn(3): lines.append(junk())
            default: lines.append("k\(lines.count) v")
            }
        }
        while let type = open.popLast(), !random.oneIn(30) { lines.append("</\(type)>") }
        return lines.map { pick(["", "  ", "\t"]) + $0 + pick(["", "", " ", "\r"]) }.joined(separator: "\n")
            + pick(["\n", ""])
    }

    mutating func next() -> TextCase {
        TextCase(file(depth: 0), ["top/one.conf": file(depth: 1), "top/sub/two.conf": file(depth: 2)])
    }
}

/// Text to be laid out: on one line when it fits, a part to a line when it does not.
indirect enum Layout {
    case word(String)
    case labelled(String, Layout)
    case group(String, [Layout], String)

    /// The text, wrapped when wider than `width` columns (nil: never).
    func text(width: Int?, indent: Int) -> String {
        var output = ""
        write(to: &output, width: width, indent: indent, column: indent)
        return output
    }

    private func write(to output: inout String, width: Int?, indent: Int, column: Int) {
        switch self {
        case .word(let text): output += text
        case .labelled(let label, let inner):
            output += label
            inner.write(to: &output, width: width, indent: indent, column: column + label.count)
        case .group(let open, let parts, let close):
            if let width, column + flatLength(limit: width - column) > width, !parts.isEmpty {
                output += open + "\n"
                for part in parts {
                    output += String(repeating: " ", count: indent + 2)
                    part.write(to: &output, width: width, indent: indent + 2, column: indent + 2)
                    output += ",\n"
                }
                output +=
                    String(repeating: " ", count: indent) + (close.first == "," ? String(close.dropFirst()) : close)
            } else {
                output += open
                for (index, part) in parts.enumerated() {
                    if index > 0 { output += ", " }
                    part.write(to: &output, width: nil, indent: indent, column: column)
                }
                output += close
            }
        }
    }

    /// The length on one line, or something above `limit` as soon as that is passed.
    private func flatLength(limit: Int) -> Int {
        switch self {
        case .word(let text): return text.count
        case .labelled(let label, let inner): return label.count + inner.flatLength(limit: limit - label.count)
        case .group(let open, let parts, let close):
            var total = open.count + close.count
            for part in parts {
                total += part.flatLength(limit: limit - total) + 2
                if total > limit + 2 { return total }
            }
            return parts.isEmpty ? total : total - 2
        }
    }
}

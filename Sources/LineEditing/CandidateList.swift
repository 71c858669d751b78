/// The list that shows what could stand at the cursor: in columns, or one a line when there are remarks.
struct CandidateList {
    private let found: Completions
    private let width: Int
    /// More candidates than this are counted, not shown.
    private let limit = 100

    init(_ found: Completions, width: Int) {
        self.found = found
        self.width = max(width, 20)
    }

    /// Lines, each with its line end.
    var text: String {
        let shown = found.candidates.prefix(limit)
        var lines = shown.contains { !$0.note.isEmpty } ? remarked(shown) : columns(shown.map(\.display))
        let hidden = found.candidates.count - shown.count
        if hidden > 0 {
            lines.append("… \(hidden)\(found.isPartial ? " or" : "") more")
        } else if found.isPartial {
            lines.append("… there are more")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func remarked(_ candidates: ArraySlice<Completions.Candidate>) -> [String] {
        let room = candidates.map(\.display.count).max() ?? 0
        return candidates.map { candidate in
            let padding = String(repeating: " ", count: room - candidate.display.count + 2)
            return cut(candidate.display + padding + candidate.note)
        }
    }

    /// Down the columns, as `ls` does.
    private func columns(_ names: [String]) -> [String] {
        let room = (names.map(\.count).max() ?? 0) + 2
        let perLine = max(1, width / room)
        let rows = (names.count + perLine - 1) / perLine
        return (0..<rows).map { row in
            let line = stride(from: row, to: names.count, by: rows).map { index in
                names[index] + String(repeating: " ", count: room - names[index].count)
            }
            return cut(line.joined())
        }
    }

    private func cut(_ line: String) -> String {
        let trimmed = line.reversed().drop { $0 == " " }.reversed()
        return trimmed.count < width ? String(trimmed) : String(trimmed.prefix(width - 2)) + "…"
    }
}

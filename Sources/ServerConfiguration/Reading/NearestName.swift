/// The name that may have been meant by a wrong one.
enum NearestName {
    /// Nil when none is near.
    static func of(_ text: String, among names: some Sequence<String>) -> String? {
        // No name is that long, nor near to anything that is.
        guard text.unicodeScalars.count <= 60 else { return nil }
        let best = names.map { (name: $0, distance: distance(text, $0)) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return best.flatMap { $0.distance <= max(1, text.unicodeScalars.count / 3) ? $0.name : nil }
    }

    /// Insertions, removals and replacements that make one of the other; two neighbours exchanged count once.
    private static func distance(_ first: String, _ second: String) -> Int {
        let (one, other) = (Array(first.unicodeScalars), Array(second.unicodeScalars))
        var rows = [Array(0...other.count)]
        for (i, scalar) in one.enumerated() {
            var row = [i + 1]
            for (j, target) in other.enumerated() {
                var best = min(rows[i][j] + (scalar == target ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, scalar == other[j - 1], one[i - 1] == target {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}

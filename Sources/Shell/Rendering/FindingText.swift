internal import ObjectGraph
internal import ZODB

/// A finding of `rescue`, for people and as JSON.
struct FindingText {
    /// What became of the remedy.
    enum Cure: String {
        case staged
        case planned
        /// It may be meant to be so.
        case doubtful
        /// Something has to be known first.
        case unknown
    }

    let width: Int

    func heading(_ emergency: Emergency) -> Report.Document {
        let lines = Self.wrapped(emergency.explanation, width: width - 2).map { "  " + $0 }
        let json = Self.object([
            ("emergency", JSONText.string(emergency.rawValue)), ("title", JSONText.string(emergency.title)),
            ("explanation", JSONText.string(emergency.explanation)),
        ])
        return Report.Document(
            text: "\(emergency.rawValue): \(emergency.title)\n" + lines.joined(separator: "\n") + "\n", json: json)
    }

    func document(_ finding: Finding, _ cure: Cure) -> Report.Document {
        var lines = Self.wrapped("\(finding.place): \(finding.what)", width: width)
        lines += entry("affects", finding.consequence)
        switch (cure, finding.remedy) {
        case (.staged, let remedy?): lines += entry("staged", remedy.what)
        case (.planned, let remedy?): lines += entry("cure", remedy.what)
        case (_, let remedy?): lines += entry("cure", remedy.what + ", if it is not meant to be so: --all stages it")
        case (_, nil): break
        }
        let json = Self.object([
            ("emergency", JSONText.string(finding.emergency.rawValue)),
            ("path", JSONText.string(finding.place.description)), ("oid", JSONText.string(finding.oid.hex)),
            ("what", JSONText.string(finding.what)), ("affects", JSONText.string(finding.consequence)),
            ("certain", finding.isCertain ? "true" : "false"),
            ("cure", finding.remedy.map { JSONText.string($0.what) } ?? "null"),
            ("staged", cure == .staged ? "true" : "false"),
        ])
        return Report.Document(text: lines.joined(separator: "\n") + "\n", json: json)
    }

    private func entry(_ label: String, _ text: String) -> [String] {
        let margin = 12
        let lines = Self.wrapped(text, width: width - margin)
        return lines.enumerated().map { index, line in
            let start = index == 0 ? "  \(label)" : ""
            return start + String(repeating: " ", count: margin - start.utf8.count) + line
        }
    }

    private static func object(_ fields: [(String, String)]) -> String { JSONText.object(fields) }

    /// The words of a text in lines of at most `width` columns, longer words apart.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, TerminalText.width(of: line) + 1 + TerminalText.width(of: String(word)) > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }
}

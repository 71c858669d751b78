/// An option as a command declares it: read from the help that ArgumentParser writes, the one place where all of a command's
/// options come together.
public struct OptionEntry: Hashable, Sendable {
    /// `-o`, `--output`.
    public var names: [String]
    /// `format`; nil for a switch.
    public var placeholder: String?
    /// What it says of itself, the choices and the default included.
    public var help: String

    public init(names: [String], placeholder: String? = nil, help: String = "") {
        self.names = names
        self.placeholder = placeholder
        self.help = help
    }

    /// The values it takes, where it takes no others.
    public var choices: [String] {
        guard let start = help.ranges(of: "(values: ").last else { return [] }
        let list = help[start.upperBound...].prefix { $0 != ")" && $0 != ";" }
        return list.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
}

/// The options of a command that belong together.
public struct OptionSection: Hashable, Sendable {
    /// `Options`, `Output options`.
    public var title: String
    public var entries: [OptionEntry]

    /// A help message is asked for with so many columns, so that it breaks no line.
    public static let columns = 4000

    /// The options of a help message; its arguments are not among them.
    public static func all(in help: String) -> [OptionSection] {
        var sections: [OptionSection] = []
        for line in help.split(separator: "\n").map(String.init) {
            if line.hasSuffix(":"), !line.hasPrefix(" ") {
                let title = line.dropLast()
                sections.append(OptionSection(title: title.prefix(1) + title.dropFirst().lowercased(), entries: []))
            } else if line.hasPrefix("  -"), !sections.isEmpty {
                sections[sections.count - 1].entries.append(entry(line.dropFirst(2)))
            }
        }
        return sections.filter { !$0.entries.isEmpty }
    }

    /// `-o, --output <format>  How to write the answer.`
    private static func entry(_ line: Substring) -> OptionEntry {
        var entry = OptionEntry(names: [])
        var rest = line
        while rest.hasPrefix("-") {
            let name = rest.prefix { $0 != " " && $0 != "," }
            entry.names += name.split(separator: "/").map(String.init)
            rest = rest.dropFirst(name.count)
            if rest.hasPrefix(", ") { rest = rest.dropFirst(2) }
        }
        if rest.hasPrefix(" <"), let end = rest.firstIndex(of: ">") {
            entry.placeholder = String(rest[..<end].dropFirst(2))
            rest = rest[rest.index(after: end)...]
        }
        entry.help = String(rest.drop { $0 == " " })
        return entry
    }
}

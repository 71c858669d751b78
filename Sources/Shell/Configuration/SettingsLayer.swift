internal import Storages
internal import ZODB

/// What one source says, each value with its origin.
struct SettingsLayer: Hashable, Sendable {
    struct Value: Hashable, Sendable {
        var text: String
        /// `/home/ops/.config/zeoshell/config:3`, `environment ZEOSHELL_TIMEOUT`.
        var origin: String
    }

    private(set) var values: [String: Value] = [:]

    /// - Parameter text: as `Setting.value` makes it.
    mutating func set(_ name: String, _ text: String, origin: String) {
        values[name] = Value(text: text, origin: origin)
    }

    subscript(_ setting: Setting) -> Value? { values[setting.name] }

    func text(_ name: String) -> String? { values[name]?.text }

    init() {}

    // MARK: Sources

    /// - Throws: `ShellFailure` for a variable whose value is none.
    init(_ environment: Environment) throws {
        for setting in Setting.all {
            guard let text = environment[setting.variable] else { continue }
            guard let value = setting.value(text) else {
                let shown = setting.kind == .secret ? "" : ", not '\(text)'"
                throw ShellFailure(
                    "config", .usage, at: setting.variable, "is \(setting.expectation)\(shown)",
                    advice: "unset it, or see 'help configuration'")
            }
            set(setting.name, value, origin: "environment \(setting.variable)")
        }
    }

    /// A configuration file; nothing when there is none.
    /// - Throws: `ShellFailure` with the line that is wrong.
    init(file path: String, _ environment: Environment) throws {
        guard let file = try SettingsFile(path, kind: "configuration") else { return }
        if file.sections.count > 1 {
            throw Self.failure(file, file.sections[1].number, "a configuration has no [NAME]; services do")
        }
        var first: [String: Int] = [:]
        for line in file.sections[0].lines {
            let value = try Self.value(line, of: file, known: Setting.all.map(\.name), environment)
            if let number = first[line.key] {
                throw Self.failure(
                    file, line.number, "'\(line.key)' is said a second time; the first is line \(number)")
            }
            first[line.key] = line.number
            set(line.key, value, origin: "\(path):\(line.number)")
        }
    }

    /// The value of a line, checked.
    static func value(
        _ line: SettingsFile.Line, of file: SettingsFile, known: [String], kind: String = "configuration",
        _ environment: Environment
    ) throws -> String {
        guard let setting = Setting.named(line.key), known.contains(line.key) else {
            let near =
                known.map { (Suggestions.distance(Array(line.key), Array($0)), $0) }
                .min { $0.0 < $1.0 }.flatMap { $0.0 <= 2 ? "; did you mean '\($0.1)'?" : nil } ?? ""
            let names = known.filter { Setting.named($0)?.kind != .secret }.joined(separator: ", ")
            throw failure(file, line.number, "unknown key '\(line.key)'\(near): there are \(names)", kind)
        }
        guard setting.kind != .secret else {
            throw failure(
                file, line.number,
                "'\(line.key)' does not belong into a file: the terminal asks for it, or "
                    + "\(setting.variable) has it", kind)
        }
        guard let value = setting.value(line.value), !value.isEmpty else {
            throw failure(
                file, line.number, "\(line.key) is \(setting.expectation), not '\(line.value)'", kind)
        }
        return setting.kind == .path ? file.path(value, environment) : value
    }

    private static func failure(
        _ file: SettingsFile, _ number: Int, _ what: String, _ kind: String = "configuration"
    ) -> ShellFailure {
        ShellFailure(kind, .usage, at: "\(file.path):\(number)", what, advice: "see 'help \(kind)'")
    }

    /// What a zope.conf or a URI says.
    init(_ settings: [ConfiguredSetting]) throws {
        for one in settings {
            guard let setting = Setting.named(one.name) else { continue }
            guard let value = setting.value(one.value) else {
                throw ShellFailure(
                    "config", .usage, at: one.place, "\(one.name) is \(setting.expectation), not '\(one.value)'")
            }
            set(one.name, value, origin: one.place)
        }
    }

    /// The options among words, for telling where a value comes from: the words themselves are read by the parser.
    init(words: [String]) {
        let short = ["-o": "output", "-q": "quiet"]
        for (index, word) in words.enumerated() {
            if word == "--" { return }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard word.hasPrefix("-"),
                let name = short[parts[0]] ?? (word.hasPrefix("--") ? String(parts[0].dropFirst(2)) : nil),
                let setting = Setting.named(name)
            else { continue }
            let text =
                setting.kind == .onOff
                ? "yes" : parts.count > 1 ? parts[1] : index + 1 < words.count ? words[index + 1] : ""
            set(name, text, origin: "option \(parts[0])")
        }
    }
}

/// Something that may be set for good instead of being typed each time: by an option, by a variable of the environment, by
/// a service, by a file.
///
/// One table is behind all of them. The name is that of the long option; `ZEOSHELL_` and the name in capitals is the variable.
struct Setting: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case text
        /// `~` is the home directory; in a file, a relative one is relative to the directory of that file.
        case path
        case onOff
        case choice([String])
        case seconds
        case count
        /// Bytes, with K, M or G.
        case size
        /// Never shown, and never read from a file of ours.
        case secret
    }

    enum Use: Hashable, Sendable {
        /// How answers are shown.
        case output
        /// How a storage is reached.
        case connection
        /// The same, of what only a server has: of a file it says nothing.
        case server
    }

    var name: String
    var kind: Kind
    var use: Use
    /// What holds when nobody says anything; empty for nothing.
    var standard = ""
    /// Without this other setting it means nothing, and its option is an error.
    var companion: String?
    /// Settings that turn it on by being there.
    var implied: [String] = []

    /// `ZEOSHELL_BLOB_DIR`
    var variable: String { "ZEOSHELL_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined() }

    static let all: [Setting] = [
        Setting(name: "output", kind: .choice(OutputFormat.allCases.map(\.rawValue)), use: .output, standard: "auto"),
        Setting(name: "color", kind: .choice(ColorChoice.allCases.map(\.rawValue)), use: .output, standard: "auto"),
        Setting(
            name: "progress", kind: .choice(ProgressChoice.allCases.map(\.rawValue)), use: .output, standard: "auto"),
        Setting(name: "utc", kind: .onOff, use: .output, standard: "no"),
        Setting(name: "wide", kind: .onOff, use: .output, standard: "no"),
        Setting(name: "limit", kind: .count, use: .output, standard: "1000 on a terminal"),
        Setting(name: "quiet", kind: .onOff, use: .output, standard: "no"),
        Setting(name: "rw", kind: .onOff, use: .connection, standard: "no"),
        Setting(name: "overlay", kind: .onOff, use: .connection, standard: "no"),
        Setting(name: "blob-dir", kind: .path, use: .connection),
        Setting(name: "storage", kind: .text, use: .server, standard: "1"),
        Setting(name: "timeout", kind: .seconds, use: .server, standard: "10, its greeting 5"),
        Setting(name: "read-only-fallback", kind: .onOff, use: .server, standard: "no"),
        Setting(name: "cache", kind: .path, use: .server, standard: "in memory"),
        Setting(name: "cache-size", kind: .size, use: .server, standard: "20M", companion: "cache"),
        Setting(name: "username", kind: .text, use: .server),
        Setting(name: "password", kind: .secret, use: .server),
        Setting(name: "realm", kind: .text, use: .server, companion: "username"),
        Setting(
            name: "tls", kind: .onOff, use: .server, standard: "no",
            implied: ["cert", "key", "ca", "server-name", "no-check-hostname"]),
        Setting(name: "cert", kind: .path, use: .server),
        Setting(name: "key", kind: .path, use: .server),
        Setting(name: "key-password", kind: .secret, use: .server),
        Setting(name: "ca", kind: .path, use: .server, standard: "the system's"),
        Setting(name: "server-name", kind: .text, use: .server, standard: "the host's"),
        Setting(name: "no-check-hostname", kind: .onOff, use: .server, standard: "no"),
        Setting(name: "ssh", kind: .text, use: .server),
    ]

    static func named(_ name: String) -> Setting? { all.first { $0.name == name } }
}

extension Setting {
    /// The value as it is kept, `yes` and `no` for switches.
    /// - Returns: nil when the text is no such value.
    func value(_ text: String) -> String? {
        switch kind {
        case .text, .path, .secret: text
        case .onOff:
            switch text.lowercased() {
            case "yes", "true", "on", "1": "yes"
            case "no", "false", "off", "0": "no"
            default: nil
            }
        case .choice(let choices): choices.contains(text) ? text : nil
        case .seconds: Double(text).map { $0 > 0 && $0 < 1e6 } == true ? text : nil
        case .count: Int(text).map { $0 >= 0 } == true ? text : nil
        case .size: Self.isSize(text) ? text : nil
        }
    }

    /// What a value has to be, for messages.
    var expectation: String {
        switch kind {
        case .text, .secret: "a text"
        case .path: "a path"
        case .onOff: "yes or no"
        case .choice(let choices): choices.joined(separator: ", ")
        case .seconds: "seconds, more than 0"
        case .count: "a whole number, 0 for all"
        case .size: "a size such as 512K, 20M or 1G"
        }
    }

    private static func isSize(_ text: String) -> Bool {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, digits.count < 18 else { return false }
        let unit = text.dropFirst(digits.count).trimmed.uppercased()
        return ["", "B", "K", "KB", "M", "MB", "G", "GB"].contains(unit)
    }
}

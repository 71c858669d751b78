#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The environment's variables: what the main program hands in, and tests make up.
public struct Environment: Sendable {
    private let lookUp: @Sendable (String) -> String?
    private let allNames: @Sendable () -> [String]

    /// - Parameters:
    ///   - names: those of all variables, as far as they are known.
    ///   - lookUp: the value of one.
    public init(
        names: @escaping @Sendable () -> [String] = { [] }, _ lookUp: @escaping @Sendable (String) -> String?
    ) {
        self.lookUp = lookUp
        allNames = names
    }

    /// That of the process.
    public static let process = Environment(names: processNames) { name in getenv(name).map { String(cString: $0) } }

    @Sendable private static func processNames() -> [String] {
        var names: [String] = []
        var entry = environ
        while let text = entry.pointee {
            names.append(String(String(cString: text).prefix { $0 != "=" }))
            entry += 1
        }
        return names
    }

    /// The names of all variables, as far as they are known.
    var names: [String] { allNames() }

    /// A variable's value; nil when unset or empty.
    public subscript(_ name: String) -> String? {
        guard let value = lookUp(name), !value.isEmpty else { return nil }
        return value
    }

    /// A directory of the XDG Base Directory Specification: `$XDG_STATE_HOME`, else `$HOME/.local/state`.
    func stateDirectory() -> String? {
        if let directory = self["XDG_STATE_HOME"], directory.hasPrefix("/") { return directory }
        return self["HOME"].map { $0 + "/.local/state" }
    }

    /// `$XDG_CONFIG_HOME`, else `$HOME/.config`.
    func configurationDirectory() -> String? {
        if let directory = self["XDG_CONFIG_HOME"], directory.hasPrefix("/") { return directory }
        return self["HOME"].map { $0 + "/.config" }
    }
}

/// What the program's standard streams are connected to.
public struct Terminal: Sendable {
    public var inputIsTerminal: Bool
    public var outputIsTerminal: Bool
    public var errorIsTerminal: Bool
    /// `TERM=dumb`, or none: no cursor, no colours.
    public var isDumb: Bool
    /// `NO_COLOR` is set to anything but nothing.
    public var refusesColor: Bool
    /// `CLICOLOR_FORCE` is set to anything but 0.
    public var forcesColor: Bool

    public init(
        inputIsTerminal: Bool = false, outputIsTerminal: Bool = false, errorIsTerminal: Bool = false,
        isDumb: Bool = false, refusesColor: Bool = false, forcesColor: Bool = false
    ) {
        self.inputIsTerminal = inputIsTerminal
        self.outputIsTerminal = outputIsTerminal
        self.errorIsTerminal = errorIsTerminal
        self.isDumb = isDumb
        self.refusesColor = refusesColor
        self.forcesColor = forcesColor
    }

    /// Looks at the process's streams.
    public init(_ environment: Environment) {
        self.init(
            inputIsTerminal: isatty(0) != 0, outputIsTerminal: isatty(1) != 0, errorIsTerminal: isatty(2) != 0,
            isDumb: environment["TERM"] == nil || environment["TERM"] == "dumb",
            refusesColor: environment["NO_COLOR"] != nil,
            forcesColor: environment["CLICOLOR_FORCE"].map { $0 != "0" } ?? false)
    }

    /// The screen's size in characters, as it is now.
    public var size: (rows: Int, columns: Int) {
        var size = winsize()
        guard outputIsTerminal, ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (24, 80) }
        return (Int(max(size.ws_row, 2)), Int(size.ws_col))
    }

    /// Whether to write colours to a stream.
    func usesColor(_ choice: ColorChoice, isTerminal: Bool) -> Bool {
        switch choice {
        case .always: true
        case .never: false
        case .auto: forcesColor || (isTerminal && !isDumb && !refusesColor)
        }
    }

    /// Makes the C library read and show text as UTF-8; without it libedit knows ASCII alone.
    ///
    /// The user's own locale where it is a UTF-8 one; where none is set, `C.UTF-8`.
    /// - Returns: whether text is UTF-8 now.
    static func useUTF8() -> Bool {
        func isUTF8() -> Bool { nl_langinfo(nl_item(CODESET)).map { String(cString: $0) } == "UTF-8" }
        let name = setlocale(LC_CTYPE, "").map { String(cString: $0) }
        if isUTF8() { return true }
        guard name == nil || name == "C" || name == "POSIX" else { return false }
        return setlocale(LC_CTYPE, "C.UTF-8") != nil && isUTF8()
    }
}

/// `--color`
public enum ColorChoice: String, CaseIterable, Sendable { case auto, always, never }

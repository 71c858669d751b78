internal import ArgumentParser
internal import Storages
internal import ZODB

struct ConfigCommand: ShellCommand {
    static let name = "config"
    static let summary = "show what is set, and where"
    static let synopsis = "[--show-origin] [SERVICE | ADDRESS | -C FILE]"
    static let group = CommandGroup.shell
    static let scope = CommandScope.withoutStorage
    static let operands: [OperandKind] = [.address]
    static let discussion = """
        Options may be set for good. The first that says something holds: the option itself, the environment
        (ZEOSHELL_TIMEOUT), the service or zope.conf that was named, $XDG_CONFIG_HOME/zeoshell/config, /etc/zeoshell/config.
        Passwords are never shown. See 'help configuration'.
        """
    static let examples = [
        CommandExample("config --show-origin", "every setting with the file and line it comes from"),
        CommandExample("zeoshell config --show-origin prod", "the same for a connection to the service prod"),
        CommandExample("zeoshell config --show-origin -C zope.conf", "what a zope.conf says"),
    ]

    @Flag(name: .customLong("show-origin"), help: "Tell where each value comes from.")
    var showsOrigin = false
    @Argument(help: "What would be connected to.") var target: String?
    @OptionGroup(title: "Connection options") var connection: ConnectionOptions

    func run(in session: Session) throws -> Report {
        let named = connection.source.address?.text ?? target
        let destination: NamedDatabase?
        let settings: EffectiveSettings
        if named == nil, let setUp = session.setUp {
            (destination, settings) = (session.destination, setUp.settings)
        } else {
            destination = try named.map { try NamedDatabases(session.environment).find($0) }
            settings = try EffectiveSettings(session.environment, words: session.typedWords, destination: destination)
        }
        var rows = places(session.environment)
        if let destination { rows += about(destination, named ?? session.setUp?.text ?? "") }
        for setting in Setting.all {
            let isUsed = setting.use != .server || destination?.isServer ?? true
            guard isUsed || settings.layers[0][setting] != nil else { continue }
            if let companion = setting.companion, settings.text(companion) == nil { continue }
            let value = settings.used(setting, for: destination)
            guard setting.kind != .secret || value != nil else { continue }
            let shown = setting.kind == .secret ? "(set, not shown)" : value?.text ?? setting.standard
            rows.append(row(setting.name, shown, value?.origin ?? "default"))
        }
        var columns = [Report.Column("name"), Report.Column("value", isFlexible: true)]
        if showsOrigin { columns.append(Report.Column("origin", tone: .dim, isFlexible: true)) }
        let table = Report.Table(columns, ArrayCursor(rows))
        let remarks = destination?.remarks ?? []
        return Report(.table(table)) { Report.Conclusion(messages: remarks.map { Report.Message($0) }) }
    }

    /// What the environment alone can say.
    private func places(_ environment: Environment) -> [[Cell]] {
        let variables = [
            ("services", "ZEOSHELL_SERVICES"), ("completion-time", "ZEOSHELL_COMPLETION_TIME"),
            ("pager", environment["ZEOSHELL_PAGER"] == nil ? "PAGER" : "ZEOSHELL_PAGER"),
        ]
        return variables.compactMap { name, variable in
            environment[variable].map { row(name, $0, "environment \(variable)") }
        }
    }

    /// What is said of a database that no option could say.
    private func about(_ destination: NamedDatabase, _ text: String) -> [[Cell]] {
        var rows = [row("address", destination.address.description, text)]
        if let place = destination.readOnlyAt { rows.append(row("read-only", "always", place)) }
        guard let service = destination.service else { return rows }
        if service.isProduction {
            rows.append(row("env", "production", service.productionRule?.place ?? service.place))
        }
        if service.readOnly != .default {
            rows.append(row("readonly", service.readOnly.rawValue, service.readOnlyRule?.place ?? service.place))
        }
        return rows + service.initLines.map { row("init", $0.text, $0.place) }
    }

    private func row(_ name: String, _ value: String, _ origin: String) -> [Cell] {
        [.text(name), .text(value)] + (showsOrigin ? [.text(origin)] : [])
    }
}

struct ServicesCommand: ShellCommand {
    static let name = "services"
    static let summary = "list the databases that have names"
    static let group = CommandGroup.shell
    static let scope = CommandScope.withoutStorage
    static let discussion = "Names are given in services files: see 'help services'."
    static let examples = [CommandExample("zeoshell services", "what can be connected to by name")]

    func run(in session: Session) throws -> Report {
        let services = try Services(session.environment)
        let rows = services.names.compactMap { services.service(named: $0) }.map { service -> [Cell] in
            [
                .text(service.name), .text(service.address),
                service.settings.text("storage").map { .text($0) } ?? .none,
                service.isProduction ? .text("production") : .none, .text(service.readOnly.rawValue),
                .text(service.place),
            ]
        }
        let columns = [
            Report.Column("name"), Report.Column("address", isFlexible: true), Report.Column("storage"),
            Report.Column("env"), Report.Column("readonly"), Report.Column("origin", tone: .dim, isFlexible: true),
        ]
        return .table(columns, rows)
    }
}

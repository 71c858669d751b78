internal import Storages
internal import ZODB

/// What a server says beside its own protocol: the text of its `monitor-address`, or the figures of a zeoserver's
/// `http-address`.
struct MonitorReading {
    /// By storage.
    private(set) var figures: [String: ServerFigureSet] = [:]
    private(set) var starts: [String: String] = [:]
    private(set) var version: String?
    private let address: String

    private static let patience = 10.0

    /// Asks.
    /// - Parameter address: `HOST:PORT`, or `http://HOST:PORT`.
    init(_ address: String, _ session: Session) throws {
        let isHTTP = address.hasPrefix("http://")
        let place = isHTTP ? String(address.dropFirst(7).prefix { $0 != "/" }) : address
        guard case .server(let host, let port) = try StorageAddress(parsing: place).location else {
            throw ShellFailure.usage(
                "--monitor \(address): no HOST:PORT", advice: "--monitor db1:8801, or http://db1:8802")
        }
        if isHTTP {
            let text = try httpText(
                host: host, port: port, path: "/metrics", timeout: Self.patience, interruption: session.interruption)
            self.init(metrics: text, address)
        } else {
            let text = try monitorText(
                host: host, port: port, timeout: Self.patience, interruption: session.interruption)
            self.init(text: text, address)
        }
        guard !figures.isEmpty else {
            throw ShellFailure(
                "no-monitor", .connection, at: address, "it does not say what a monitor says",
                advice: "monitor-address in the server's configuration; the one of ZEO 4.3 accepts and says nothing")
        }
    }

    /// The text of ZEO's monitor: `Name: value` in lines, each storage behind its `Storage:`.
    init(text: String, _ address: String) {
        self.address = address
        var storage: String?
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("ZEO monitor server version ") { version = String(line.dropFirst(27)) }
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon]
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            if name == "Storage" {
                storage = value
                figures[value] = ServerFigureSet()
            } else if let storage {
                if name == "Server started" { starts[storage] = value }
                Self.set(String(name), value, &figures[storage, default: ServerFigureSet()])
            }
        }
    }

    private static func set(_ name: String, _ value: String, _ figures: inout ServerFigureSet) {
        guard let number = Int(value) else { return }
        switch name {
        case "Clients": figures.clients = number
        case "Clients verifying": figures.verifying = number
        case "Active transactions": figures.activeTransactions = number
        case "Commits": figures.commits = number
        case "Aborts": figures.aborts = number
        case "Loads": figures.loads = number
        case "Stores": figures.stores = number
        case "Conflicts": figures.conflicts = number
        case "Conflicts resolved": figures.conflictsResolved = number
        default: break
        }
    }

    /// OpenMetrics: `zeo_loads_total{storage="1"} 42`.
    init(metrics text: String, _ address: String) {
        self.address = address
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("zeo_") {
            let marker = "{storage=\""
            guard let open = line.firstRange(of: marker), let close = line.firstRange(of: "\"} "),
                open.upperBound <= close.lowerBound, let value = Double(line[close.upperBound...]),
                let number = Int(exactly: value.rounded())
            else { continue }
            let storage = String(line[open.upperBound..<close.lowerBound])
            var known = figures[storage] ?? ServerFigureSet()
            switch line[..<open.lowerBound] {
            case "zeo_connections": known.clients = number
            case "zeo_active_transactions": known.activeTransactions = number
            case "zeo_commits_waiting": known.waiting = number
            case "zeo_commits_total": known.commits = number
            case "zeo_aborts_total": known.aborts = number
            case "zeo_loads_total": known.loads = number
            case "zeo_stores_total": known.stores = number
            case "zeo_conflicts_total": known.conflicts = number
            case "zeo_conflicts_resolved_total": known.conflictsResolved = number
            default: break
            }
            figures[storage] = known
        }
    }

    /// Fills in what the server itself does not tell.
    /// - Throws: `ShellFailure` when it is the monitor of other storages.
    func complete(_ status: inout ServerStatus) throws {
        guard let known = figures[status.storage] else {
            let names = figures.keys.sorted().joined(separator: ", ")
            throw ShellFailure(
                "no-monitor", .data, at: address, "it tells of no storage '\(status.storage)', but of \(names)",
                advice: "is it the monitor of this server?")
        }
        var figures = status.figures
        figures.clients = figures.clients ?? known.clients
        figures.verifying = figures.verifying ?? known.verifying
        figures.loads = figures.loads ?? known.loads
        figures.stores = figures.stores ?? known.stores
        figures.commits = figures.commits ?? known.commits
        figures.aborts = figures.aborts ?? known.aborts
        figures.conflicts = figures.conflicts ?? known.conflicts
        figures.conflictsResolved = figures.conflictsResolved ?? known.conflictsResolved
        figures.activeTransactions = figures.activeTransactions ?? known.activeTransactions
        figures.waiting = figures.waiting ?? known.waiting
        status.figures = figures
        status.start = status.start ?? starts[status.storage]
        if let version, !status.software.hasPrefix("zeoserver") { status.software += ", version \(version)" }
        status.lacks.removeAll { $0.contains("--monitor") }
    }
}

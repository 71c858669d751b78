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
            let name = String(line[..<colon])
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            if name == "Storage" {
                storage = value
                figures[value] = ServerFigureSet()
            } else if let storage {
                if name == "Server started" { starts[storage] = value }
                set({ $0.monitor == name }, Int(value), in: storage)
            }
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
            let metric = String(line[..<open.lowerBound].dropFirst(4))
            set({ $0.metric == metric }, number, in: String(line[open.upperBound..<close.lowerBound]))
        }
    }

    /// A figure by its names: in the text of a monitor, and among the metrics.
    private struct Figure {
        var monitor: String?
        var metric: String?
        var path: WritableKeyPath<ServerFigureSet, Int?>
    }

    private static var all: [Figure] {
        [
            Figure(monitor: "Clients", metric: "connections", path: \.clients),
            Figure(monitor: "Clients verifying", path: \.verifying),
            Figure(monitor: "Active transactions", metric: "active_transactions", path: \.activeTransactions),
            Figure(metric: "commits_waiting", path: \.waiting),
            Figure(monitor: "Commits", metric: "commits_total", path: \.commits),
            Figure(monitor: "Aborts", metric: "aborts_total", path: \.aborts),
            Figure(monitor: "Loads", metric: "loads_total", path: \.loads),
            Figure(monitor: "Stores", metric: "stores_total", path: \.stores),
            Figure(monitor: "Conflicts", metric: "conflicts_total", path: \.conflicts),
            Figure(
                monitor: "Conflicts resolved", metric: "conflicts_resolved_total", path: \.conflictsResolved),
        ]
    }

    private mutating func set(_ isMeant: (Figure) -> Bool, _ number: Int?, in storage: String) {
        // A storage that is named is told of, whatever is understood of it.
        if figures[storage] == nil { figures[storage] = ServerFigureSet() }
        guard let number, let figure = Self.all.first(where: isMeant) else { return }
        figures[storage]?[keyPath: figure.path] = number
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
        for path in Self.all.map(\.path) where figures[keyPath: path] == nil {
            figures[keyPath: path] = known[keyPath: path]
        }
        status.figures = figures
        status.start = status.start ?? starts[status.storage]
        if let version, !status.software.hasPrefix("zeoserver") { status.software += ", version \(version)" }
        status.lacks.removeAll { $0.contains("--monitor") }
    }
}

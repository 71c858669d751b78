internal import ZODB

/// What `top` shows on a screen: pure text, for any size of it.
struct TopScreen {
    var address: String
    var zone = LocalTime.system
    var grouping = Activity.Grouping.user
    var order = Activity.Order.bytes
    /// All since the beginning, and for how long.
    private(set) var activity = Activity()
    private(set) var seconds = 0.0
    private var sample: TopMonitor.Sample?

    init(address: String) { self.address = address }

    mutating func add(_ sample: TopMonitor.Sample, _ watched: Activity) {
        self.sample = sample
        activity = watched
        seconds += sample.seconds
    }

    /// Takes a key.
    /// - Returns: false for the one that ends it.
    mutating func press(_ key: UInt8) -> Bool {
        switch Unicode.Scalar(key) {
        case "q", "Q": return false
        case "u": grouping = .user
        case "c": grouping = .class
        case "p": grouping = .path
        case "t": grouping = .transaction
        case "s":
            let all = Activity.Order.allCases
            order = all[((all.firstIndex(of: order) ?? 0) + 1) % all.count]
        default: break
        }
        return true
    }

    /// As many lines as the screen has, none wider.
    func lines(rows: Int, columns: Int, style: Style = Style(usesColor: false)) -> [String] {
        var lines = heading.map { (text: $0, tone: Tone.plain) }
        if let problem = sample?.problem { lines.append((problem, .alert)) }
        lines.append(("", .plain))
        lines.append((Self.row("commits", "objects", "bytes", "\(grouping.rawValue), of \(whole)"), .heading))
        let room = max(0, rows - lines.count - 1)
        for row in activity.rows(by: grouping, order: order).prefix(room) {
            lines.append(
                (
                    Self.row(
                        grouped(row.amount.commits), grouped(row.amount.objects),
                        CellText.humanSize(row.amount.bytes), row.name), .plain
                ))
        }
        while lines.count < rows - 1 { lines.append(("", .plain)) }
        let marks = Activity.Grouping.allCases.map { $0 == grouping ? "[\($0.rawValue)]" : $0.rawValue }
        lines.append(("keys u c p t: by \(marks.joined(separator: " ")); s: sort, by \(order.rawValue); q: quit", .dim))
        return lines.suffix(rows).map { line in
            // A line as wide as the screen would wrap on some terminals.
            style.text(TerminalText.cut(TerminalText.escaped(line.text), to: max(1, columns - 1)), line.tone)
        }
    }

    private static func row(_ commits: String, _ objects: String, _ bytes: String, _ name: String) -> String {
        func pad(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return pad(commits, 9) + pad(objects, 10) + pad(bytes, 10) + "  " + name
    }

    // MARK: The lines above the table

    private var heading: [String] {
        guard let sample else { return ["\(address): looking"] }
        let tid = TransactionID(unixTime: sample.time) ?? .none
        var first = [address, TimeText.local(tid, zone)]
        if let status = sample.status {
            first.insert(status.software, at: 1)
            if let uptime = status.uptime { first.insert("up " + CellText.duration(uptime), at: 2) }
        }
        let total = sample.activity.total
        var second = [
            "commits \(rate(total.commits))", "objects \(rate(total.objects))",
            "written \(CellText.humanSize(Int(Double(total.bytes) / sample.seconds)))/s",
        ]
        if let loads = sample.loads { second.append("loads \(Self.rate(loads, in: sample.loadSeconds))") }
        return [first.joined(separator: " · "), second.joined(separator: " · ")] + work(sample)
    }

    /// What the table is of.
    private var whole: String {
        "\(counted(activity.total.commits, "commit")) in \(CellText.duration(seconds.rounded()))"
    }

    private func rate(_ count: Int) -> String { Self.rate(count, in: sample?.seconds ?? 1) }

    private static func rate(_ count: Int, in seconds: Double) -> String {
        CellText.tenths(Double(count) / max(seconds, 0.001)) + "/s"
    }

    /// What the server says its clients are at.
    private func work(_ sample: TopMonitor.Sample) -> [String] {
        guard let status = sample.status else { return [] }
        let figures = status.figures
        guard !figures.isEmpty else { return ["this server does not tell what its clients do"] }
        var parts: [String] = []
        if let clients = figures.clients { parts.append(counted(clients, "client")) }
        if let active = figures.activeTransactions { parts.append("in transactions \(active)") }
        if let waiting = figures.waiting { parts.append("waiting \(waiting)") }
        parts.append(
            figures.lockSince.map { "lock held for \(CellText.duration(max(0, sample.time - $0)))" } ?? "lock free")
        if let conflicts = figures.conflicts {
            parts.append("conflicts \(conflicts)" + (sample.conflicts.map { $0 > 0 ? " (+\($0))" : "" } ?? ""))
        }
        if let aborts = figures.aborts { parts.append("aborts \(aborts)") }
        if let pack = status.pack { parts.append("pack: \(pack)") }
        return [parts.joined(separator: " · ")]
    }
}

/// The text that ZEO up to 4 gave to whoever connected to its `monitor-address`, which tools of sites still read.
///
/// Source: ZODB 3.10, `ZEO/monitor.py`.
enum MonitorText {
    static func text(_ figures: ServerFigures, version: String) -> String {
        var text = "ZEO monitor server version \(version)\n\(Clock.text(figures.time))\n\n"
        for storage in figures.storages {
            text += "Storage: \(storage.name)\n"
            text += "Server started: \(Clock.text(figures.start))\n"
            text += "Clients: \(storage.connections)\n"
            text += "Clients verifying: 0\n"
            text += "Active transactions: \(storage.activeTransactions)\n"
            if let seconds = storage.lockSeconds { text += "Commit lock held for: \(Int(seconds))\n" }
            text += "Commits: \(storage.commits)\n"
            text += "Aborts: \(storage.aborts)\n"
            text += "Loads: \(storage.loads)\n"
            text += "Stores: \(storage.stores)\n"
            text += "Conflicts: \(storage.conflicts)\n"
            text += "Conflicts resolved: \(storage.conflictsResolved)\n\n"
        }
        return text
    }
}

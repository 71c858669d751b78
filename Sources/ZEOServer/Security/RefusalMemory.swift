/// Which refusals are worth a line in the log: each text once a minute, and of one host so many texts.
struct RefusalMemory {
    static let seconds: Double = 60
    /// Texts of one host in a minute: it may choose them, as a name that it tries to log in by.
    static let mostOfHost = 20
    /// Texts, and hosts, that are remembered.
    static let most = 1000

    private var told: [String: (time: Double, untold: Int)] = [:]
    private var hosts: [String: (time: Double, texts: Int)] = [:]

    var count: Int { max(told.count, hosts.count) }

    /// - Returns: how many of the same were not told since the last that was; nil when this one is not to be told either.
    mutating func admit(_ text: String, of host: String, at time: Double) -> Int? {
        let key = "\(host) \(text)"
        if let last = told[key], Self.isRecent(last.time, time) {
            told[key] = (last.time, last.untold + 1)
            return nil
        }
        var texts = 0
        var since = time
        if let last = hosts[host], Self.isRecent(last.time, time) { (since, texts) = last }
        guard texts < Self.mostOfHost else { return nil }
        if hosts.count >= Self.most { hosts = [:] }
        hosts[host] = (since, texts + 1)
        let untold = told[key]?.untold ?? 0
        if told.count >= Self.most { told = [:] }
        told[key] = (time, 0)
        return untold
    }

    /// A clock that was set back silences nothing.
    private static func isRecent(_ then: Double, _ now: Double) -> Bool { now >= then && now - then < seconds }
}

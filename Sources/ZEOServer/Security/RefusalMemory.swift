/// Which refusals are worth a line in the log: each text once a minute.
struct RefusalMemory {
    static let seconds: Double = 60
    /// Texts that are remembered; the peers choose how many there are.
    static let most = 1000

    private var told: [String: (time: Double, untold: Int)] = [:]

    var count: Int { told.count }

    /// - Returns: how many of the same were not told since the last that was; nil when this one is not to be told either.
    mutating func admit(_ text: String, at time: Double) -> Int? {
        guard let last = told[text], time >= last.time, time - last.time < Self.seconds else {
            let untold = told[text]?.untold ?? 0
            if told.count >= Self.most { told = [:] }
            told[text] = (time, 0)
            return untold
        }
        told[text] = (last.time, last.untold + 1)
        return nil
    }
}

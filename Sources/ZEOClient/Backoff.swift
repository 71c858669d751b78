/// How long to wait before trying again: 0.1 s, then twice as long each time, half a minute at most.
struct Backoff: Sendable {
    static let first = Duration.milliseconds(100)
    static let longest = Duration.seconds(30)

    private var delay = first

    mutating func next() -> Duration {
        defer { delay = min(delay * 2, Self.longest) }
        return delay
    }

    mutating func reset() { delay = Self.first }
}

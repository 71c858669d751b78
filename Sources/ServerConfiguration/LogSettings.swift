/// `<eventlog>`.
public struct LogSettings: Hashable, Sendable {
    /// As Python counts: 10 debug, 20 info, 30 warning, 40 error, 50 critical; below it nothing is logged.
    public var level = 20
    /// Empty: nothing is logged anywhere, unless there are `otherHandlers`.
    public var files: [LogFileSettings] = []
    /// Handlers that this server does not have, by their types: what only they were to have goes to standard error.
    public var otherHandlers: [String] = []

    /// Nobody hears of anything, as it was asked for.
    public var isSilent: Bool { files.isEmpty && otherHandlers.isEmpty }

    public init() {}
}

/// `<logfile>`.
public struct LogFileSettings: Hashable, Sendable {
    public enum Destination: Hashable, Sendable {
        case standardOutput
        case standardError
        case file(String)
    }

    public enum Rotation: Hashable, Sendable {
        /// The file grows, or something else renames it and has it opened again.
        case none
        /// In bytes; `oldFiles` are kept as `.1`, `.2`, …
        case size(limit: Int, oldFiles: Int)
        /// Python's `TimedRotatingFileHandler`: every so many seconds, or at midnight, or on a day of the week.
        case time(RotationTime, interval: Int, oldFiles: Int)
    }

    public var destination: Destination
    /// Of this handler alone, beyond that of the log.
    public var level = 0
    public var format = LogFormat.standard
    /// For `strftime`.
    public var dateFormat = "%Y-%m-%dT%H:%M:%S"
    public var rotation = Rotation.none
    /// The file is opened with the first message.
    public var opensLate = false

    public init(destination: Destination) { self.destination = destination }
}

/// When a log file is renamed and begun anew.
public enum RotationTime: Hashable, Sendable {
    /// S, M, H and D: `interval` times so many seconds.
    case seconds(Int)
    case midnight
    /// W0 to W6; 0 is Monday.
    case weekday(Int)

    /// Nil for what Python does not know either.
    public init?(_ text: String) {
        switch text.uppercased() {
        case "S": self = .seconds(1)
        case "M": self = .seconds(60)
        case "H": self = .seconds(3600)
        case "D": self = .seconds(86400)
        case "MIDNIGHT": self = .midnight
        case let day where day.utf8.count == 2 && day.utf8.first == UInt8(ascii: "W"):
            guard let number = Int(day.dropFirst()), (0...6).contains(number) else { return nil }
            self = .weekday(number)
        default: return nil
        }
    }
}

internal import Logging

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A message and all that a line of the log can say of it: what Python calls a `LogRecord`.
struct LogRecord: Sendable {
    /// Of the logger.
    var name: String
    /// As Python counts: 10 debug, 20 info, 30 warning, 40 error, 50 critical.
    var level: Int
    var message: String
    /// Seconds since 1970.
    var time: Double
    /// The source: file, line and function that logged it.
    var path = ""
    var line = 0
    var function = ""
    var thread = 0
    var process = Int(getpid())
    /// When the log began, in seconds since 1970.
    var start = 0.0

    var levelName: String {
        switch level {
        case 5: "TRACE"
        case 10: "DEBUG"
        case 20: "INFO"
        case 25: "NOTICE"
        case 30: "WARNING"
        case 40: "ERROR"
        case 50: "CRITICAL"
        default: "Level \(level)"
        }
    }
}

extension Logger.Level {
    /// As Python counts. Notices are between its info and its warning.
    var number: Int {
        switch self {
        case .trace: 5
        case .debug: 10
        case .info: 20
        case .notice: 25
        case .warning: 30
        case .error: 40
        case .critical: 50
        }
    }

    /// The least that is logged where Python's limit is `number`.
    init(atLeast number: Int) {
        self = Logger.Level.allCases.first { $0.number >= number } ?? .critical
    }
}

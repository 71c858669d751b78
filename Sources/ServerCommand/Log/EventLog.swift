internal import Logging
internal import ServerConfiguration
internal import ZEOServer
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The log of the server: what `<eventlog>` says.
final class EventLog: Sendable {
    let level: Logger.Level
    private let destinations: [LogDestination]
    private let start = LocalTime.now()

    /// - Parameters:
    ///   - settings: nil: everything from info on goes to standard error.
    ///   - isVerbose: debugging messages, too.
    /// - Throws: `io` when a file cannot be opened.
    init(_ settings: LogSettings?, isVerbose: Bool = false) throws(StorageError) {
        var settings = settings ?? .standardError
        if settings.files.isEmpty, !settings.otherHandlers.isEmpty { settings.files = LogSettings.standardError.files }
        level = isVerbose ? .debug : Logger.Level(atLeast: settings.level)
        var destinations: [LogDestination] = []
        for file in settings.files { destinations.append(try LogDestination(file)) }
        self.destinations = destinations
    }

    /// Whether somebody at a terminal sees what is logged.
    var isOnStandardError: Bool { destinations.contains { $0.settings.destination == .standardError } }

    /// The files that lines go to.
    var files: [String] {
        destinations.compactMap { if case .file(let path) = $0.settings.destination { path } else { nil } }
    }

    func logger(_ name: String) -> Logger {
        Logger(label: name) { name in EventLogHandler(name: name, log: self) }
    }

    /// Begins the files anew, which something has renamed. A file that cannot be opened again goes on as it is, and says
    /// so.
    func reopen() {
        var failures: [StorageError] = []
        for destination in destinations {
            do throws(StorageError) {
                try destination.reopen()
            } catch {
                failures.append(error)
            }
        }
        let logger = logger("zeoserver")
        for failure in failures {
            let text = "\(failure): it cannot be opened again; the log goes on where it was"
            logger.error("\(text)")
            StandardError.write("zeoserver: \(text)\n")
        }
        if failures.isEmpty { logger.info("log files opened again") }
    }

    fileprivate func write(_ event: LogEvent, _ name: String, _ metadata: Logger.Metadata) {
        var record = LogRecord(
            name: name, level: event.level.number, message: Self.text(event, metadata), time: LocalTime.now())
        record.path = event.file
        record.line = Int(event.line)
        record.function = event.function
        // The number that Python has for a thread, too.
        record.thread = Int(pthread_self())
        record.start = start
        for destination in destinations { destination.write(record) }
    }

    /// The message, and behind it what else was said with it: `commit failed oid=0x1 client="zope 1"`.
    private static func text(_ event: LogEvent, _ metadata: Logger.Metadata) -> String {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        return all.sorted { $0.key < $1.key }.reduce(event.message.description) { text, entry in
            let value = entry.value.description
            let isWord = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") }
            return "\(text) \(entry.key)=\(isWord ? value : JSONText.quoted(value))"
        }
    }
}

extension LogSettings {
    /// A line each, to standard error.
    fileprivate static var standardError: LogSettings {
        var settings = LogSettings()
        var file = LogFileSettings(destination: .standardError)
        file.format = LogFormat("%(asctime)s %(levelname)s %(name)s %(message)s") ?? .standard
        settings.files = [file]
        return settings
    }
}

private struct EventLogHandler: LogHandler {
    let name: String
    let log: EventLog
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(name: String, log: EventLog) {
        self.name = name
        self.log = log
        logLevel = log.level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.write(event, name, metadata) }
}

internal import ZConfig

extension SettingsReader {
    /// Handlers of Python's logging that this server does not have.
    private static let otherHandlers: [String: String] = [
        "syslog": "let journald or the service manager collect standard error: <logfile> with path STDERR",
        "email-notifier": "no mail is sent; watch the log file instead",
        "http-logger": "nothing is sent; watch the log file instead",
        "win32-eventlog": "there is none on this system",
        "mailing-logger": "no mail is sent; watch the log file instead",
        "summarising-logger": "no mail is sent; watch the log file instead",
    ]

    /// `<eventlog>`, or a `<logger>`.
    mutating func log(_ section: ConfigurationSection) throws(SettingsError) -> LogSettings {
        var reader = try SectionReader(section)
        var log = LogSettings()
        log.level = try reader.value("level", .logLevel) ?? 20
        if section.type == "logger" {
            _ = try reader.value("name", .dottedName)
            _ = try reader.value("propagate", .boolean)
        }
        for handler in reader.sections(Self.otherHandlers.keys + ["logfile"]) {
            if handler.type == "logfile" {
                log.files.append(try logFile(handler))
            } else {
                let why = Self.otherHandlers[handler.type] ?? ""
                warn("<\(handler.type)> is not supported: \(why)", at: handler.location)
                log.otherHandlers.append(handler.type)
            }
        }
        if log.files.isEmpty, !log.otherHandlers.isEmpty {
            warn("<\(section.type)> has no <logfile>: the log goes to standard error", at: section.location)
        }
        try reader.finish()
        return log
    }

    private mutating func logFile(_ section: ConfigurationSection) throws(SettingsError) -> LogFileSettings {
        var reader = try SectionReader(section)
        let path = try reader.required("path", .string)
        let destination: LogFileSettings.Destination =
            switch path {
            case "STDOUT": .standardOutput
            case "STDERR": .standardError
            default: .file(path)
            }
        var file = LogFileSettings(destination: destination)
        file.level = try reader.value("level", .logLevel) ?? 0
        file.format = try format(&reader)
        file.dateFormat = try reader.value("dateformat", .string) ?? file.dateFormat
        file.opensLate = try reader.value("delay", .boolean) ?? false
        if let formatter = try reader.value("formatter", .dottedName) {
            warn("'formatter' has no effect: \(formatter) is a Python class", at: reader.location(of: "formatter"))
        }
        let encoding = try reader.text("encoding")
        if let encoding, !["utf-8", "utf8"].contains(encoding.lowercased()) {
            warn(
                "'encoding \(encoding)' has no effect: the log is written in UTF-8", at: reader.location(of: "encoding")
            )
        }
        file.rotation = try rotation(&reader, isFile: file.destination == .file(path))
        try reader.finish()
        if case .file = destination { return file }
        guard file.rotation == .none, !file.opensLate, encoding == nil else {
            throw reader.error(
                .contradiction("old-files, max-size, when, interval, encoding and delay are for files, not for \(path)")
            )
        }
        return file
    }

    private mutating func format(_ reader: inout SectionReader) throws(SettingsError) -> LogFormat {
        let text = try reader.value("format", .string)
        let style = try reader.value("style", .logStyle) ?? "classic"
        let takesAnyField = try reader.value("arbitrary-fields", .boolean) ?? false
        guard let text else { return .standard }
        guard style == "classic" else {
            warn("'style \(style)' is not supported; lines have the standard format", at: reader.location(of: "style"))
            return .standard
        }
        if let format = LogFormat(text) { return format }
        guard !takesAnyField else {
            warn(
                "fields of a program's own are not supported; lines have the standard format",
                at: reader.location(of: "format"))
            return .standard
        }
        let error = ValueError(
            expectation: "text with fields such as %(asctime)s, %(levelname)s, %(name)s and %(message)s", found: text)
        throw reader.error(.value(key: "format", error), of: "format")
    }

    private func rotation(
        _ reader: inout SectionReader, isFile: Bool
    ) throws(SettingsError) -> LogFileSettings.Rotation {
        let oldFiles = try reader.value("old-files", .integer) ?? 0
        let size = try reader.value("max-size", .byteSize) ?? 0
        let when = try reader.value("when", .rotationTime) ?? nil
        let interval = try reader.value("interval", .integer) ?? 0
        // ZConfig lets an interval pass that belongs to no file.
        guard when != nil || size != 0 || oldFiles != 0 || (interval != 0 && isFile) else { return .none }
        guard oldFiles > 0 else { throw reader.error(.contradiction("a log file that rotates needs 'old-files'")) }
        guard interval >= 0, size >= 0 else {
            throw reader.error(.contradiction("'interval' and 'max-size' cannot be negative"))
        }
        if let when {
            guard size == 0 else {
                throw reader.error(
                    .contradiction("a log file rotates by 'max-size' or by 'when', not by both"), of: "when")
            }
            return .time(when, interval: max(interval, 1), oldFiles: oldFiles)
        }
        guard size > 0 else {
            throw reader.error(.contradiction("a log file that rotates needs 'max-size' or 'when'"))
        }
        return .size(limit: size, oldFiles: oldFiles)
    }
}

extension ValueType<String> {
    static var logStyle: Self {
        Self("classic, format, template or safe-template") { text in
            let style = text.lowercased()
            return ["classic", "format", "template", "safe-template"].contains(style) ? style : nil
        }
    }
}

extension ValueType<RotationTime?> {
    /// Nil for an empty text, which is no time.
    static var rotationTime: Self {
        Self("S, M, H, D, W0 to W6 or midnight") { text in
            text.isEmpty ? .some(nil) : RotationTime(text).map { .some($0) }
        }
    }
}

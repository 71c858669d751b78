internal import ServerConfiguration

extension LogRecord {
    func value(of field: LogFormat.Field, dateFormat: String) -> LogValue {
        switch field {
        case .name: .text(name)
        case .levelno: .integer(level)
        case .levelname: .text(levelName)
        case .pathname: .text(path)
        case .filename: .text(fileName)
        case .module: .text(module)
        case .lineno: .integer(line)
        case .created: .number(time)
        case .asctime: .text(LocalTime.text(time, format: dateFormat))
        case .msecs: .number((time - time.rounded(.down)) * 1000)
        case .relativeCreated: .number((time - start) * 1000)
        case .thread: .integer(thread)
        case .threadName: .text("Thread-\(thread)")
        case .message, .msg: .text(message)
        case .process: .integer(process)
        case .processName: .text("zeoserver")
        case .funcName: .text(function)
        case .taskName: .text("None")
        }
    }

    private var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }

    private var module: String {
        fileName.lastIndex(of: ".").map { String(fileName[..<$0]) } ?? fileName
    }
}

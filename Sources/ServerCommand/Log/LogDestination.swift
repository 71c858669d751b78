internal import ServerConfiguration
internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// One `<logfile>`: where lines go, in which form, and when the file is begun anew.
///
/// A line is written by one call, so that lines of several processes do not mix.
final class LogDestination: Sendable {
    private struct State: Sendable {
        /// nil: not open (yet).
        var descriptor: Int32?
        var rotation: LogRotation
    }

    let settings: LogFileSettings
    private let state: Mutex<State>

    /// - Throws: `io` when the file cannot be opened, unless it is opened late.
    init(_ settings: LogFileSettings) throws(StorageError) {
        self.settings = settings
        var state = State(rotation: LogRotation(settings.rotation))
        if case .file(let path) = settings.destination {
            state.rotation.begin(path)
            if !settings.opensLate { state.descriptor = try Self.open(path) }
        }
        self.state = Mutex(state)
    }

    deinit {
        if case .file = settings.destination, let descriptor = state.withLock({ $0.descriptor }) { close(descriptor) }
    }

    private static func open(_ path: String) throws(StorageError) -> Int32 {
        let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .io("log file \(path)", errno: errno) }
        return descriptor
    }

    private static func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
        #if canImport(Glibc)
            Glibc.open(path, flags, mode)
        #else
            Musl.open(path, flags, mode)
        #endif
    }

    func write(_ record: LogRecord) {
        guard record.level >= settings.level else { return }
        let text = settings.format.line { record.value(of: $0, dateFormat: settings.dateFormat) } + "\n"
        let bytes = Array(text.utf8)
        switch settings.destination {
        case .standardOutput: FileWriting.write(bytes, to: STDOUT_FILENO)
        case .standardError: FileWriting.write(bytes, to: STDERR_FILENO)
        case .file(let path):
            state.withLock { state in
                if state.rotation.isDue(path, adding: bytes.count, at: record.time) {
                    Self.rotate(path, &state, at: record.time)
                }
                // What cannot be written is lost: a full disk must not end the server.
                if state.descriptor == nil { state.descriptor = try? Self.open(path) }
                if let descriptor = state.descriptor { FileWriting.write(bytes, to: descriptor) }
            }
        }
    }

    /// Begins the file anew: something has renamed it. A file that rotates is rotated, as Python does then.
    /// - Throws: `io` when it cannot be opened: then the old one is written to.
    func reopen() throws(StorageError) {
        guard case .file(let path) = settings.destination else { return }
        try state.withLock { (state) throws(StorageError) in
            guard let descriptor = state.descriptor else { return }
            guard settings.rotation == .none else {
                if let obstacle = FileAccess.obstacle(toWriting: path) {
                    throw .io("log file \(path)", errno: obstacle.errno)
                }
                return Self.rotate(path, &state, at: LocalTime.now())
            }
            // The old one goes when there is a new one: else there would be no log at all.
            let new = try Self.open(path)
            close(descriptor)
            state.descriptor = new
        }
    }

    private static func rotate(_ path: String, _ state: inout State, at time: Double) {
        if let descriptor = state.descriptor { close(descriptor) }
        state.descriptor = nil
        state.rotation.rotate(path, at: time)
    }
}

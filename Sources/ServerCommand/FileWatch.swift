internal import Dispatch
internal import Logging
internal import Synchronization
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Looks now and then whether a data file is still where it was opened: one that was renamed, removed or replaced under a
/// running server takes no more commits, and what it holds is lost to those who look for it by its name.
final class FileWatch: Sendable {
    /// Seconds between two looks. What is seen twice in a row is told: a pack replaces the file, too.
    static let interval: Double = 5

    private struct State {
        var isSeen = false
        var fault: String?
    }

    private let storage: String
    private let file: FileStorage
    private let logger: Logger
    private let state = Mutex(State())
    /// `nonisolated(unsafe)`: made once, and Dispatch lets every thread cancel it.
    nonisolated(unsafe) private let timer: any DispatchSourceTimer

    /// - Parameters:
    ///   - storage: what clients call it.
    ///   - interval: in seconds.
    init(_ storage: String, _ file: FileStorage, logger: Logger, interval: Double = FileWatch.interval) {
        self.storage = storage
        self.file = file
        self.logger = logger
        timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "files"))
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(100))
        timer.setEventHandler { [weak self] in self?.look() }
        timer.resume()
    }

    deinit { timer.cancel() }

    /// What is wrong, for `/readyz`; nil: nothing.
    @Sendable
    func check() -> String? { state.withLock { $0.fault } }

    /// Looks at once, since the server ends: whoever ended it may still save the file.
    func lookAtTheEnd() {
        guard file.displacement() != nil else { return }
        // A pack that puts the new file in its place looks like that for a moment.
        usleep(200_000)
        guard let displacement = file.displacement() else { return }
        let fate =
            displacement.newPath == nil ? "its data are lost when this process has ended" : "the next misses its data"
        logger.critical("storage \(storage): the server ends, and \(fate): \(Self.text(displacement))")
    }

    private func look() {
        let displacement = file.displacement()
        let (before, now) = state.withLock { state -> (String?, String?) in
            let before = state.fault
            if let displacement {
                if state.isSeen { state.fault = "storage \(storage): \(Self.text(displacement))" }
                state.isSeen = true
            } else {
                state = State()
            }
            return (before, state.fault)
        }
        guard before != now else { return }
        if let now {
            logger.error("\(now)")
        } else {
            logger.notice("storage \(storage): \(file.name) is in its place again")
        }
    }

    static func text(_ displacement: FileStorage.Displacement) -> String {
        let path = displacement.path
        let what = displacement.isReplaced ? "another file has been put in the place of \(path)" : "\(path) is gone"
        let cure =
            if let new = displacement.newPath {
                "the file that is served is called \(new) now: rename it back"
            } else {
                "the file that is served has no name any more: copy it before the server ends, as in "
                    + "'cp \(displacement.openFile) \(path).saved'"
            }
        return "\(what); commits are refused, loads go on; \(cure)"
    }
}

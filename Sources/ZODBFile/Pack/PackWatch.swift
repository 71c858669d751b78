internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a pack looks at while it works: whether to stop, how fast it may go, and whom to tell how far it is.
final class PackWatch: Sendable {
    private struct State {
        var phase = PackProgress.Phase.index
        var done = 0
        var total = 1
        /// Of the phases before, and of this one, in the whole.
        var before = 0.0
        var share = 0.0
        var lastTold = 0.0
        /// Bytes read and written, for the throttle.
        var moved = 0
        /// Somebody waits for us.
        var isInHurry = false
    }

    /// How often progress is told, in seconds.
    private static let interval = 0.2

    private let state = Mutex(State())
    private let start = PackWatch.now()
    private let bytesPerSecond: Int?
    private let interruptions: [Interruption]
    private let report: @Sendable (PackProgress) -> Void

    init(
        bytesPerSecond: Int?, interruptions: [Interruption], report: @escaping @Sendable (PackProgress) -> Void
    ) {
        self.bytesPerSecond = bytesPerSecond
        self.interruptions = interruptions
        self.report = report
    }

    static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// - Parameter share: of the whole, from 0 to 1.
    func begin(_ phase: PackProgress.Phase, total: Int, share: Double) throws(StorageError) {
        state.withLock { state in
            state.before += state.share
            state.share = share
            (state.phase, state.done, state.total) = (phase, 0, max(1, total))
            state.lastTold = 0
        }
        try advance(to: 0)
    }

    /// - Throws: `interrupted`.
    func advance(to done: Int) throws(StorageError) {
        for interruption in interruptions { try interruption.check() }
        let (progress, step) = state.withLock { state -> (PackProgress?, Int) in
            let step = max(0, done - state.done)
            state.done = max(state.done, done)
            let now = Self.now()
            guard now - state.lastTold >= Self.interval else { return (nil, step) }
            state.lastTold = now
            return (Self.progress(state, elapsed: now - start), step)
        }
        if let progress { report(progress) }
        // Marking counts objects.
        if phase != .mark { try moved(step) }
    }

    private var phase: PackProgress.Phase { state.withLock { $0.phase } }

    var progress: PackProgress { state.withLock { Self.progress($0, elapsed: Self.now() - start) } }
    var elapsed: Double { Self.now() - start }

    private static func progress(_ state: State, elapsed: Double) -> PackProgress {
        let part = min(1, Double(state.done) / Double(state.total))
        return PackProgress(
            phase: state.phase, done: state.done, total: state.total,
            fraction: min(1, state.before + state.share * part), elapsed: elapsed)
    }

    /// Waits as long as the bytes read and written demand.
    /// - Throws: `interrupted`.
    func moved(_ bytes: Int) throws(StorageError) {
        guard let bytesPerSecond, bytesPerSecond > 0 else { return }
        let (total, isInHurry) = state.withLock { state in
            state.moved += bytes
            return (state.moved, state.isInHurry)
        }
        while !isInHurry {
            for interruption in interruptions { try interruption.check() }
            let early = Double(total) / Double(bytesPerSecond) - (Self.now() - start)
            guard early > 0 else { return }
            let pause = min(early, 0.1)
            var time = timespec(tv_sec: 0, tv_nsec: Int(pause * 1e9))
            unsafe nanosleep(&time, nil)
        }
    }

    /// Lets the throttle be, while others wait.
    func hurry() { state.withLock { $0.isInHurry = true } }
    func takeTime() { state.withLock { $0.isInHurry = false } }
}

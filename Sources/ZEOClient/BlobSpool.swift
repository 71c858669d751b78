internal import NIOConcurrencyHelpers
internal import Synchronization
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A blob on its way: chunks come as fast as the server sends them, and are taken as slowly as the reader likes.
///
/// A server sends the whole blob at once and everything else behind it, so it cannot be held back without holding up
/// other replies. What the reader has not taken stays in memory up to a limit, and beyond it in a file without a name.
final class BlobSpool: Sendable {
    static let mostInMemory = 4 << 20

    private enum Chunk {
        case memory([UInt8])
        case file(offset: Int, count: Int)
    }

    private struct State {
        var chunks: [Chunk] = []
        /// Taken from the front; the array is shortened now and then.
        var taken = 0
        var inMemory = 0
        /// The file's descriptor and length.
        var file: (descriptor: Int32, end: Int)?
        var hasStarted = false
        var end: Result<Void, StorageError>?
        var isGivenUp = false
    }

    private enum Signal: Equatable {
        case nothing, look
    }

    private let directory: String
    private let state = Mutex(State())
    private let signal = ConditionLock(value: Signal.nothing)

    init(temporaryDirectory: String) {
        directory = temporaryDirectory
    }

    deinit { giveUp() }

    // MARK: The event loop's side

    func start() { change { $0.hasStarted = true } }

    func append(_ bytes: [UInt8]) {
        change { state in
            guard !state.isGivenUp, state.end == nil else { return }
            if state.inMemory + bytes.count <= Self.mostInMemory {
                state.inMemory += bytes.count
                state.chunks.append(.memory(bytes))
                return
            }
            do throws(StorageError) {
                let offset = try write(bytes, &state)
                state.chunks.append(.file(offset: offset, count: bytes.count))
            } catch {
                state.end = .failure(error)
            }
        }
    }

    func finish(_ result: Result<Void, StorageError>) {
        change { $0.end = $0.end ?? result }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        signal.lock()
        signal.unlock(withValue: .look)
    }

    // MARK: The reader's side

    /// Waits for the first sign of the blob.
    /// - Throws: what the server said instead.
    func waitForStart(_ patience: Patience) throws(StorageError) {
        _ = try wait(patience) { state throws(StorageError) -> Bool? in
            if case .failure(let error)? = state.end, state.chunks.isEmpty { throw error }
            return state.hasStarted || state.end != nil ? true : nil
        }
    }

    /// The next chunk; nil at the end.
    func next(_ patience: Patience) throws(StorageError) -> [UInt8]? {
        try wait(patience) { state throws(StorageError) -> [UInt8]?? in
            guard state.taken < state.chunks.count else {
                guard let end = state.end else { return nil }
                try end.get()
                return .some(nil)
            }
            let chunk = state.chunks[state.taken]
            // Its memory goes with whoever takes it.
            state.chunks[state.taken] = .file(offset: 0, count: 0)
            state.taken += 1
            defer { self.tidy(&state) }
            switch chunk {
            case .memory(let bytes):
                state.inMemory -= bytes.count
                return bytes
            case .file(let offset, let count): return try self.read(offset, count, state)
            }
        }
    }

    /// The reader wants no more: what is here goes, and what comes is dropped.
    func giveUp() {
        state.withLock { state in
            state.isGivenUp = true
            state.chunks = []
            state.taken = 0
            if let file = state.file { _ = close(file.descriptor) }
            state.file = nil
        }
    }

    private func wait<Found>(
        _ patience: Patience, for find: (inout State) throws(StorageError) -> Found?
    ) throws(StorageError) -> Found {
        let start = ContinuousClock.now
        while true {
            try patience.interruption.check()
            if let found = try state.withLock({ (state) throws(StorageError) in try find(&state) }) { return found }
            // What arrives between the look and the wait has set the signal already.
            if signal.lock(whenValue: .look, timeoutSeconds: Waiting<Void>.patience) {
                signal.unlock(withValue: .nothing)
            }
            try patience.check(since: start)
        }
    }

    /// Everything was taken: begin anew at the front.
    private func tidy(_ state: inout State) {
        guard state.taken == state.chunks.count else { return }
        state.chunks.removeAll(keepingCapacity: true)
        state.taken = 0
        state.file?.end = 0
    }

    // MARK: The file

    private func write(_ bytes: [UInt8], _ state: inout State) throws(StorageError) -> Int {
        let (descriptor, offset) = try file(&state)
        var written = 0
        while written < bytes.count {
            // In bounds: `written` is below the count, checked by the loop.
            let count = bytes.withUnsafeBytes { raw in
                unsafe raw.baseAddress.map {
                    unsafe pwrite(descriptor, $0 + written, raw.count - written, off_t(offset + written))
                } ?? 0
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .io("\(directory): writing a blob", errno: count < 0 ? errno : EIO) }
            written += count
        }
        state.file?.end = offset + written
        return offset
    }

    private func file(_ state: inout State) throws(StorageError) -> (descriptor: Int32, end: Int) {
        if let file = state.file { return file }
        var name = Array("\(directory)/zeoshell-blob-XXXXXX\0".utf8CString.dropLast())
        let descriptor = unsafe mkstemp(&name)
        guard descriptor >= 0 else { throw .io("\(directory): making a file for a blob", errno: errno) }
        _ = unsafe unlink(name)
        state.file = (descriptor, 0)
        return (descriptor, 0)
    }

    private func read(_ offset: Int, _ count: Int, _ state: State) throws(StorageError) -> [UInt8] {
        guard let file = state.file else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            // In bounds: `done` is below the count, checked by the loop.
            let got = bytes.withUnsafeMutableBytes { raw in
                unsafe raw.baseAddress.map {
                    unsafe pread(file.descriptor, $0 + done, count - done, off_t(offset + done))
                } ?? 0
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw .io("\(directory): reading a blob back", errno: got < 0 ? errno : EIO) }
            done += got
        }
        return bytes
    }
}

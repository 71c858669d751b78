import Foundation
import Synchronization
import TestSupport
import ZODBFile

/// A disk that fails, or loses its power, at a call chosen beforehand.
///
/// Of the data file it knows what is safe: everything that was written before the last flush began. What was written
/// since may be on the disk or not after a power cut, each sector for itself.
final class FailingDisk: Sendable {
    enum Failure: CaseIterable, Sendable {
        /// The call does nothing and fails; later ones succeed.
        case once
        /// Half of a write is done before it fails; later ones succeed.
        case half
        /// From this call on all fail.
        case forEver
        /// From this call on all fail, and what was not flushed may be lost.
        case powerCut
    }

    private struct State {
        var calls = 0
        /// The data file as of the last flush, and what was done to it since.
        var safe: [UInt8]
        var pending: [Operation] = []
        var log: [String] = []
    }

    private enum Operation {
        case write(offset: Int, [UInt8])
        case truncate(Int)

        func perform(on bytes: inout [UInt8]) {
            switch self {
            case .write(let offset, let data):
                let end = offset + data.count
                if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
                bytes.replaceSubrange(offset..<end, with: data)
            case .truncate(let size): bytes = Array(bytes.prefix(size))
            }
        }
    }

    private let path: String
    private let failingCall: Int
    private let failure: Failure
    private let state: Mutex<State>

    init(_ path: String, failing call: Int, _ failure: Failure) throws {
        self.path = path
        failingCall = call
        self.failure = failure
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        state = Mutex(State(safe: bytes))
    }

    var callCount: Int { state.withLock(\.calls) }
    var log: [String] { state.withLock(\.log) }

    /// Whether this call fails.
    private func fails(_ what: String, _ descriptor: Int32) -> Bool {
        state.withLock { state in
            defer { state.calls += 1 }
            state.log.append("\(what)\(isDataFile(descriptor) ? "" : " of another file")")
            return state.calls == failingCall
                || state.calls > failingCall && (failure == .forEver || failure == .powerCut)
        }
    }

    private func isDataFile(_ descriptor: Int32) -> Bool {
        var (mine, other) = (stat(), stat())
        return fstat(descriptor, &mine) == 0 && stat(path, &other) == 0 && mine.st_ino == other.st_ino
    }

    var calls: FileCalls {
        FileCalls(
            write: { descriptor, buffer, offset in
                var buffer = unsafe buffer
                if self.fails("write", descriptor) {
                    guard self.failure == .half, buffer.count > 1 else { return -5 }
                    unsafe buffer = UnsafeRawBufferPointer(rebasing: buffer.prefix(buffer.count / 2))
                    let count = unsafe FileCalls.systemWrite(descriptor, buffer, offset)
                    return count == buffer.count ? -28 : count
                }
                let bytes = unsafe [UInt8](buffer)
                let count = unsafe FileCalls.systemWrite(descriptor, buffer, offset)
                if self.isDataFile(descriptor) {
                    self.state.withLock { $0.pending.append(.write(offset: offset, bytes)) }
                }
                return count
            },
            sync: { descriptor in
                let (covered, calls) = self.state.withLock { ($0.pending.count, $0.calls) }
                if self.fails("sync", descriptor) { return 5 }
                // A disk takes its time, some times more than others; meanwhile there may be more to write.
                if calls % 3 == 0 { usleep(500) }
                guard self.isDataFile(descriptor) else { return 0 }
                self.state.withLock { state in
                    for operation in state.pending.prefix(covered) { operation.perform(on: &state.safe) }
                    state.pending.removeFirst(covered)
                }
                return 0
            },
            truncate: { descriptor, size in
                if self.fails("truncate", descriptor) { return 5 }
                let number = FileCalls.systemTruncate(descriptor, size)
                if self.isDataFile(descriptor) { self.state.withLock { $0.pending.append(.truncate(size)) } }
                return number
            })
    }

    /// What the data file may hold when the power comes back.
    func afterPowerCut(_ generator: inout SeededGenerator) -> [UInt8] {
        let (safe, pending) = state.withLock { ($0.safe, $0.pending) }
        var bytes = safe
        let chance = [0, 20, 50, 80, 100].randomElement(using: &generator)!
        var size = bytes.count
        for operation in pending {
            switch operation {
            case .write(let offset, let data):
                size = max(size, offset + data.count)
                var place = offset
                while place < offset + data.count {
                    let end = min(offset + data.count, (place / 512 + 1) * 512)
                    if Int.random(in: 0..<100, using: &generator) < chance {
                        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
                        bytes.replaceSubrange(place..<end, with: data[(place - offset)..<(end - offset)])
                    }
                    place = end
                }
            case .truncate(let count):
                size = count
                if Int.random(in: 0..<100, using: &generator) < chance { bytes = Array(bytes.prefix(count)) }
            }
        }
        // The length may be on the disk without the data.
        if size > bytes.count, Bool.random(using: &generator) {
            bytes += [UInt8](repeating: 0, count: size - bytes.count)
        }
        return bytes
    }
}

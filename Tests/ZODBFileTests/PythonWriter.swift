import Foundation
import Synchronization
import TestSupport
import Testing

/// A Python process that has a FileStorage open and does to it what it is told, a line at a time.
final class PythonWriter: Sendable {
    /// A Python 3 with ZODB: `ZEOSHELL_TEST_PYTHON3`, or what `make peers` made. nil when there is none.
    static let python: String? = {
        let made = SampleData.root.deletingLastPathComponent().appending(path: ".build/peers/zeo6/bin/python").path
        let candidates = [ProcessInfo.processInfo.environment["ZEOSHELL_TEST_PYTHON3"], made]
        return candidates.compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    private static let program = #"""
        import base64, sys, time
        from ZODB.Connection import TransactionMetaData
        from ZODB.FileStorage import FileStorage
        from ZODB.POSException import POSKeyError
        from ZODB.utils import p64, z64
        fs = FileStorage(sys.argv[1])

        def serial(oid):
            try:
                return fs.getTid(oid)
            except POSKeyError:
                return z64

        def vote(items):
            t = TransactionMetaData('python', ' '.join(items))
            fs.tpc_begin(t)
            for item in items:
                oid, _, data = item.partition('=')
                fs.store(p64(int(oid)), serial(p64(int(oid))), data.encode() * 100, '', t)
            fs.tpc_vote(t)
            return t

        def special(call):
            t = TransactionMetaData('python', 'special')
            fs.tpc_begin(t)
            call(t)
            fs.tpc_vote(t)
            return fs.tpc_finish(t).hex()

        for line in sys.stdin:
            command, *items = line.split()
            if command == 'commit':
                answer = fs.tpc_finish(vote(items)).hex()
            elif command == 'vote':
                voted = vote(items)
                answer = 'voted'
            elif command == 'finish':
                answer = fs.tpc_finish(voted).hex()
            elif command == 'abort':
                fs.tpc_abort(voted)
                answer = 'aborted'
            elif command == 'undo':
                answer = special(lambda t: fs.undo(fs.undoLog(0, 1)[0]['id'], t))
            elif command == 'delete':
                oid = p64(int(items[0]))
                answer = special(lambda t: fs.deleteObject(oid, fs.getTid(oid), t))
            elif command == 'pack':
                fs.pack(time.time(), lambda data: [], gc=False)
                answer = 'packed'
            elif command == 'load':
                before = p64(int(items[1], 16) + 1)
                try:
                    found = fs.loadBefore(p64(int(items[0])), before)
                    answer = 'none' if not found else '%s %s %s' % (
                        found[0].decode(), found[1].hex(), found[2].hex() if found[2] else '-')
                except POSKeyError:
                    answer = 'missing'
            print(answer, flush=True)
        """#

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    /// What was read behind the last answer; held during a command, so that each gets its own answer.
    private let received = Mutex<[UInt8]>([])

    init(_ path: String) throws {
        process.executableURL = URL(filePath: try #require(Self.python))
        process.arguments = ["-c", Self.program, path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Sends a command; its answer.
    @discardableResult
    func tell(_ command: String) throws -> String {
        try received.withLock { received in
            try input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
            while true {
                if let end = received.firstIndex(of: 10) {
                    defer { received.removeSubrange(...end) }
                    return String(decoding: received[..<end], as: UTF8.self)
                }
                let more = output.fileHandleForReading.availableData
                guard !more.isEmpty else { throw PythonEnded() }
                received += more
            }
        }
    }

    struct PythonEnded: Error {}
}

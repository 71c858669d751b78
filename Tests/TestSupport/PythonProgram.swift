public import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A script of `Tests/TestSupport/python` that runs beside a test and talks with it in lines.
///
/// Its standard input is a pipe, whose end tells it to end; that happens at the latest when this is released or the
/// test's process is gone.
public final class PythonProgram {
    private let process = Process()
    private let input = Pipe()
    private let output: Pipe?
    private let errorFile: URL
    private let name: String
    private var unread: [UInt8] = []

    /// - Parameters:
    ///   - script: its path below `Tests/TestSupport/python`.
    ///   - file: where its standard output goes; nil: here, to be read by `readLine`.
    public init(_ peer: PythonPeer, _ script: String, _ arguments: [String], outputTo file: URL? = nil) throws {
        name = "\(script) on \(peer.name)"
        errorFile = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try Data().write(to: errorFile)
        process.executableURL = peer.python
        process.arguments =
            [URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/\(script)").path] + arguments
        process.standardInput = input
        process.standardError = try FileHandle(forWritingTo: errorFile)
        if let file {
            try Data().write(to: file)
            process.standardOutput = try FileHandle(forWritingTo: file)
            output = nil
        } else {
            let pipe = Pipe()
            process.standardOutput = pipe
            output = pipe
        }
        // The script may end before it has read what it is told.
        signal(SIGPIPE, SIG_IGN)
        try process.run()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: errorFile)
    }

    public var isRunning: Bool { process.isRunning }
    public var errors: String { (try? String(contentsOf: errorFile, encoding: .utf8)) ?? "" }

    /// The next line it prints, without its end; nil when it has printed its last.
    /// - Throws: `PythonFailure` when nothing comes for so many seconds.
    public func readLine(patience: Int32 = 600) throws -> String? {
        guard let output else { return nil }
        let descriptor = output.fileHandleForReading.fileDescriptor
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeSubrange(...end) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waited, 1, patience * 1000) > 0 else {
                throw PythonFailure(text: "\(name) says nothing for \(patience) s: \(errors)")
            }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return nil }
            unread += bytes.prefix(count)
        }
    }

    /// Tells it something and returns the line that it answers.
    /// - Throws: `PythonFailure` when it has ended, or does not answer for ten minutes.
    public func ask(_ line: String) throws -> String {
        try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
        guard let answer = try readLine() else {
            throw PythonFailure(text: "\(name) ended when told \(line): \(errors)")
        }
        return answer
    }

    /// Waits until it has ended; its exit status.
    @discardableResult
    public func waitUntilExit() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Ends its input, which ends it and what it started, and waits for that.
    public func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private func kill() {
        guard process.isRunning else { return }
        // Not with a signal at first: it may have children to end.
        try? input.fileHandleForWriting.close()
        for _ in 0..<100 where process.isRunning { usleep(50_000) }
        if process.isRunning {
            Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }
}

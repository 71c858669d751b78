internal import Foundation

/// A program of this package that goes on while a test does, and what it writes, line by line. Ends when it is released.
public final class RunningProgram {
    private let process = Process()
    private let output = Pipe()
    private let errors: URL
    private var buffer: [UInt8] = []

    /// How long anything may take, on a machine that has much else to do.
    private static let patience = 60.0

    public struct NoLine: Error, CustomStringConvertible {
        public var description: String
    }

    public init(_ program: BuiltProgram, _ arguments: [String], environment: [String: String] = [:]) throws {
        errors = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try Data().write(to: errors)
        process.executableURL = program.url
        process.arguments = arguments
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "TZ": "UTC"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    deinit {
        signal(SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: errors)
    }

    public var errorText: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    /// The next line, without its end.
    /// - Throws: `NoLine` when none comes, or the program has ended.
    public func line() throws -> String {
        let deadline = Date().addingTimeInterval(Self.patience)
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            guard try readMore(until: deadline) else {
                throw NoLine(description: "no line, but '\(String(decoding: buffer, as: UTF8.self))'; \(errorText)")
            }
        }
    }

    /// - Returns: false at the end, or when the time is over.
    private func readMore(until deadline: Date) throws -> Bool {
        let descriptor = output.fileHandleForReading.fileDescriptor
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(max(0, deadline.timeIntervalSinceNow) * 1000)) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return false }
        buffer += bytes[..<count]
        return true
    }

    public func signal(_ number: Int32) {
        if process.isRunning { kill(process.processIdentifier, number) }
    }

    /// Waits for its end; its exit status, 128 and the signal's number when one ended it.
    public func end() throws -> Int32 {
        let deadline = Date().addingTimeInterval(Self.patience)
        while process.isRunning {
            guard Date() < deadline else { throw NoLine(description: "it does not end; \(errorText)") }
            usleep(20_000)
        }
        return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    }
}

public import Foundation

/// A program of this package, as built beside the tests.
public struct BuiltProgram: Sendable {
    public let url: URL

    public init(url: URL) { self.url = url }

    public static let zeoshell = built("zeoshell")
    public static let zeoserver = built("zeoserver")
    public static let zeobench = built("zeobench")

    /// The directory that the tests run from is where the build put everything.
    private static func built(_ name: String) -> BuiltProgram {
        BuiltProgram(
            url: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
                .appending(path: name))
    }

    public struct Outcome: Sendable {
        public var status: Int32
        public var output: String
        public var errors: String
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - input: what standard input holds; nil: it stays open and empty.
    ///   - environment: all of it; nothing is inherited but `PATH`.
    ///   - meanwhile: called with the process's number once it runs.
    public func run(
        _ arguments: [String], input: String? = "", environment: [String: String] = [:],
        meanwhile: (Int32) -> Void = { _ in }
    ) throws -> Outcome {
        // The program may end before it has read all of its input.
        signal(SIGPIPE, SIG_IGN)
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": path, "TZ": "UTC"].merging(environment) { $1 }
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try process.run()
        if let input {
            try? stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? stdin.fileHandleForWriting.close()
        }
        meanwhile(process.processIdentifier)
        // Outputs here are smaller than a pipe holds, so one after the other will do.
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        let errors = stderr.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
            output: String(decoding: output, as: UTF8.self), errors: String(decoding: errors, as: UTF8.self))
    }
}

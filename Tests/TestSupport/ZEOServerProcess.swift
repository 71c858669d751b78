public import Foundation

/// The built `zeoserver`, serving a scratch folder. Ends when it is released, or when the test's process does.
public final class ZEOServerProcess {
    /// Everything of this server: `zeo.conf`, `Data.fs`, `blobs`, the logs.
    public let folder: URL
    public let port: Int
    private let options: String
    private var process: Process?
    private var guardian: Process?
    private var lifeline: Pipe?

    /// Starts it and waits until it answers.
    /// - Parameters:
    ///   - storages: the storage sections, in which `$FOLDER` stands for the folder; by default one FileStorage, "1".
    ///   - blobs: give that storage a directory for blobs.
    ///   - options: more lines for the `<zeo>` section.
    public init(storages: String? = nil, blobs: Bool = false, options: String = "") throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        port = try FreePort.find()
        self.options = options
        let storage =
            storages
            ?? "<filestorage 1>\n  path $FOLDER/Data.fs\n\(blobs ? "  blob-dir $FOLDER/blobs\n" : "")</filestorage>"
        let text = """
            <zeo>
              address 127.0.0.1:\(port)
            \(options)
            </zeo>
            \(storage)
            <eventlog>
              level info
              <logfile>
                path $FOLDER/server.log
              </logfile>
            </eventlog>

            """
        try text.replacing("$FOLDER", with: folder.path).write(to: configuration, atomically: true, encoding: .utf8)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    public var configuration: URL { folder.appending(path: "zeo.conf") }
    public var dataFile: URL { folder.appending(path: "Data.fs") }
    public var processID: Int32 { process?.processIdentifier ?? 0 }
    public var isRunning: Bool { process?.isRunning ?? false }

    /// What it logged, and what it wrote to standard output and error.
    public var logText: String {
        ["server.log", "output"].map { name in
            (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
        }.joined(separator: "\n")
    }

    /// Starts it (again) on the same address and files.
    /// - Throws: `ZEOServerFailure` when it ends instead of answering, or does not answer within a minute.
    public func start() throws {
        let output = folder.appending(path: "output")
        if !FileManager.default.fileExists(atPath: output.path) { try Data().write(to: output) }
        let handle = try FileHandle(forWritingTo: output)
        try handle.seekToEnd()
        let process = Process()
        process.executableURL = BuiltProgram.zeoserver.url
        process.arguments = ["-C", configuration.path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        self.process = process
        try watch(process)
        for _ in 0..<1200 {
            if options.contains("<ssl>") {
                // Nobody without TLS is greeted.
                if logText.contains("listening at") { return }
            } else if let socket = ClientSocket(port: port), socket.read(count: 6).count == 6 {
                return
            }
            guard process.isRunning else { break }
            usleep(50_000)
        }
        let why = process.isRunning ? "does not answer" : "ended with status \(process.terminationStatus)"
        kill()
        throw ZEOServerFailure(text: "zeoserver \(why): \(logText)")
    }

    /// A shell that waits for the test's process to end, however it does, and then ends the server.
    private func watch(_ process: Process) throws {
        let lifeline = Pipe()
        let guardian = Process()
        guardian.executableURL = URL(filePath: "/bin/sh")
        guardian.arguments = ["-c", "read _; kill -9 \(process.processIdentifier)"]
        guardian.standardInput = lifeline
        guardian.standardError = FileHandle.nullDevice
        try guardian.run()
        (self.guardian, self.lifeline) = (guardian, lifeline)
    }

    /// Asks it to end (SIGTERM) and waits for that; its exit status.
    /// - Throws: `ZEOServerFailure` when it does not end within a minute, or by a signal.
    @discardableResult
    public func terminate() throws -> Int32 {
        guard let process else { return 0 }
        signal(SIGTERM)
        for _ in 0..<1200 where process.isRunning { usleep(50_000) }
        let late = process.isRunning
        kill()
        guard !late else { throw ZEOServerFailure(text: "zeoserver does not end on SIGTERM: \(logText)") }
        guard process.terminationReason == .exit else {
            throw ZEOServerFailure(text: "zeoserver ended by signal \(process.terminationStatus): \(logText)")
        }
        return process.terminationStatus
    }

    public func restart() throws {
        try terminate()
        try start()
    }

    /// At once (SIGKILL), as a crash would.
    public func kill() {
        if let guardian, guardian.isRunning {
            Foundation.kill(guardian.processIdentifier, SIGKILL)
            guardian.waitUntilExit()
        }
        signal(SIGKILL)
        process?.waitUntilExit()
        (process, guardian, lifeline) = (nil, nil, nil)
    }

    private func signal(_ number: Int32) {
        if let process, process.isRunning { Foundation.kill(process.processIdentifier, number) }
    }
}

public struct ZEOServerFailure: Error, CustomStringConvertible {
    public let text: String
    public var description: String { text }
}

public import Foundation

/// A ZEO server of a Python peer, serving scratch copies of files. Ends when it is released, or when the test does.
public final class PythonServer {
    public enum Address {
        case port(Int)
        case unixSocket(String)
    }

    public let peer: PythonPeer
    public let address: Address
    /// Everything of this server: the copies, the configuration, the log.
    public let folder: URL
    private let configuration: URL
    private var process: Process?
    private var lifeline: Pipe?

    /// Copies the files and serves each as a storage; waits until the server answers.
    /// - Parameters:
    ///   - files: storage name → file to copy; a file that does not exist becomes an empty database.
    ///   - socket: listen on a Unix socket, not a port.
    ///   - blobs: give each storage a directory for blobs.
    ///   - options: more lines for the `<zeo>` section.
    public init(
        _ peer: PythonPeer, serving files: [String: String], onUnixSocket socket: Bool = false,
        messagePack: Bool = false, blobs: Bool = false, host: String = "127.0.0.1", options: String = ""
    ) throws {
        self.peer = peer
        folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        address = socket ? .unixSocket(folder.appending(path: "zeo.sock").path) : .port(try FreePort.find())
        configuration = folder.appending(path: "zeo.conf")
        let listen: String
        switch address {
        case .port(let port): listen = "\(host):\(port)"
        case .unixSocket(let path): listen = path
        }
        var text = "<zeo>\n address \(listen)\n"
        // Servers before ZEO 5.1 do not know it.
        if messagePack { text += " msgpack true\n" }
        text += "\(options)\n</zeo>\n"
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let copy = folder.appending(path: "\(name).fs")
            if FileManager.default.fileExists(atPath: file) {
                try FileManager.default.copyItem(at: URL(filePath: file), to: copy)
            }
            let blobFolder = folder.appending(path: "\(name)-blobs").path
            // ZODB 3.8 lays a storage of blobs over one of records.
            if blobs, peer == .zodb38 { text += "<blobstorage \(name)>\n blob-dir \(blobFolder)\n" }
            text += "<filestorage\(blobs && peer == .zodb38 ? "" : " " + name)>\n path \(copy.path)\n"
            if blobs, peer != .zodb38 { text += " blob-dir \(blobFolder)\n" }
            text += "</filestorage>\n"
            if blobs, peer == .zodb38 { text += "</blobstorage>\n" }
        }
        text += "<eventlog>\n level info\n <logfile>\n  path \(log.path)\n </logfile>\n</eventlog>\n"
        try text.write(to: configuration, atomically: true, encoding: .utf8)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    public var log: URL { folder.appending(path: "server.log") }
    public var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// The address as the server's Python clients take it, in an expression.
    public var pythonAddress: String {
        switch address {
        case .port(let port): "('127.0.0.1', \(port))"
        case .unixSocket(let path): "'\(path)'"
        }
    }

    /// Starts it (again) on the same address and files.
    public func start() throws {
        let process = Process()
        process.executableURL = peer.python
        process.arguments = [
            URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/serve.py").path,
            configuration.path,
        ]
        let lifeline = Pipe()
        process.standardInput = lifeline
        let output = folder.appending(path: "output")
        try Data().write(to: output)
        let handle = try FileHandle(forWritingTo: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        self.process = process
        self.lifeline = lifeline
        for _ in 0..<3600 {
            if hasGreeted() { return }
            guard process.isRunning else { break }
            usleep(50_000)
        }
        kill()
        let said = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
        throw PythonFailure(text: "the server does not start: \(said) \(logText)")
    }

    /// At once, as a crash would: no farewell to clients.
    public func kill() {
        if let process, process.isRunning {
            signal(SIGKILL)
            process.waitUntilExit()
        }
        process = nil
        lifeline = nil
    }

    public var processID: Int32 { process?.processIdentifier ?? 0 }

    /// Stops it without ending it: it is connected, and answers nothing.
    public func pause() { signal(SIGSTOP) }

    public func resume() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        if let process, process.isRunning { Foundation.kill(process.processIdentifier, number) }
    }

    private func hasGreeted() -> Bool {
        // Nobody without TLS is greeted.
        let speaksTLS = (try? String(contentsOf: configuration, encoding: .utf8))?.contains("<ssl>") ?? false
        let socket: ClientSocket? =
            switch address {
            case .port(let port): ClientSocket(port: port)
            case .unixSocket(let path): ClientSocket(path: path)
            }
        guard let socket else { return false }
        return speaksTLS || socket.read(count: 6).count == 6
    }

    /// Runs Python that finds `storage` (a `ClientStorage` on this server's storage called `name`), `db`,
    /// `connection` and `root` ready, with `transaction` and `ZODB` imported; what it printed.
    @discardableResult
    public func client(storage name: String = "1", _ code: String) throws -> String {
        // ZODB 3.7 has no blobs, and no Python 3 to need a name for them.
        let blobs = peer == .zodb37 ? "" : ", blob_dir='\(folder.appending(path: "client-blobs").path)'"
        let indented = code.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        return try peer.run(
            """
            from __future__ import print_function
            import sys, ZODB, transaction
            from ZEO.ClientStorage import ClientStorage
            storage = ClientStorage(\(pythonAddress), storage='\(name)', wait_timeout=20\(blobs))
            db = ZODB.DB(storage)
            try:
                connection = db.open()
                root = connection.root()
            \(indented.joined(separator: "\n"))
            finally:
                transaction.abort()
                db.close()
            """)
    }
}

public import Foundation

/// A running Zope, client of some ZEO server. Ends when this is released, or when the test does.
public class ZopeInstance {
    /// Where the ZEO server listens, on 127.0.0.1.
    public let serverPort: Int
    /// Where Zope answers HTTP, on 127.0.0.1.
    public let port: Int
    private let folder: URL
    private let peer: PythonPeer
    private var process: Process?
    private var lifeline: Pipe?

    /// Waits until Zope answers.
    /// - Parameters:
    ///   - folder: a new folder of the instance.
    ///   - peer: the Zope: `.zope5` or `.zope213`.
    ///   - startsZope: with false it does not run until `start` is called.
    public init(
        in folder: URL, clientOf serverPort: Int, peer: PythonPeer = .zope5, startsZope: Bool = true
    ) throws {
        self.serverPort = serverPort
        self.folder = folder
        self.peer = peer
        port = try FreePort.find()
        let etc = folder.appending(path: "etc")
        try FileManager.default.createDirectory(at: etc, withIntermediateDirectories: true)
        try Self.componentConfiguration.write(
            to: etc.appending(path: "site.zcml"), atomically: true, encoding: .utf8)
        try """
        instancehome \(folder.path)
        debug-mode off
        \(peer == .zope213 ? ownServer : "")
        <zodb_db main>
         mount-point /
         <zeoclient>
          server 127.0.0.1:\(serverPort)
          storage 1
         </zeoclient>
        </zodb_db>

        """.write(to: configuration, atomically: true, encoding: .utf8)
        if startsZope { try start() }
    }

    deinit { stop() }

    private static let componentConfiguration = """
        <configure xmlns="http://namespaces.zope.org/zope">
          <include package="Products.Five"/>
        </configure>

        """

    /// Zope 2 has a web server of its own, which listens before anything is loaded unless it is told not to.
    private var ownServer: String {
        """
        zserver-threads 2
        <http-server>
         address 127.0.0.1:\(port)
         fast-listen off
        </http-server>
        """
    }

    private var configuration: URL { folder.appending(path: "etc/zope.conf") }
    private var output: URL { folder.appending(path: "output") }

    /// Starts Zope (again), as after a crash or an upgrade.
    /// - Throws: `PythonFailure` with what Zope said, when it does not start.
    public func start() throws {
        let process = Process()
        process.executableURL = peer.python
        let script = peer == .zope213 ? "zopesite213.py" : "zopesite.py"
        process.arguments = [
            URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/\(script)").path,
            configuration.path,
        ]
        if peer != .zope213 { process.arguments?.append(String(port)) }
        let lifeline = Pipe()
        process.standardInput = lifeline
        try Data().write(to: output)
        let handle = try FileHandle(forWritingTo: output)
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        self.process = process
        self.lifeline = lifeline
        for _ in 0..<3600 {
            if ClientSocket(port: port) != nil { return }
            guard process.isRunning else { break }
            usleep(50_000)
        }
        stop()
        throw PythonFailure(text: "Zope does not start: \(log)")
    }

    public func stop() {
        if let process, process.isRunning {
            Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        process = nil
        lifeline = nil
    }

    /// Zope's process; the same number before and after a repair says that nobody restarted it.
    public var processID: Int32 { process?.processIdentifier ?? 0 }
    public var isRunning: Bool { process?.isRunning ?? false }

    /// What Zope wrote on its output.
    public var log: String { (try? String(contentsOf: output, encoding: .utf8)) ?? "" }

    /// An answer to an HTTP request.
    public struct Answer: Sendable {
        public var status: Int
        public var headers: String
        public var body: String
    }

    public struct NoAnswer: Error, CustomStringConvertible {
        public var description: String
    }

    /// Asks for a page.
    /// - Parameters:
    ///   - path: as in a URL: `/manage_main`.
    ///   - user: name and password for basic authentication.
    ///   - host: the `Host` header, for virtual hosting.
    public func get(_ path: String, as user: (name: String, password: String)? = nil, host: String? = nil) throws
        -> Answer
    {
        var request = "GET \(path) HTTP/1.0\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\nConnection: close\r\n"
        if let user {
            let token = Data("\(user.name):\(user.password)".utf8).base64EncodedString()
            request += "Authorization: Basic \(token)\r\n"
        }
        request += "\r\n"
        guard let socket = ClientSocket(port: port) else { throw NoAnswer(description: "Zope is gone: \(log)") }
        let text = String(decoding: socket.exchange(Array(request.utf8)), as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        guard let head = parts.first, let word = head.split(separator: " ").dropFirst().first, let status = Int(word)
        else { throw NoAnswer(description: "no HTTP answer: \(text.prefix(200)) \(log)") }
        return Answer(status: status, headers: head, body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    /// The status of a page, asked for until it is `expected` or patience is at an end: the invalidation that tells
    /// Zope of a commit comes a moment after the commit's end.
    public func status(
        _ path: String, as user: (name: String, password: String)? = nil, host: String? = nil, becomes expected: Int
    ) throws -> Int {
        var status = 0
        for _ in 0..<400 {
            status = try get(path, as: user, host: host).status
            if status == expected { break }
            usleep(25_000)
        }
        return status
    }
}

/// A running Zope whose database is a copy of a file, served by a ZEO server of Python: what an administrator in trouble has.
///
/// Zope and the ZEO server are two processes, so that a repair is seen by Zope as any other client's commit is: by an
/// invalidation. Both end when this is released, or when the test does.
public final class ZopeSite: ZopeInstance {
    /// Serves the copy; the repair connects here.
    public let server: PythonServer

    /// Waits until Zope answers.
    /// - Parameters:
    ///   - file: a Data.fs with a Zope site in it; it is copied.
    ///   - peer: what serves it.
    ///   - zope: the Zope: `.zope5` or `.zope213`.
    ///   - startsZope: with false only the ZEO server runs, until `start` is called.
    public init(
        serving file: String, by peer: PythonPeer = .zope5, zope: PythonPeer = .zope5, messagePack: Bool = false,
        startsZope: Bool = true
    ) throws {
        server = try PythonServer(peer, serving: ["1": file], messagePack: messagePack)
        guard case .port(let serverPort) = server.address else { throw PythonFailure(text: "no port") }
        try super.init(
            in: server.folder.appending(path: "instance"), clientOf: serverPort, peer: zope, startsZope: startsZope)
    }
}

public import Foundation

/// The system's `sshd` on a port of its own, with keys of its own, for the user who runs the test; and an `ssh` that knows
/// it. Ends when it is released.
public final class SSHServer {
    public let folder: URL
    public let port: Int
    private var process: Process?
    private let lifeline = Pipe()

    private static let program = "/usr/sbin/sshd"

    /// Why there is none; nil when there is.
    public static let missing: String? = {
        guard FileManager.default.isExecutableFile(atPath: program),
            FileManager.default.isExecutableFile(atPath: "/usr/bin/ssh-keygen")
        else { return "there is no `sshd`: apt install openssh-server" }
        // Run by root it wants a directory that the system makes at its start.
        guard getuid() != 0 || FileManager.default.fileExists(atPath: "/run/sshd") else {
            return "`sshd` does not run here: there is no /run/sshd"
        }
        return nil
    }()

    public init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "ssh-\(UUID().uuidString.prefix(8))")
        port = try FreePort.find()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["host", "user", "stranger"] {
            try Self.run("/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path(name)])
        }
        try FileManager.default.copyItem(atPath: path("user.pub"), toPath: path("authorized"))
        let host = try String(contentsOfFile: path("host.pub"), encoding: .utf8)
        try write("[127.0.0.1]:\(port) \(host)", to: "known")
        try write(
            """
            ListenAddress 127.0.0.1
            Port \(port)
            HostKey \(path("host"))
            AuthorizedKeysFile \(path("authorized"))
            PidFile \(path("pid"))
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin yes

            """, to: "sshd.conf")
        for (name, key) in [("ssh.conf", "user"), ("stranger.conf", "stranger")] {
            try write(
                """
                IdentityFile \(path(key))
                IdentitiesOnly yes
                IdentityAgent none
                UserKnownHostsFile \(path("known"))
                StrictHostKeyChecking yes

                """, to: name)
        }
        try makeProgram("bin", "exec /usr/bin/ssh -F '\(path("ssh.conf"))' \"$@\"")
        try makeProgram("stranger-bin", "exec /usr/bin/ssh -F '\(path("stranger.conf"))' \"$@\"")
        try start()
    }

    deinit {
        // The shell around it ends it then.
        try? lifeline.fileHandleForWriting.close()
        process?.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    public func path(_ name: String) -> String { folder.appending(path: name).path }

    /// What to give as `--ssh`.
    public var destination: String { "\(NSUserName())@127.0.0.1:\(port)" }

    /// A `PATH` whose `ssh` is that of a folder.
    public func searchPath(_ name: String = "bin") -> String { "\(path(name)):/usr/bin:/bin" }

    /// A folder with an `ssh` of a script's making.
    public func makeProgram(_ name: String, _ script: String) throws {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        try write("#!/bin/sh\n\(script)\n", to: "\(name)/ssh")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path("\(name)/ssh"))
    }

    /// How many processes of ssh there are that use this server's files.
    public var clientCount: Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.filter { name in
            guard Int(name) != nil, let words = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            let text = String(decoding: words, as: UTF8.self)
            return text.contains("ssh\0") && (text.contains(path("ssh.conf")) || text.contains(path("bin/ssh")))
        }.count
    }

    private func start() throws {
        let process = Process()
        // Within a shell, which ends it when the test's process does, however that happens; and because sshd closes all
        // files that it is given, which Foundation takes for the end of a process.
        process.executableURL = URL(filePath: "/bin/sh")
        let script = "'\(Self.program)' -D -e -f '\(path("sshd.conf"))' < /dev/null & read _; kill -9 $!"
        process.arguments = ["-c", script]
        process.standardInput = lifeline
        process.standardOutput = FileHandle.nullDevice
        try write("", to: "sshd.log")
        process.standardError = try FileHandle(forWritingTo: folder.appending(path: "sshd.log"))
        try process.run()
        self.process = process
        for _ in 0..<1200 {
            if FreePort.isTaken(port) { return }
            guard process.isRunning else { break }
            usleep(50_000)
        }
        throw PythonFailure(text: (try? String(contentsOfFile: path("sshd.log"), encoding: .utf8)) ?? "sshd")
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw PythonFailure(text: "\(program) failed") }
    }
}

internal import NIOCore
internal import ZEOProtocol
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// One `ssh -W`: what it reads and writes is the connection to the server.
///
/// It lives no longer than we do: its input and output are one socket, whose other end is ours, and when that is closed
/// (by us, or because we were killed) ssh is at the end of its input and ends. Nothing listens meanwhile, and there is no
/// file to be left.
final class TunnelProcess: Sendable {
    /// Our end; whoever takes it closes it.
    let descriptor: Int32
    private let process: pid_t
    private let processes: TunnelProcesses
    /// What ssh said, in a file that has no name any more.
    private let said: Int32
    private let name: String

    /// - Parameters:
    ///   - mayAsk: whether ssh may use the terminal.
    /// - Throws: `ConnectionFailure.tunnel` when no process is to be had.
    init(
        _ tunnel: Tunnel, to endpoint: Endpoint, mayAsk: Bool, temporaryDirectory: String, _ processes: TunnelProcesses
    ) throws(ConnectionFailure) {
        name = tunnel.destination
        self.processes = processes
        func failure(_ what: String) -> ConnectionFailure {
            .tunnel(
                address: endpoint.description, through: tunnel.destination,
                "\(what): \(StorageError.io("", errno: errno).description.dropFirst(2))")
        }
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else { throw failure("no socket for ssh") }
        let (ours, theirs) = (ends[0], ends[1])
        defer { close(theirs) }
        guard let file = Self.namelessFile(in: temporaryDirectory) else {
            defer { close(ours) }
            throw failure("no file for what ssh says, in \(temporaryDirectory)")
        }
        var options = ["-o", "BatchMode=\(mayAsk ? "no" : "yes")"]
        if let port = tunnel.port { options += ["-p", String(port)] }
        let words = options + ["-W", endpoint.forSSH, "--", tunnel.destination]
        guard let process = Self.spawn(words, stream: theirs, errors: file) else {
            defer {
                close(ours)
                close(file)
            }
            throw failure("ssh cannot be started")
        }
        processes.add(process)
        (descriptor, said, self.process) = (ours, file, process)
    }

    convenience init(_ access: ServerAccess, to endpoint: Endpoint, mayAsk: Bool) throws(ConnectionFailure) {
        guard let tunnel = access.tunnel else { preconditionFailure("there is a tunnel to go through") }
        try self.init(
            tunnel, to: endpoint, mayAsk: mayAsk, temporaryDirectory: access.temporaryDirectory, access.processes)
    }

    deinit { close(said) }

    /// What ssh said, its last lines; empty when it said nothing.
    var text: String {
        let size = max(lseek(said, 0, SEEK_END), 0)
        var bytes = [UInt8](repeating: 0, count: Int(min(size, 2000)))
        let count = unsafe pread(said, &bytes, bytes.count, size - off_t(bytes.count))
        let lines = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split { $0.isNewline }
        return lines.suffix(4).map { LogText.printable(String($0)) }.joined(separator: "; ")
    }

    /// Makes the failure of a connection through ssh more precise: whether it is ssh's.
    func explain(_ failure: ConnectionFailure) -> ConnectionFailure {
        switch failure {
        case .silent(let address, let seconds):
            return .tunnel(address: address, through: name, "no connection within \(seconds) s\(suffix)")
        case .lost(let address, let why):
            let text = text
            return text.isEmpty ? .lost(address: address, why) : .tunnel(address: address, through: name, text)
        case .tls(let address, .closed):
            let text = text
            return text.isEmpty ? failure : .tunnel(address: address, through: name, text)
        default: return failure
        }
    }

    private var suffix: String { text.isEmpty ? "" : "; \(text)" }

    /// Ends when the connection does, and ends the connection when nobody is interested in it any more: ssh may be asking
    /// for a password, and whoever was asked has pressed Ctrl-C.
    func follow(_ channel: any Channel, while isWanted: @escaping @Sendable () -> Bool) {
        let loop = channel.eventLoop
        let task = loop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) { _ in
            if !isWanted() { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { [self] _ in
            task.cancel()
            reap(loop, isWanted: isWanted())
        }
    }

    /// There is no connection after all: ssh had ended before anybody could listen.
    /// - Returns: why, as far as ssh says it.
    func abandoned(_ loop: any EventLoop, _ failure: ConnectionFailure) -> ConnectionFailure {
        reap(loop, isWanted: false)
        return explain(failure)
    }

    /// The connection is over: sees to it that ssh ends as well, and that nothing is left of it in the system's list.
    private func reap(_ loop: any EventLoop, isWanted: Bool, attempt: Int = 0) {
        guard !processes.hasEnded(process) else { return }
        // At the end of its input it ends by itself, unless the other side does not notice, or it waits for a person.
        if attempt == (isWanted ? 40 : 0) { processes.signal(SIGTERM, process) }
        if attempt == 80 { processes.signal(SIGKILL, process) }
        loop.scheduleTask(in: .milliseconds(attempt < 100 ? 25 : 1000)) {
            self.reap(loop, isWanted: isWanted, attempt: attempt + 1)
        }
    }

    private static func namelessFile(in directory: String) -> Int32? {
        var template = Array("\(directory)/zeoshell-ssh-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unsafe unlink(template)
        return descriptor
    }

    /// Runs ssh. Ctrl-C and Ctrl-Z are for the shell and not for its tunnel, although both are in the same group of
    /// processes, without which ssh could not ask at the terminal.
    private static func spawn(_ words: [String], stream: Int32, errors: Int32) -> pid_t? {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, stream, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, stream, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, ended) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigemptyset(&ended)
        for number in [SIGPIPE, SIGTERM, SIGHUP] { unsafe sigaddset(&ended, number) }
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &ended)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        let script = "trap '' INT QUIT TSTP; exec ssh \"$@\""
        var strings: [UnsafeMutablePointer<CChar>?] = []
        for word in ["sh", "-c", script, "ssh"] + words { unsafe strings.append(strdup(word)) }
        unsafe strings.append(nil)
        defer { for string in unsafe strings { unsafe free(string) } }
        var process: pid_t = 0
        let number = unsafe posix_spawn(
            &process, "/bin/sh", &actions, &attributes, &strings, ChildEnvironment.entries())
        errno = number
        return number == 0 ? process : nil
    }
}

extension Endpoint {
    /// As `ssh -W` takes it.
    fileprivate var forSSH: String {
        switch self {
        case .host(let name, let port): name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
        case .unixSocket(let path): path
        }
    }
}

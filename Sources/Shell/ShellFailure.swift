internal import ByteCoding
internal import ObjectGraph
internal import Storages
public import ZODB

/// An error as a person or a script is told of it: where, what, and what to try.
public struct ShellFailure: Error, Hashable, Sendable {
    /// A stable word for scripts: `no-such-object`, `refused`, `usage`.
    public var code: String
    public var exitCode: ExitCode
    /// Where it happened: a path, an address, an oid; nil when the command says it all.
    public var place: String?
    public var what: String
    /// What to try next.
    public var advice: String?
    /// More for scripts: name and value, such as `oid` or `path`.
    public var details: [Detail]

    public struct Detail: Hashable, Sendable {
        public var name: String, value: String
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        _ code: String, _ exitCode: ExitCode, at place: String? = nil, _ what: String, advice: String? = nil,
        details: [Detail] = []
    ) {
        self.code = code
        self.exitCode = exitCode
        self.place = place
        self.what = what
        self.advice = advice
        self.details = details
    }

    /// Wrong usage of a command: exit code 2.
    public static func usage(_ what: String, advice: String? = nil) -> ShellFailure {
        ShellFailure("usage", .usage, what, advice: advice)
    }

    /// A path that leads nowhere: exit code 7.
    public static func noSuchPath(_ path: String, advice: String? = nil) -> ShellFailure {
        ShellFailure(
            "no-such-path", .data, at: path, "no such object", advice: advice, details: [Detail("path", path)])
    }

    /// The one form of a message: `zeoshell: CMD: WHERE: what (what to try)`.
    public func message(command: String?) -> String {
        let parts = ["zeoshell", command, place, what].compactMap { $0 }.joined(separator: ": ")
        return advice.map { "\(parts) (\($0))" } ?? parts
    }
}

extension ShellFailure {
    /// Any error that a command may throw.
    /// - Parameter place: where it happened, unless the error knows better.
    public init(_ error: any Error, at place: String? = nil) {
        switch error {
        case let failure as ShellFailure: self = failure
        case let error as StorageError: self.init(error, at: place)
        case let error as PathError: self.init(error, path: place ?? "path")
        case let error as EditError: self.init(error)
        case let error as AddressError:
            self.init("bad-address", .usage, at: error.text, error.problem, advice: error.advice)
        case let error as SyntaxError: self.init("usage", .usage, error.description, advice: "see 'help'")
        case let error as WhenError: self.init("usage", .usage, error.description, advice: "see 'help dates'")
        default: self.init("error", .data, at: place, "\(error)")
        }
    }

    public init(_ error: StorageError, at place: String? = nil) {
        switch error {
        case .noSuchObject(.root):
            self.init(
                "no-such-object", .data, at: place ?? ObjectID.root.path, "there is no root object",
                advice: "the database is empty, or something else: 'info' tells more",
                details: [Detail("oid", ObjectID.root.hex)])
        case .noSuchObject(let oid):
            self.init(
                "no-such-object", .data, at: place ?? oid.path, "no such object",
                advice: "it was deleted or packed away, or never was", details: [Detail("oid", oid.hex)])
        case .noRevision(let oid, let tid):
            self.init(
                "no-revision", .data, at: place ?? oid.path,
                "did not exist at \(TimeText.machine(tid)), transaction \(tid.hex)",
                advice: "look at a later time", details: [Detail("oid", oid.hex), Detail("tid", tid.hex)])
        case .noSuchTransaction(let tid):
            self.init(
                "no-such-transaction", .data, at: place ?? tid.hex, "no such transaction",
                advice: "'log' lists them; packing removes old ones", details: [Detail("tid", tid.hex)])
        case .noBlob(let oid, let serial, let why):
            self.init(
                "no-blob", .data, at: place ?? oid.path, "the blob's file is missing: \(why)",
                advice: "say where blobs are with --blob-dir DIR",
                details: [Detail("oid", oid.hex), Detail("tid", serial.hex)])
        case .unsupported(let what):
            self.init("unsupported", .refused, at: place, what, advice: "'info' tells what this storage is")
        case .corrupt(let what, let format):
            self.init(
                "corrupt", .data, at: place ?? what, place == nil ? format.description : "\(what): \(format)",
                advice: "'verify' tells what is damaged and what to do; a backup may have it whole",
                details: [Detail("offset", String(format.offset))])
        case .connection(let failure): self.init(failure)
        case .io(let what, let number):
            self.init("io", .environment, at: place, "\(StorageError.io(what, errno: number))", advice: nil)
            advice = Self.advice(errno: number)
        case .readOnly(let what):
            self.init(
                "read-only", .refused, at: place ?? what, "read-only: nothing can be written",
                advice: "start with --rw, or type: mode rw")
        case .conflict(let oid, let committed, let read):
            self.init(
                "conflict", .conflict, at: place ?? oid.path,
                "changed by transaction \(committed) after it had been read as of \(read)",
                advice: "nothing is lost: 'retry', 'diff' or 'abort'",
                details: [
                    Detail("oid", oid.hex), Detail("committed", committed.hex), Detail("read", read.hex),
                ])
        case .undoFailed(let tid, let obstacles):
            self.init(
                "undo-failed", .conflict, at: place ?? tid.hex,
                "cannot be undone: "
                    + obstacles.map { obstacle in
                        obstacle.oid.map { "\($0.path): \(obstacle.reason)" } ?? obstacle.reason
                    }.joined(separator: "; "),
                advice: "'undo --explain \(tid.hex)' tells what is in the way", details: [Detail("tid", tid.hex)])
        case .wrongState(let what): self.init("wrong-state", .data, at: place, what)
        case .locked(let what):
            self.init(
                "locked", .environment, at: place ?? what, "another process has it open for writing",
                advice: "connect to the server that serves it, or stop that first")
        case .interrupted: self.init("interrupted", .interrupted, at: nil, "interrupted")
        case .remote(let className, let message):
            let isConflict = className.hasSuffix("ConflictError")
            let isReadOnly = className.hasSuffix("ReadOnlyError")
            guard !isReadOnly else {
                self.init(
                    "read-only", .refused, at: place,
                    "the server does not let us write: it is read-only, or its roles let this client read alone",
                    advice: "without --rw it can be looked at; the server's log says who was refused, and why",
                    details: [Detail("class", className)])
                return
            }
            guard !className.hasSuffix("AuthError"), isConflict || !message.contains("no role lets this client") else {
                self.init(
                    "refused-by-server", .refused, at: place, "the server does not let us in: \(message)",
                    advice: "the <role> sections or logins of its configuration decide; on its machine, a Unix socket "
                        + "may be let in (address unix)", details: [Detail("class", className)])
                return
            }
            self.init(
                isConflict ? "conflict" : "remote", isConflict ? .conflict : .data, at: place,
                "the server raised \(className): \(message)", advice: "the server's log may say more",
                details: [Detail("class", className)])
        }
    }

    private init(_ failure: ConnectionFailure) {
        switch failure {
        case .login(let address, let failure): self.init(failure, at: address)
        case .tls(let address, let failure): self.init(failure, at: address)
        case .tunnel(let address, let host, let what):
            self.init(
                "ssh", .connection, at: address, "no way through ssh \(host): \(what)",
                advice: "'ssh \(host)' has to work by itself; without a terminal it needs a key and no question")
        case .refused(let address):
            self.init(
                "refused", .connection, at: address, "connection refused: nothing listens there",
                advice: "is the server running, and is this its port?")
        case .unreachable(let address, let why):
            self.init(
                "unreachable", .connection, at: address, "cannot connect: \(why)",
                advice: "check the host's name and the network")
        case .silent(let address, let seconds):
            self.init(
                "silent", .connection, at: address, "connected, but the server said nothing for \(number(seconds)) s",
                advice: "it may expect TLS (--tls, --cert FILE, --ca FILE), or hang; --timeout SECONDS waits longer")
        case .notZEO(let address, let received):
            self.init(
                "not-zeo", .connection, at: address, "not a ZEO server: it said \(received)",
                advice: "is this the port of the ZEO server? Zope's own port is another")
        case .versionRefused(let address, let theirs, let ours):
            self.init(
                "version-refused", .connection, at: address,
                "no common protocol version: the server speaks \(theirs), we offered \(ours)",
                advice: "zeoshell speaks every version from Z200 to Z5; the server's log may say what it wants")
        case .unknownStorage(let address, let name):
            self.init(
                "unknown-storage", .connection, at: address, "no storage named '\(name)' there",
                advice: name == "1"
                    ? "the server's configuration names it: try zeo://\(address)?storage=main"
                    : "most servers call theirs 1: try zeo://\(address)?storage=1",
                details: [Detail("storage", name)])
        case .lost(let address, let why):
            self.init(
                "connection-lost", .connection, at: address, "connection lost: \(why)",
                // Servers with TLS wait for us to begin, for a while.
                advice: why.hasSuffix("before the server's greeting")
                    ? "it may be restarting, or expect TLS (--tls, --cert FILE, --ca FILE)"
                    : "the server may be restarting: try again")
        case .away(let address, let since, let why):
            self.init(
                "away", .connection, at: address,
                "not in the cache, and the server is away, as was noticed \(TimeText.short(since, .system)) (\(why))",
                advice: "try again when it is back")
        case .protocolError(let address, let what):
            self.init(
                "protocol-error", .connection, at: address, "protocol error: \(what)",
                advice: "the server's log may say more")
        case .behind(let address, let last, let seen):
            self.init(
                "server-behind", .connection, at: address,
                "the server's last transaction is \(last.hex), older than \(seen.hex), which was seen before: "
                    + "it lags behind, or was restored from a backup",
                advice: "'connect \(address)' looks at what it has now",
                details: [Detail("last", last.hex), Detail("seen", seen.hex)])
        case .otherDatabase(let address, let why):
            self.init(
                "other-database", .connection, at: address, "another database: \(why)",
                advice: "the servers of a list have to serve the same one; 'connect \(address)' looks at this one")
        case .noneOf(let addresses, let causes):
            self.init(
                "no-server", .connection, at: addresses,
                "none can be used: " + causes.map(\.description).joined(separator: "; "), advice: "each says why")
            // Those that are away may return; what one that is there says, stays.
            if !failure.isAbsence, let refusal = causes.lazy.map(\.error).first(where: \.isRefusal) {
                let told = ShellFailure(refusal)
                (exitCode, advice) = (told.exitCode, told.advice)
            }
        }
        details.append(Detail("address", place ?? ""))
    }

    private static func advice(errno number: Int32) -> String? {
        switch number {
        case 2: "check the path"
        case 5: "the disk may be failing: copy what can be read, and work on the copy"
        case 17: "something of that name is there already"
        case 13: "its permissions, or those of its directory, do not let you: ask its owner, or work on a copy"
        case 21: "that is a directory: name the Data.fs in it"
        case 22: "a Data.fs is a regular file: this may be a pipe or a device"
        case 24: "too many files are open: ulimit -n tells how many may be"
        case 28: "the disk is full"
        default: nil
        }
    }
}

extension StorageError {
    /// Of one of several servers: it is there, and will not do for a reason of its own.
    fileprivate var isRefusal: Bool {
        switch self {
        case .readOnly, .connection(.behind): false
        default: !isAbsence
        }
    }
}

extension ObjectID {
    /// As a path names it: `#1a2b`.
    public var path: String { "#\(self)" }
}

/// `10`, not `10.0`.
private func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
}

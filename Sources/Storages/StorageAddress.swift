/// Text that names a storage: `db1:8800`, `[::1]:8800`, `/run/zeo.sock`, `Data.fs`, `zeo://…`, `file://…`,
/// `repozo:DIR`, `repozo:DIR@yesterday`.
///
/// The forms are tried in this order: URI, host and port, path. Whether a path is a file or a server's socket is seen
/// when it is opened. URIs are those of zodburi, so that what people have can be pasted.
///
/// Source: zodburi 3.0, `docs/index.rst` (the schemes and their keys).
public struct StorageAddress: Hashable, Sendable {
    public indirect enum Location: Hashable, Sendable {
        case server(host: String, port: Int)
        /// Several servers of one database, each a `server` or a `socket`; the first that will do is taken.
        case servers([Location])
        /// A Data.fs, or a server's Unix socket.
        case path(String)
        /// A server's Unix socket, said to be one.
        case socket(String)
        /// A Data.fs, said to be one.
        case file(String)
        /// A repository of backups.
        case backup(String)
    }

    public var location: Location
    /// Which of a server's storages; nil when the text does not say (`1` is what servers call theirs by default).
    public var storageName: String?
    /// The directory of a Data.fs's blobs, when the text says so.
    public var blobDirectory: String?
    /// How long to wait for a server, in seconds, when the text says so.
    public var timeout: Double?
    /// What else a URI says, by the names of the shell's options.
    public var settings: [ConfiguredSetting] = []
    /// A URI says that nothing is to be written.
    public var isReadOnly = false
    /// Which state of a backup, as it was written behind an `@`: a time, or a transaction.
    public var moment: String?

    public init(
        _ location: Location, storageName: String? = nil, blobDirectory: String? = nil, timeout: Double? = nil
    ) {
        self.location = location
        self.storageName = storageName
        self.blobDirectory = blobDirectory
        self.timeout = timeout
    }

    /// The port that zodburi takes when a `zeo://` address names none.
    public static let defaultPort = 9991
}

/// A text that names no storage: the text, what is wrong with it, and what to write instead.
public struct AddressError: Error, Hashable, Sendable, CustomStringConvertible {
    public var text: String
    public var problem: String
    public var advice: String

    public init(_ text: String, _ problem: String, advice: String) {
        self.text = text
        self.problem = problem
        self.advice = advice
    }

    public var description: String { "\(text): \(problem) (\(advice))" }
}

extension StorageAddress: CustomStringConvertible {
    /// `db1:8800`, `/run/zeo.sock`, `Data.fs`: the place alone.
    public var description: String {
        switch location {
        case .backup(let path): "repozo:" + path + (moment.map { "@" + $0 } ?? "")
        default: location.text
        }
    }

    /// What a prompt calls it: the file's name, or host and port.
    public var shortName: String {
        switch location {
        case .server: description
        case .servers(let servers): (servers.first?.text ?? "") + ",…"
        case .path(let path), .socket(let path), .file(let path), .backup(let path):
            (path.split(separator: "/").last.map(String.init) ?? path) + (moment.map { "@" + $0 } ?? "")
        }
    }
}

extension StorageAddress {
    /// The path of the Data.fs that it names; nil when it names a server, by a socket's path as well, or a backup.
    public var dataFile: String? {
        switch location {
        case .server, .servers, .socket, .backup: nil
        case .file(let path): path
        case .path(let path): FileKind(ofPath: path) == .socket ? nil : path
        }
    }
}

extension StorageAddress.Location {
    /// As it is typed.
    var text: String {
        switch self {
        case .server(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .servers(let servers): servers.map(\.text).joined(separator: ",")
        case .path(let path), .socket(let path), .file(let path), .backup(let path): path
        }
    }

    /// The servers one by one; a place of another kind as it is.
    public var members: [StorageAddress.Location] {
        if case .servers(let servers) = self { servers.flatMap(\.members) } else { [self] }
    }
}

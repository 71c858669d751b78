internal import Pickle
public import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What this user's shells have committed: JSON lines in `$XDG_STATE_HOME/zeoshell/journal`, which only the user may
/// read. A line before a commit and one after it: a crash between the two leaves the first alone, as evidence.
///
/// It holds what `log` and `status` tell, and the lines typed; no values of the database, no secrets.
public struct Journal: Sendable {
    public let path: String

    /// - Returns: nil when the environment names no place for it.
    public init?(_ environment: Environment) {
        guard let directory = environment.stateDirectory() else { return nil }
        path = directory + "/zeoshell/journal"
    }

    /// A commit that is about to be tried.
    public struct Intent: Sendable {
        /// Unique; also in the transaction's extension.
        public var mark: String
        public var address: String
        /// What the database is called; nil when it has no name besides its address.
        public var service: String?
        public var metadata: TransactionMetadata
        /// What makes it: the lines typed.
        public var lines: [String]
        public var objects: [Object]

        public init(
            mark: String, address: String, service: String? = nil, metadata: TransactionMetadata, lines: [String],
            objects: [Object]
        ) {
            (self.mark, self.address, self.service) = (mark, address, service)
            (self.metadata, self.lines, self.objects) = (metadata, lines, objects)
        }
    }

    /// An object that is written, and the revision that it had: what an undo goes back to.
    public struct Object: Hashable, Sendable {
        public var oid: ObjectID
        public var path: String
        public var className: String?
        /// `.none` for a new object.
        public var before: TransactionID

        public init(oid: ObjectID, path: String, className: String?, before: TransactionID) {
            (self.oid, self.path, self.className, self.before) = (oid, path, className, before)
        }
    }

    /// How a commit ended.
    public enum Outcome: Hashable, Sendable {
        case committed(TransactionID)
        /// Nothing was written, and why.
        case failed(String)
        /// The connection was lost at the end.
        case inDoubt(String)
    }

    /// More objects than that are counted, not listed.
    static let objectLimit = 10_000

    public func begin(_ intent: Intent) throws(StorageError) {
        var json = head(intent.mark, event: "begin")
        json.key("address")
        json.string(intent.address)
        if let service = intent.service {
            json.key("service")
            json.string(service)
        }
        json.key("user")
        json.string(String(decoding: intent.metadata.user, as: UTF8.self))
        json.key("description")
        json.string(String(decoding: intent.metadata.description, as: UTF8.self))
        json.key("lines")
        json.beginArray()
        for line in intent.lines { json.string(line) }
        json.endArray()
        json.key("count")
        json.integer(intent.objects.count)
        json.key("objects")
        json.beginArray()
        for object in intent.objects.prefix(Self.objectLimit) { write(object, to: &json) }
        json.endArray()
        json.endObject()
        try append(json.text)
    }

    public func end(_ mark: String, _ outcome: Outcome) throws(StorageError) {
        var json: Pickle.JSONText
        switch outcome {
        case .committed(let tid):
            json = head(mark, event: "committed")
            json.key("tid")
            json.string(tid.hex)
        case .failed(let why):
            json = head(mark, event: "failed")
            json.key("why")
            json.string(why)
        case .inDoubt(let why):
            json = head(mark, event: "in-doubt")
            json.key("why")
            json.string(why)
        }
        json.endObject()
        try append(json.text)
    }

    private func head(_ mark: String, event: String) -> Pickle.JSONText {
        var json = Pickle.JSONText()
        json.beginObject()
        json.key("id")
        json.string(mark)
        json.key("event")
        json.string(event)
        json.key("time")
        json.string(TransactionID(unixTime: wallClock()).map(TimeText.machine) ?? "")
        return json
    }

    private func write(_ object: Object, to json: inout Pickle.JSONText) {
        json.beginObject()
        json.key("oid")
        json.string(object.oid.hex)
        json.key("path")
        json.string(object.path)
        if let name = object.className {
            json.key("class")
            json.string(name)
        }
        json.key("before")
        if object.before == .none { json.null() } else { json.string(object.before.hex) }
        json.endObject()
    }

    /// One line, by one write: two shells do not mix theirs.
    private func append(_ text: String) throws(StorageError) {
        FilePaths.makeDirectories(of: path)
        let descriptor = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .io(path, errno: errno) }
        defer { close(descriptor) }
        // A line that a crash cut off must not swallow ours.
        var last = UInt8(ascii: "\n")
        let size = lseek(descriptor, 0, SEEK_END)
        if size > 0 { _ = pread(descriptor, &last, 1, size - 1) }
        let bytes = Array(((last == UInt8(ascii: "\n") ? "" : "\n") + text + "\n").utf8)
        guard systemWrite(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw .io(path, errno: errno)
        }
    }
}

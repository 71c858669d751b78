internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// Whose objects a cache file holds.
public struct CacheSource: Hashable, Sendable {
    /// The server's address, and by which way it is reached where that decides what the address means.
    public var server: String
    /// Which of its storages.
    public var storage: String

    public init(server: String, storage: String) {
        self.server = server
        self.storage = storage
    }

    /// Whether both are of one storage of one server; a list of servers, with commas, is of each of them.
    ///
    /// By the addresses as they are spelled, but for capitals in names. Nobody is asked what a name means: this decides what is
    /// read while a server is away, when names may have another meaning, or none. Two spellings of one server cost a comparison
    /// at the next connection; two servers taken for one would show another database.
    func sharesServer(with other: CacheSource) -> Bool {
        storage == other.storage && !addresses.isDisjoint(with: other.addresses)
    }

    private var addresses: Set<String> {
        Set(server.split(separator: ",").map { $0.hasPrefix("/") ? String($0) : $0.lowercased() })
    }
}

/// What ZEO's format has no room for, in a small file beside the cache, `NAME.note`: whose objects they are, and in what
/// state the cache was left.
///
///     zeoshell cache note
///     server db1:8800
///     storage 1
///     open 1b4e28ba-…            while a process has it: the start of the machine that this was in
///     closed 040d27… 4711        since: the head's tid, and the place
///
/// While the machine runs, writes reach the file in order, and a process that is killed leaves nothing wrong. When the
/// machine stops, they may have reached the disk in any order: a cache that was open at another start of the machine is not
/// believed. Python's clients know nothing of the note; what they did in between shows by what it says of the close.
struct CacheNote: Hashable {
    enum State: Hashable {
        case open(boot: String)
        case closed(TransactionID, place: Int)
    }

    var source: CacheSource
    var state: State

    static func path(for cache: String) -> String { cache + ".note" }

    private static let title = "zeoshell cache note"
    private static let longest = 4096

    /// The note beside a cache; nil when there is none, or it cannot be understood.
    init?(beside cache: String) {
        guard let file = try? DataFile(Self.path(for: cache)),
            let bytes = try? file.bytes(at: 0, count: Self.longest)
        else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self))
    }

    init(_ source: CacheSource, _ state: State) { (self.source, self.state) = (source, state) }

    init?(_ text: String) {
        // The last line is complete, or the note was being written.
        guard text.hasSuffix("\n") else { return nil }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
        guard text.hasPrefix(Self.title + "\n"), lines.count == 4, lines.allSatisfy({ $0.count == 2 }),
            lines[1][0] == "server", lines[2][0] == "storage"
        else { return nil }
        source = CacheSource(server: lines[1][1], storage: lines[2][1])
        switch lines[3][0] {
        case "open": state = .open(boot: lines[3][1])
        case "closed":
            let words = lines[3][1].split(separator: " ")
            guard words.count == 2, let tid = UInt64(words[0], radix: 16), let place = Int(words[1]) else { return nil }
            state = .closed(TransactionID(rawValue: tid), place: place)
        default: return nil
        }
    }

    var text: String {
        let line =
            switch state {
            case .open(let boot): "open \(boot)"
            case .closed(let tid, let place): "closed \(tid.hex) \(place)"
            }
        func plain(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }
        return "\(Self.title)\nserver \(plain(source.server))\nstorage \(plain(source.storage))\n\(line)\n"
    }

    /// Returns when it would survive a power cut.
    func write(beside cache: String) throws(StorageError) {
        let path = Self.path(for: cache)
        let temporary = path + ".new"
        let file = try DataFile(temporary, .making(permissions: 0o600))
        try file.write(Array(text.utf8), at: 0)
        try file.sync()
        try Directories.rename(temporary, to: path)
        try Directories.sync(Directories.parent(of: path))
    }

    /// This start of the machine; nil where the system does not tell.
    static func boot() -> String? {
        guard let file = try? DataFile("/proc/sys/kernel/random/boot_id"),
            let bytes = try? file.bytes(at: 0, count: 64), !bytes.isEmpty
        else { return nil }
        return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    }
}

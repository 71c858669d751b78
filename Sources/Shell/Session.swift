internal import ObjectGraph
public import Storages
public import ZODB

/// What lasts from one command to the next: the storage, the moment looked at, the place, the settings.
///
/// One thread's; not Sendable.
public final class Session {
    public enum Mode: Sendable {
        /// Someone types.
        case interactive
        /// Lines from a file, a pipe, or `-c`.
        case script
        /// One command from the system's shell.
        case oneShot
    }

    /// What `\x`, `timing` and their like change.
    public struct Settings: Sendable {
        public var format: OutputFormat?
        public var showsTiming = false
        public var color = ColorChoice.auto
        public var usesUTC = false
        public var isWide = false
        /// No remarks, no progress.
        public var isQuiet = false
        /// How many rows are shown; 0: all; nil: what fits the place.
        var limit: Int?
        var progress = ProgressChoice.auto
    }

    public let mode: Mode
    public let terminal: Terminal
    public let environment: Environment
    public let interruption: Interruption
    public let progress: Progress
    public var settings = Settings()
    /// `$name` in lines.
    public var variables: [String: String] = [:]

    /// What the open storage was opened by.
    public private(set) var address: StorageAddress?
    private(set) var openingOptions = OpeningOptions()
    /// The entry of the services file that named it.
    private(set) var service: Service?
    private var opened: (any Storage)?
    private let opener: Opener

    /// How an address becomes a storage: `openStorage`, or a test's own.
    public typealias Opener = (StorageAddress, OpeningOptions, Interruption) throws -> any Storage

    /// The last transaction that commands see: the newest when the storage was opened or last refreshed.
    public private(set) var snapshot = TransactionID.none
    /// A moment of the past to look at instead; nil for the snapshot.
    public var past: TransactionID?
    /// What commands read: everything up to this transaction.
    /// With edits staged, the snapshot as they leave it.
    public var at: TransactionID { past ?? openWorkspace?.stagedView ?? snapshot }
    /// What the user has been told of the server.
    var serverRemarks = ServerRemarks()
    /// The snapshot is what a cache knew while the server was away.
    private var isSnapshotOfCache = false
    /// The server was away when the storage was opened, so that nothing of this session need be its newest state.
    private(set) var beganAway = false
    /// A command was answered from a cache.
    private(set) var wasAway = false
    /// What others have committed since the snapshot, oldest first.
    public private(set) var news: [Invalidation] = []

    /// Where we are, for the prompt.
    public var path = "/"
    /// Where we are, and where we were; nil before anybody went anywhere. `go(to:)` sets both.
    var place: Place?
    var previous: Location?
    /// The objects of the open storage, once somebody asked for `workspace`.
    var openWorkspace: Workspace?

    /// The edits that are staged, and what is known of them.
    var transaction = OpenTransaction()
    /// Of the workspace's rereadings, the one that all belongs to of which the command under way makes its edits.
    var reading = 0
    /// A script's edits need no `begin` before them.
    public var beginsByItself = false
    /// nil when nobody can be asked.
    public var questions: Questions?
    /// Where commits are noted; nil when the environment names no place.
    let journal: Journal?
    /// What the open database was called by; nil when it was opened by its address itself.
    var destination: NamedDatabase?
    /// What holds for the database that is open; nil before anything was opened by words.
    var setUp: SetUp?
    /// The same of the one that was asked for last, whether or not it could be opened.
    var asked: SetUp?
    /// The words of the one command.
    var typedWords: [String] = []
    /// The line being run: as typed, and taken apart.
    var line: String?
    var inputLine = InputLine()
    /// Seconds since 1970.
    var now: () -> Double = wallClock

    /// Completes a path. Returns names, and whether there are more.
    public var completePath: PathCompleter?
    public typealias PathCompleter = (_ prefix: String, _ limit: Int) -> (names: [PathCandidate], isPartial: Bool)

    /// A path that continues what was typed.
    public struct PathCandidate: Hashable, Sendable {
        /// The whole path as it would be typed, not quoted.
        public var path: String
        /// Its last part, for the list.
        public var name: String
        public var note: String
        /// More may follow after a slash.
        public var isContainer: Bool

        public init(path: String, name: String, note: String = "", isContainer: Bool) {
            self.path = path
            self.name = name
            self.note = note
            self.isContainer = isContainer
        }
    }

    /// Set by `quit`.
    public var isFinished = false
    /// The lines entered so far, oldest first.
    public var history: () -> [String] = { [] }
    /// Runs the lines of a script in this session; set by whoever runs lines.
    public var runScript: ((_ path: String) throws -> Void)?
    /// Runs a line at a moment of the past, for its answer alone; set by whoever runs lines.
    var probe: Prober?
    typealias Prober = (_ line: String, _ at: TransactionID) throws -> Probe

    public init(
        mode: Mode, terminal: Terminal, environment: Environment, interruption: Interruption, progress: Progress,
        opener: @escaping Opener
    ) {
        self.mode = mode
        self.terminal = terminal
        self.environment = environment
        self.interruption = interruption
        self.progress = progress
        self.opener = opener
        journal = Journal(environment)
        completePath = { [unowned self] typed, limit in PathCompletion(self).complete(typed, limit: limit) }
    }

    deinit { opened?.close() }
}

extension Session {
    /// The open storage.
    /// - Throws: `ShellFailure` when none is open.
    public var storage: any Storage {
        get throws {
            guard let opened else {
                throw ShellFailure("not-connected", .usage, "no storage is open", advice: "connect ADDRESS")
            }
            return opened
        }
    }

    /// The open storage, as one that can do more.
    /// - Parameter what: what is asked for, in words: `list transactions`.
    /// - Throws: `ShellFailure` when it cannot.
    public func storage<Capability>(as type: Capability.Type, to what: String) throws -> Capability {
        let storage = try storage
        guard let capable = storage as? Capability else {
            throw ShellFailure(
                "unsupported", .refused, at: storage.name, "this storage cannot \(what)",
                advice: "'info' tells what it is")
        }
        return capable
    }

    /// Opens a storage in place of the one that is open.
    public func open(_ address: StorageAddress, _ options: OpeningOptions) throws {
        try open(address, options, service: nil)
    }

    /// - Throws: `ShellFailure` when it cannot be opened as asked, or edits are staged: nothing has changed then.
    func open(_ address: StorageAddress, _ options: OpeningOptions, service: Service?) throws {
        try requireNothingStaged("opening another database")
        try replaceStorage(address, options)
        (self.service, destination) = (service, nil)
        transaction = OpenTransaction()
        past = nil
        path = "/"
        (place, previous) = (nil, nil)
    }

    /// Takes note of an address without opening it.
    func aim(at address: StorageAddress, _ options: OpeningOptions) {
        (self.address, openingOptions) = (address, options)
    }

    /// The open storage; what was only aimed at is opened now.
    /// - Throws: `ShellFailure`, or what opening throws.
    func openAimed() throws -> any Storage {
        if let opened { return opened }
        guard let address else { return try storage }
        try replaceStorage(address, openingOptions)
        return try storage
    }

    /// Where the address, which need not be open, keeps its blobs.
    var blobDirectory: String? { address?.blobDirectory ?? openingOptions.blobDirectory }

    /// Opens the same storage again, to write or to read only. The place stays.
    func reopen(writable: Bool) throws {
        guard let address else { throw ShellFailure("not-connected", .usage, "no storage is open") }
        var options = openingOptions
        options.isWritable = writable
        options.isOverlay = false
        try replaceStorage(address, options)
    }

    private func replaceStorage(_ address: StorageAddress, _ options: OpeningOptions) throws {
        var options = options
        options.moment = try moment(of: address)
        let storage = try opener(address, options, interruption)
        let last: TransactionID
        do {
            last = try storage.lastTransaction()
            let isWritable = (storage as? any WritableStorage)?.isWritable == true
            let awaitsServer = (storage as? any FailoverStorage)?.awaitsWritableServer == true
            guard !options.isWritable || options.isOverlay || isWritable || awaitsServer else {
                throw ShellFailure(
                    "read-only", .refused, at: storage.name, "this storage can only be read", advice: "leave --rw out")
            }
        } catch {
            storage.close()
            throw error
        }
        opened?.close()
        opened = storage
        (self.address, openingOptions) = (address, options)
        serverRemarks = ServerRemarks()
        snapshot = last
        isSnapshotOfCache = absence != nil
        beganAway = isSnapshotOfCache
        news = []
        openWorkspace = nil
    }

    /// Which state of a backup an address means; nil where it says none.
    private func moment(of address: StorageAddress) throws -> TransactionID? {
        guard let text = address.moment else { return nil }
        guard let tid = try whenParser.parse(text).transaction() else {
            throw ShellFailure.usage("'\(text)' depends on an object", advice: "a time, or a transaction")
        }
        return tid
    }

    /// The objects of another database, for reading; it stays open until the transaction ends: blobs are read then.
    func foreignWorkspace(_ text: String) throws -> Workspace {
        var (address, options) = try reading(text)
        options.moment = try moment(of: address)
        // What is copied from there is compared with nothing when it is committed: it has to be the server's.
        options.cache = nil
        let storage = try opener(address, options, interruption)
        transaction.others.append(ClosedAtEnd(storage))
        return try Workspace(storage, interruption: interruption)
    }

    /// Closes the storage, if one is open.
    public func close() {
        opened?.close()
        opened = nil
        address = nil
        openWorkspace = nil
    }

    /// Takes note of what others committed; does not wait, and does not move the snapshot.
    /// - Returns: what is new since the last call.
    @discardableResult
    public func poll() throws -> [Invalidation] {
        guard let shared = opened as? any SharedStorage else { return [] }
        let fresh = try shared.poll().filter { $0.tid > snapshot }
        news += fresh
        noteConflicts(fresh)
        return fresh
    }

    /// Moves the snapshot to what is newest, and back from the past.
    /// - Returns: what others committed in between.
    public func refresh() throws -> [Invalidation] {
        // A round trip: whatever the server had committed by now has then been announced to us.
        if let remote = opened as? any RemoteStorage { _ = try remote.ping() }
        try poll()
        let seen = news
        try move(to: try storage.lastTransaction())
        return seen
    }

    /// Makes `tid` the snapshot: after a refresh, after a commit of our own. Staged edits stay, on top of it.
    func move(to tid: TransactionID) throws {
        snapshot = tid
        isSnapshotOfCache = absence != nil
        news = []
        past = nil
        if !(openWorkspace?.hasStagedChanges ?? false) { transaction.conflicts = [:] }
        try openWorkspace?.move(to: tid)
    }

    /// Takes note of where the answer to a command came from.
    func noteAnswer() { wasAway = wasAway || isSnapshotOfCache || absence != nil }

    /// Whether the storage can be asked right now; false while a connection is lost.
    public var isConnected: Bool { (opened as? any RemoteStorage)?.isConnected ?? (opened != nil) }

    /// Points in time, as the user of this session writes them.
    public var whenParser: WhenParser { WhenParser(now: wallClock(), zone: settings.usesUTC ? .utc : .system) }

    /// The value of `$name`: `--set`, else the environment's `ZEOSHELL_VAR_name`.
    public func variable(_ name: String) -> String? { variables[name] ?? environment["ZEOSHELL_VAR_" + name] }
}

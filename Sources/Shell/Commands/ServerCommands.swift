internal import ArgumentParser
internal import Storages
internal import ZODB

struct ServerInfoCommand: ShellCommand {
    static let name = "server"
    static let summary = "what the server is, what it does, and what it cannot do"
    static let synopsis = "[--monitor HOST:PORT]"
    static let group = CommandGroup.server
    static let discussion = """
        What a server tells of itself, which depends on its age: figures of its work from ZODB 3.10 on, the names of its
        other storages from ZEO 4.2 on, its process and uptime where it is a zeoserver. What it does not have is said in
        words. Loads, commits and conflicts are counted since it began.
        --monitor asks the address that older servers have for that (monitor-address, up to ZEO 4), or with http:// a
        zeoserver's http-address; both speak without a login, and also while the storage does not answer.
        """
    static let examples = [
        CommandExample("server", "all of it"),
        CommandExample("zeoshell server db1:8800 -o json | jq .lock_seconds", "one figure, for a script"),
        CommandExample("zeoshell server db1:8800 --monitor db1:8801", "with the figures of an old server's monitor"),
    ]

    @Option(help: ArgumentHelp("HOST:PORT of its monitor, or http://HOST:PORT.", valueName: "address"))
    var monitor: String?

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(
            as: (any ServerStorage).self, to: "be asked about its server: it is no server")
        var status = try storage.serverStatus(within: Self.patience)
        let storages = try storage.serverStorages(within: Self.patience)
        if let monitor {
            let reading = try MonitorReading(monitor, session)
            try reading.complete(&status)
        }
        let last = try storage.lastTransaction()
        var facts = ServerFields(status, now: session.now())
        if status.figures.lockSince != nil { facts.lockHolder = storage.lockHolder }
        return .record(facts.all(storages: storages, last: last, session))
    }

    static let patience = Duration.seconds(60)
}

/// A server's status as facts.
struct ServerFields {
    private typealias Field = Report.Field
    private let status: ServerStatus
    private let now: Double
    var lockHolder: String?

    /// - Parameter now: seconds since 1970.
    init(_ status: ServerStatus, now: Double) { (self.status, self.now) = (status, now) }

    func all(storages: [String]?, last: TransactionID, _ session: Session) -> [Report.Field] {
        var fields = [
            Field("address", .text(session.address?.description ?? status.storage)),
            Field("software", .text(status.software)), Field("dialect", .text(status.dialect)),
        ]
        if let python = status.python { fields.append(Field("python", .integer(python.rawValue))) }
        fields.append(Field("storage", .text(status.storage)))
        if let storages { fields.append(Field("storages", .list(storages.map { .text($0) }))) }
        fields.append(Field("storage_name", title: "file", .text(status.information.storageName)))
        if let count = status.information.objectCount { fields.append(Field("objects", .integer(count))) }
        if let size = status.information.size { fields.append(Field("size", .size(size))) }
        fields.append(Field("last_tid", title: "last tid", .tid(last)))
        fields.append(Field("last_time", title: "last commit", last == .none ? .none : .time(last)))
        if let versions = status.versions { fields.append(Field("versions", .list(versions.map { .text($0) }))) }
        if let permissions = status.permissions, !permissions.isEmpty {
            fields.append(Field("permissions", title: "we may", .text(permissions)))
        }
        fields += work
        if let lacks = lacks { fields.append(lacks) }
        return fields
    }

    /// What its clients do.
    var work: [Report.Field] {
        let figures = status.figures
        var fields: [Field] = []
        if let start = status.start { fields.append(Field("start", title: "started (its clock)", .text(start))) }
        if let uptime = status.uptime { fields.append(Field("uptime", .seconds(uptime))) }
        func add(_ name: String, title: String? = nil, _ value: Int?) {
            if let value { fields.append(Field(name, title: title, .integer(value))) }
        }
        add("clients", figures.clients)
        add("verifying", figures.verifying)
        add("active_transactions", title: "active transactions", figures.activeTransactions)
        add("waiting", title: "waiting for the lock", figures.waiting)
        if let seconds = lockSeconds { fields.append(Field("lock_seconds", title: "lock held for", .seconds(seconds))) }
        if let lockHolder { fields.append(Field("lock_holder", title: "by", .text(lockHolder))) }
        if let watches = figures.watchesLock {
            fields.append(
                Field("lock_watched", title: "lock watched", watches ? .boolean(true) : .alert("the thread is dead")))
        }
        add("loads", figures.loads)
        add("stores", figures.stores)
        add("commits", figures.commits)
        add("aborts", figures.aborts)
        add("conflicts", figures.conflicts)
        add("conflicts_resolved", title: "conflicts resolved", figures.conflictsResolved)
        if let pack = status.pack { fields.append(Field("pack", .text(pack))) }
        if let process = status.process {
            add("process", process.id)
            if let seconds = process.processorSeconds {
                fields.append(Field("processor_seconds", title: "processor time", .seconds(seconds)))
            }
            if let bytes = process.residentBytes { fields.append(Field("memory", .size(bytes))) }
            if let files = process.openFiles {
                let limit = process.fileLimit.map { " of \($0)" } ?? ""
                fields.append(
                    Field("open_files", title: "open files", .value(text: "\(files)\(limit)", json: String(files))))
            }
        }
        return fields
    }

    /// By our clock, which may go otherwise than the server's.
    private var lockSeconds: Double? { status.figures.lockSince.map { max(0, now - $0) } }

    private var lacks: Report.Field? {
        guard !status.lacks.isEmpty else { return nil }
        return Field("lacks", title: "it has", .list(status.lacks.map { .text($0) }))
    }
}

extension ServerStorage {
    /// Who has the commit lock: `zope1 10.0.0.7:41022`; nil where nobody has, or the server does not tell.
    var lockHolder: String? {
        guard let clients = try? serverClients(within: .seconds(10)),
            let holder = clients.first(where: { $0.commit == .holding })
        else { return nil }
        return [holder.label, holder.address].compactMap { $0 }.joined(separator: " ")
    }
}

struct ClientsCommand: ShellCommand {
    static let name = "clients"
    static let summary = "who is connected to the server"
    static let group = CommandGroup.server
    static let discussion = """
        A zeoserver tells who its clients are: where from, what they call themselves, what they speak, since when, what they
        have loaded and committed, and who has the commit lock or waits for it. Where there are roles, admin may ask.
        Python's servers tell how many clients there are, from ZODB 3.10 on, and nothing else: then that is shown. Their log
        has the rest.
        """
    static let examples = [
        CommandExample("clients", "who is connected, oldest first"),
        CommandExample(
            "zeoshell clients db1:8800 -o jsonl | jq -r 'select(.commit == \"holding\") | .label'", "who has the lock"),
    ]

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any ServerStorage).self, to: "have clients: it is no server")
        let clients = Result { () throws(StorageError) in
            try storage.serverClients(within: ServerInfoCommand.patience)
        }
        switch clients {
        case .success(let clients): return .table(Self.columns, clients.map(Self.row))
        case .failure(.unsupported(let what)): return try count(storage, what, session)
        case .failure(let error): throw error
        }
    }

    /// How many there are is what other servers tell, if anything.
    private func count(_ storage: any ServerStorage, _ what: String, _ session: Session) throws -> Report {
        let status = try storage.serverStatus(within: ServerInfoCommand.patience)
        guard !status.figures.isEmpty else {
            throw ShellFailure(
                "unsupported", .refused, at: storage.name, what + ", nor how many there are",
                advice: "'server --monitor HOST:PORT' asks its monitor-address, where it has one")
        }
        return Report(.record(ServerFields(status, now: session.now()).work)) {
            Report.Conclusion(messages: [
                Report.Message("\(what), only how many there are, this one included; its log names them")
            ])
        }
    }

    private static let columns = [
        Report.Column("number", title: "no", tone: .dim), Report.Column("label", tone: .name, isFlexible: true),
        Report.Column("address", isFlexible: true), Report.Column("user", visibility: .detail),
        Report.Column("dialect"), Report.Column("age"), Report.Column("loads"), Report.Column("commits"),
        Report.Column("read_only", title: "ro", visibility: .detail),
        Report.Column("in_transaction", visibility: .detail),
        Report.Column("commit", title: "lock"), Report.Column("bytes_waiting", visibility: .detail),
        Report.Column("is_us", visibility: .detail),
    ]

    private static func row(_ client: ServerClient) -> [Cell] {
        func text(_ text: String?) -> Cell { text.map { .text($0) } ?? .none }
        func count(_ number: Int?) -> Cell { number.map { .integer($0) } ?? .none }
        let commit: Cell =
            switch client.commit {
            case .none: .none
            case .waiting: .text("waiting")
            case .holding: .alert("holding")
            }
        return [
            .integer(client.number),
            client.isUs ? .remarked(client.label ?? "", remark: "this one") : text(client.label),
            .text(client.address), text(client.user), text(client.dialect), .seconds(client.age), count(client.loads),
            count(client.commits), .boolean(client.isReadOnly), .boolean(client.hasTransaction), commit,
            .size(client.bytesWaiting), .boolean(client.isUs),
        ]
    }
}

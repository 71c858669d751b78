internal import ArgumentParser
internal import Storages
internal import ZODB

struct InfoCommand: ShellCommand {
    static let name = "info"
    static let summary = "tell about the storage: kind, size, objects, last commit"
    static let group = CommandGroup.look
    static let examples = [
        CommandExample("info", "the open storage"),
        CommandExample("zeoshell info Data.fs -o json", "for a script"),
    ]

    func run(in session: Session) throws -> Report {
        let storage = try session.storage
        let information = try storage.information()
        let last = try storage.lastTransaction()
        typealias Field = Report.Field
        var fields = [
            Field("address", .text(session.address?.description ?? storage.name)),
            Field("kind", .text(information.kind)),
            Field("storage", .text(information.storageName)),
        ]
        if let count = information.objectCount { fields.append(Field("objects", .integer(count))) }
        if let size = information.size { fields.append(Field("size", .size(size))) }
        if let generation = information.generation { fields.append(Field("python", .integer(generation.rawValue))) }
        let absence = session.absence
        // Of a server that is away: the last one that the cache knows, however many there were since.
        let ofCache = absence == nil ? "" : " known"
        fields.append(Field("last_tid", title: "last tid" + ofCache, .tid(last)))
        fields.append(Field("last_time", title: "last commit" + ofCache, last == .none ? .none : .time(last)))
        if let absence {
            fields.append(Field("away_noticed", title: "away, noticed", .time(absence.since)))
            fields.append(Field("away_why", title: "why", .text(absence.why)))
        } else if let latest = try TransactionText.latest(storage) {
            fields.append(Field("last_user", title: "by", TransactionText.cell(latest.user)))
            fields.append(Field("last_description", title: "what", TransactionText.cell(latest.description)))
        }
        fields.append(Field("mode", .text(session.writingMode.title)))
        let taken = Set(fields.map(\.column.name))
        for detail in information.details where !taken.contains(Self.stableName(detail.name)) {
            fields.append(Field(Self.stableName(detail.name), title: detail.name, .text(detail.value)))
        }
        return .record(fields)
    }

    /// `index file` → `index_file`.
    private static func stableName(_ name: String) -> String {
        String(name.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }
}

struct RefreshCommand: ShellCommand {
    static let name = "refresh"
    static let summary = "look at what is newest; return from the past"
    static let group = CommandGroup.server
    static let scope = CommandScope.sessionOnly
    static let discussion = """
        A session looks at one moment: what others commit later is not seen until refresh. The prompt tells when there is
        something new.
        """

    func run(in session: Session) throws -> Report {
        let news = try session.refresh()
        let objects = Set(news.flatMap(\.oids)).count
        return .record([
            Report.Field("transactions", title: "new transactions", .integer(news.count)),
            Report.Field("objects", title: "objects changed", .integer(objects)),
            Report.Field("tid", .tid(session.snapshot)),
            Report.Field("time", session.snapshot == .none ? .none : .time(session.snapshot)),
        ])
    }
}

internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct LogCommand: ShellCommand {
    static let name = "log"
    static let summary = "list transactions, or one object's revisions, newest first"
    static let synopsis = "[PATH] [--since WHEN] [--until WHEN] [--limit N]"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        With a path: the transactions that wrote that object, with the size of its record in each. A value that is no
        object of its own has the revisions of the object that it lies in. How many revisions there are depends on the
        last pack. An object that is missing today is called by its oid: log #1a2b.
        """
    static let examples = [
        CommandExample("log --limit 10", "the ten newest"),
        CommandExample("log /Plone/news", "who changed this object, and when"),
        CommandExample("log --since yesterday", "since this time yesterday"),
        CommandExample("log --since 2026-10-01 --until 2026-10-07", "a week; the last day counts"),
        CommandExample("log -o jsonl | jq -r .user | sort | uniq -c", "who commits how often"),
    ]

    @Option(help: ArgumentHelp("Not what is older.", valueName: "when")) var since: String?
    @Option(help: ArgumentHelp("Not what is newer.", valueName: "when")) var until: String?

    @Argument(help: "An object; all transactions when left out.") var path: String?

    func run(in session: Session) throws -> Report {
        let first = try TransactionRange.first(since, session)
        let last = try TransactionRange.last(until, session)
        if let path { return try revisions(session, path, first, last) }
        let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
        let end = min(last, session.committed(session.at))
        let log = try storage.transactionLog()
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while let transaction = try log.next() {
                try session.interruption.check()
                if transaction.tid < first { return nil }
                if transaction.tid <= end { return TransactionText.row(transaction) }
            }
            return nil
        }
        return Report(.table(Report.Table(TransactionText.columns, rows)))
    }

    private func revisions(
        _ session: Session, _ path: String, _ first: TransactionID, _ last: TransactionID
    ) throws -> Report {
        let storage = try session.storage(as: (any HistoryStorage).self, to: "tell an object's history")
        let place = try session.place(path)
        let oid = place.node.oid
        let revisions = RevisionCursor(storage, of: oid)
        // Whether there is such an object at all is known before anything is shown.
        try revisions.start()
        let end = min(last, session.committed(place.at))
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while let entry = try revisions.next() {
                try session.interruption.check()
                if entry.transaction.tid < first { return nil }
                if entry.transaction.tid <= end { return try Self.row(entry, of: oid, in: storage) }
            }
            return nil
        }
        return Report(.table(Report.Table(Self.revisionColumns, rows)))
    }

    private static let revisionColumns = [
        Report.Column("tid", tone: .name), Report.Column("time"), Report.Column("user", isFlexible: true),
        Report.Column("description", isFlexible: true), Report.Column("size"),
        Report.Column("remark", isFlexible: true),
    ]

    private static func row(
        _ entry: HistoryEntry, of oid: ObjectID, in storage: any HistoryStorage
    ) throws(StorageError) -> [Cell] {
        let transaction = entry.transaction
        var remark = Cell.none
        // A record without data of its own: an undo has that of an earlier revision, a deletion none at all.
        if entry.size == 0 {
            do throws(StorageError) {
                let revision = try storage.load(oid, at: transaction.tid)
                remark = .text("undo: \(CellText.humanSize(revision.data.count)) of an earlier revision")
            } catch .noSuchObject, .noRevision {
                remark = .text("deleted")
            }
        }
        return [
            .tid(transaction.tid), .time(transaction.tid), TransactionText.cell(transaction.user),
            TransactionText.cell(transaction.description), .size(entry.size), remark,
        ]
    }
}

/// A transaction in words.
enum TransactionText {
    static let columns = [
        Report.Column("tid", tone: .name), Report.Column("time"), Report.Column("user", isFlexible: true),
        Report.Column("description", isFlexible: true), Report.Column("size", visibility: .detail),
        Report.Column("status", visibility: .detail),
    ]

    static func row(_ transaction: TransactionSummary) -> [Cell] {
        [
            .tid(transaction.tid), .time(transaction.tid), cell(transaction.user), cell(transaction.description),
            transaction.length.map { .size($0) } ?? .none, .text(status(transaction.status)),
        ]
    }

    /// Bytes that Python wrote: UTF-8, else read as Latin-1 and said to be so.
    static func cell(_ bytes: [UInt8]) -> Cell {
        if bytes.isEmpty { return .none }
        if let text = String(validating: bytes, as: UTF8.self) { return .text(text) }
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(Unicode.Scalar(byte)) }
        return .remarked(String(text), remark: "Latin-1?")
    }

    /// The newest transaction, where the storage can tell.
    static func latest(_ storage: any Storage) throws -> TransactionSummary? {
        guard let storage = storage as? any TransactionLogStorage else { return nil }
        return try storage.transactionLog().next()
    }

    private static func status(_ status: TransactionSummary.Status) -> String {
        switch status {
        case .complete: "complete"
        case .packed: "packed"
        case .undone: "undone"
        case .other: "other"
        }
    }
}

/// The revisions of an object, newest first, asked for in growing batches: nobody knows beforehand how many there are.
final class RevisionCursor: Cursor {
    private let storage: any HistoryStorage
    private let oid: ObjectID
    private var entries: [HistoryEntry] = []
    private var index = 0
    private var limit = 0

    init(_ storage: any HistoryStorage, of oid: ObjectID) { (self.storage, self.oid) = (storage, oid) }

    /// Asks for the newest ones.
    /// - Throws: `noSuchObject` when the object was never stored.
    func start() throws(StorageError) {
        if limit == 0 { try read(50) }
    }

    func next() throws(StorageError) -> HistoryEntry? {
        try start()
        if index == entries.count {
            guard entries.count == limit, limit < 1 << 24 else { return nil }
            try read(limit * 4)
            guard index < entries.count else { return nil }
        }
        defer { index += 1 }
        return entries[index]
    }

    private func read(_ count: Int) throws(StorageError) {
        limit = count
        entries = try storage.history(of: oid, limit: count)
    }
}

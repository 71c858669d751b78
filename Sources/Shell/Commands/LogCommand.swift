internal import ArgumentParser
internal import Pickle
internal import ZODB

struct LogCommand: ShellCommand {
    static let name = "log"
    static let summary = "list transactions, newest first"
    static let synopsis = "[--since WHEN] [--until WHEN] [--limit N]"
    static let group = CommandGroup.history
    static let examples = [
        CommandExample("log --limit 10", "the ten newest"),
        CommandExample("log --since yesterday", "since this time yesterday"),
        CommandExample("log --since 2026-10-01 --until 2026-10-07", "a week; the last day counts"),
        CommandExample("log -o jsonl | jq -r .user | sort | uniq -c", "who commits how often"),
    ]

    @Option(help: ArgumentHelp("Not what is older.", valueName: "when")) var since: String?
    @Option(help: ArgumentHelp("Not what is newer.", valueName: "when")) var until: String?

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
        let parser = session.whenParser
        let first = try since.map { try Self.bound($0, "--since", parser, inclusive: false) }
        let last = try until.map { try Self.bound($0, "--until", parser, inclusive: true) }
        let end = min(last ?? .latest, session.at)
        let log = try storage.transactionLog()
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while let transaction = try log.next() {
                try session.interruption.check()
                if let first, transaction.tid < first { return nil }
                if transaction.tid <= end { return TransactionText.row(transaction) }
            }
            return nil
        }
        return Report(.table(Report.Table(TransactionText.columns, rows)))
    }

    private static func bound(
        _ text: String, _ option: String, _ parser: WhenParser, inclusive: Bool
    ) throws -> TransactionID {
        guard let tid = try parser.parse(text).transaction(inclusive: inclusive) else {
            throw ShellFailure.usage("\(option) \(text): there is no object whose revisions to count")
        }
        return tid
    }
}

struct ShowCommand: ShellCommand {
    static let name = "show"
    static let summary = "show a transaction and the objects it wrote"
    static let synopsis = "TID | WHEN"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.when]
    static let examples = [
        CommandExample("show 040d271ce85dac99", "by its tid, as log lists them"),
        CommandExample("show yesterday", "the last one before that time"),
    ]

    @Argument(help: "A tid, or a time: the last transaction before it.") var transaction: String

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
        let tid = try Self.tid(transaction, storage, session)
        let (summary, records) = try storage.records(of: tid)
        let fields = zip(TransactionText.columns, TransactionText.row(summary))
            .filter { $0.1 != .none }.map { Report.Field($0.0, $0.1) }
        let columns = [
            Report.Column("oid", tone: .name), Report.Column("class", isFlexible: true), Report.Column("size"),
            Report.Column("remark", isFlexible: true),
        ]
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            try session.interruption.check()
            return try records.next().map { Self.row($0, tid) }
        }
        return Report(.detailed(fields, name: "objects", Report.Table(columns, rows)))
    }

    private static func tid(
        _ text: String, _ storage: any TransactionLogStorage, _ session: Session
    ) throws -> TransactionID {
        switch try session.whenParser.parse(text) {
        case .transaction(let tid): return tid
        case .revisionsBack:
            throw ShellFailure.usage(
                "\(text): there is no object whose revisions to count", advice: "log PATH lists them")
        case .time(let start, _):
            guard let latest = TransactionID(unixTime: start) else { throw ShellFailure.usage("\(text): no such time") }
            let log = try storage.transactionLog()
            while let transaction = try log.next() {
                try session.interruption.check()
                if transaction.tid <= latest { return transaction.tid }
            }
            throw ShellFailure(
                "no-such-transaction", .data, at: text, "no transaction that old", advice: "'log' lists them")
        }
    }

    private static func row(_ record: TransactionRecord, _ tid: TransactionID) -> [Cell] {
        var remark: [String] = []
        if let source = record.dataTransaction { remark.append("undo: as of \(source.hex)") }
        guard let data = record.data else {
            return [.oid(record.oid), .none, .none, .text((remark + ["deleted"]).joined(separator: ", "))]
        }
        var name = Cell.none
        do throws(StorageError) {
            let understood = try ObjectRecord(Revision(data: data, serial: tid, next: nil), oid: record.oid)
            name = understood.className.map { .text($0.description) } ?? .none
        } catch {
            name = .alert("unreadable")
            remark.append(error.description)
        }
        return [
            .oid(record.oid), name, .size(data.count), remark.isEmpty ? .none : .text(remark.joined(separator: ", ")),
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

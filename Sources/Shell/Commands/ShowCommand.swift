internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct ShowCommand: ShellCommand {
    static let name = "show"
    static let summary = "show a transaction and the objects it wrote"
    static let synopsis = "[--diff] TID | WHEN"
    static let group = CommandGroup.history
    static let operands: [OperandKind] = [.when]
    static let discussion = """
        Paths are those of then, of objects that are found near the application; the others have their oid. With --diff:
        what the transaction changed in each object, attribute by attribute.
        """
    static let examples = [
        CommandExample("show 040d271ce85dac99", "by its tid, as log lists them"),
        CommandExample("show yesterday", "the last one before that time"),
        CommandExample("show 040d271ce85dac99 --diff", "what it changed"),
    ]

    @Flag(name: .customLong("diff"), help: "What it changed in each object.") var showsDifferences = false
    @Argument(help: "A tid, or a time: the last transaction before it.") var transaction: String

    func run(in session: Session) throws -> Report {
        let storage = try session.storage(as: (any TransactionLogStorage).self, to: "list its transactions")
        let tid = try Self.tid(transaction, storage, session)
        let (summary, records) = try storage.records(of: tid)
        let workspace = try session.workspace
        if showsDifferences { return try differences(tid, records, workspace, session) }
        let fields = zip(TransactionText.columns, TransactionText.row(summary))
            .filter { $0.1 != .none }.map { Report.Field($0.0, $0.1) }
        let columns = [
            Report.Column("oid", tone: .name), Report.Column("class", isFlexible: true), Report.Column("size"),
            Report.Column("path", tone: .path, isFlexible: true), Report.Column("remark", isFlexible: true),
        ]
        var ready: [[Cell]] = []
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            if ready.isEmpty {
                let batch = try Self.batch(records, session.interruption)
                let places = try PathFinder(workspace).places(of: Set(batch.map(\.oid)), at: tid)
                ready = batch.reversed().map { Self.row($0, tid, places[$0.oid]) }
            }
            return ready.popLast()
        }
        return Report(.detailed(fields, name: "objects", Report.Table(columns, rows)))
    }

    /// Enough records for one look for their paths; their data is not kept.
    private static func batch(
        _ records: any Cursor<TransactionRecord>, _ interruption: Interruption
    ) throws(StorageError) -> [TransactionRecord] {
        var batch: [TransactionRecord] = []
        var size = 0
        while batch.count < 10_000, size < 16 << 20, let record = try records.next() {
            try interruption.check()
            size += record.data?.count ?? 0
            batch.append(record)
        }
        return batch
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

    private static func row(_ record: TransactionRecord, _ tid: TransactionID, _ place: Place?) -> [Cell] {
        var remark: [String] = []
        if let source = record.dataTransaction { remark.append("undo: as of \(source.hex)") }
        let path = place.map { Cell.text($0.description) } ?? .none
        guard let data = record.data else {
            return [.oid(record.oid), .none, .none, path, .text((remark + ["deleted"]).joined(separator: ", "))]
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
            .oid(record.oid), name, .size(data.count), path,
            remark.isEmpty ? .none : .text(remark.joined(separator: ", ")),
        ]
    }

    // MARK: Differences

    private func differences(
        _ tid: TransactionID, _ records: any Cursor<TransactionRecord>, _ workspace: Workspace, _ session: Session
    ) throws -> Report {
        let printer = try DifferencePrinter(workspace)
        var places: [ObjectID: Place] = [:]
        var ready: [ObjectID] = []
        let documents = ClosureCursor<Report.Document> { () throws(StorageError) in
            if ready.isEmpty {
                ready = try Self.batch(records, session.interruption).reversed().map(\.oid)
                places = try PathFinder(workspace).places(of: Set(ready), at: tid)
            }
            guard let oid = ready.popLast() else { return nil }
            let path = places[oid]?.description ?? oid.path
            let before = try DifferencePrinter.Side(.object(oid, at: tid.predecessor), path, workspace)
            let after = try DifferencePrinter.Side(.object(oid, at: tid), path, workspace)
            return printer.document(before, after).document
        }
        return Report(.documents(documents, isList: true))
    }
}

internal import ArgumentParser
internal import Storages
internal import ZODB

/// What `du` counts by.
enum SpaceGrouping: String, CaseIterable, ExpressibleByArgument {
    case `class`, user, day, month

    var plural: String { self == .class ? "classes" : rawValue + "s" }
}

/// Counts the space of the open storage.
struct SpaceSurvey {
    private let session: Session
    private let grouping: SpaceGrouping

    init(_ session: Session, _ grouping: SpaceGrouping) {
        self.session = session
        self.grouping = grouping
    }

    /// Every record of a range of transactions.
    func all(_ range: TransactionRange) throws -> SpaceTally {
        let storage = try session.storage(
            as: (any TransactionLogStorage).self, to: "list its transactions: --current looks at current records alone")
        var tally = try emptyTally()
        let progress = session.progress
        try storage.visitRevisions(
            from: range.first, through: range.last, &tally, interruption: session.interruption,
            progress: { progress.update("counting", $0, "records") })
        return tally
    }

    /// Current records alone.
    func current() throws -> SpaceTally {
        let storage = try session.storage(as: (any CurrentRecordStorage).self, to: "list its objects")
        var tally = try emptyTally()
        let total = try storage.information().objectCount
        let records = try storage.currentRecords(from: .root)
        var count = 0
        while let current = try records.next() {
            try session.interruption.check()
            let revision = current.revision
            // A day is told by the tid alone.
            if tally.wantsTransactions { try tally.visit(TransactionSummary(tid: revision.serial)) }
            let record = VisitedRecord(
                oid: current.oid, serial: revision.serial, isCurrent: true, isNeeded: true,
                storedSize: revision.data.count)
            try tally.visit(record, revision.data.span.bytes)
            count += 1
            session.progress.update("counting", count, "objects", of: total)
        }
        return tally
    }

    private func emptyTally() throws -> SpaceTally {
        SpaceTally(groupingOfTransactions ?? .byClass, blobSize: try blobSizer())
    }

    private var groupingOfTransactions: SpaceTally.Grouping? {
        let zone: LocalTime = session.settings.usesUTC ? .utc : .system
        switch grouping {
        case .class: return nil
        case .user: return .byTransaction { Self.userText($0.user) }
        case .day: return .byTransaction { TimeText.day($0.tid, zone) }
        case .month: return .byTransaction { String(TimeText.day($0.tid, zone).prefix(7)) }
        }
    }

    /// nil where no file of a blob can be looked at: without its directory, and over the network.
    private func blobSizer() throws -> SpaceTally.BlobSizer? {
        guard session.openingOptions.blobDirectory != nil || session.address?.blobDirectory != nil,
            let storage = try session.storage as? any BlobStorage
        else { return nil }
        return { (oid, serial) throws(StorageError) in try storage.blobSize(oid, serial: serial) }
    }

    /// As a user is shown elsewhere; bytes that are no UTF-8 as Latin-1.
    private static func userText(_ user: [UInt8]) -> String {
        CellText.machine.text(TransactionText.cell(user))
    }

    static func userCell(_ text: String) -> Cell { text.isEmpty ? .text("(nobody)") : .text(text) }
}

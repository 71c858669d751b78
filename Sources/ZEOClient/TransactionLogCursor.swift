internal import ZEOProtocol
internal import ZODB

/// All transactions, newest first.
///
/// `undoInfo` tells them in this order, page by page, as far back as they can be undone: to the last pack. What is
/// older, and everything where undo is not supported, only comes oldest first, from an iterator: it is listed in spans
/// of time, the latest span first, each turned around.
final class TransactionLogCursor: Cursor {
    private enum Phase {
        /// Position of the next page among the undoable transactions, and its length.
        case undoable(from: Int, count: Int)
        /// Nothing later than `through` any more; the span to look at next.
        case spans(through: TransactionID, oldest: TransactionID, width: UInt64)
        case ended
    }

    private static let firstPage = 50, longestPage = 1000
    /// More than this in one span is given up for a shorter one: it is all held at once.
    private static let mostInSpan = 20_000, fewInSpan = 500
    private static let minute: UInt64 = 1 << 32

    private let storage: ZEOClientStorage
    private var phase: Phase
    /// Found and not yet told, the next one last.
    private var ready: [TransactionSummary] = []
    private var lastTold: TransactionID?

    init(_ storage: ZEOClientStorage) {
        self.storage = storage
        phase = .undoable(from: 0, count: storage.canUndo ? Self.firstPage : 0)
    }

    func next() throws(StorageError) -> TransactionSummary? {
        while true {
            if let transaction = ready.popLast() {
                lastTold = transaction.tid
                return transaction
            }
            do throws(StorageError) {
                switch phase {
                case .undoable(let from, let count): try readPage(from: from, count: count)
                case .spans(let through, let oldest, let width):
                    try readSpan(through: through, oldest: oldest, width: width)
                case .ended: return nil
                }
            } catch {
                phase = .ended
                throw error
            }
        }
    }

    // MARK: What can be undone

    private func readPage(from: Int, count: Int) throws(StorageError) {
        guard count > 0 else { return try beginSpans() }
        let page: [TransactionSummary]
        do throws(StorageError) {
            page = try storage.perform(.undoInfo(first: from, last: from + count)) { value throws(MalformedReply) in
                try Reply.undoInfo(value)
            }
        } catch {
            switch error {
            case .remote, .connection(.protocolError):
                // A storage being packed refuses; one whose extensions hide the ids cannot be read. Iterators remain.
                return try beginSpans()
            default: throw error
            }
        }
        // Commits since the last page move everything down: what was told already comes again.
        let new = page.filter { transaction in lastTold.map { transaction.tid < $0 } ?? true }
        ready = new.reversed()
        if page.count < count {
            // Told from `ready` first: the rest begins below the last one.
            if let last = new.last { lastTold = last.tid }
            try beginSpans()
        } else {
            phase = .undoable(from: from + count, count: min(count * 4, Self.longestPage))
        }
    }

    // MARK: What cannot

    private func beginSpans() throws(StorageError) {
        phase = .ended
        guard storage.canIterate else {
            // As far back as the storage can tell.
            if lastTold != nil || storage.canUndo { return }
            throw storage.cannotList()
        }
        guard let oldest = try TransactionIterator(storage, from: nil, through: nil).next()?.tid else { return }
        let through: TransactionID
        if let lastTold {
            guard oldest < lastTold else { return }
            through = lastTold.predecessor
        } else {
            through = try storage.lastTransaction()
        }
        guard oldest <= through else { return }
        let width = max((through.rawValue - oldest.rawValue) / 16, Self.minute)
        phase = .spans(through: through, oldest: oldest, width: width)
    }

    private func readSpan(through: TransactionID, oldest: TransactionID, width: UInt64) throws(StorageError) {
        let first = max(
            oldest, TransactionID(rawValue: through.rawValue > width ? through.rawValue - width : 0))
        let iterator = try TransactionIterator(storage, from: first, through: through)
        var found: [TransactionSummary] = []
        while let transaction = try iterator.next() {
            found.append(transaction)
            if found.count > Self.mostInSpan, width > 1 {
                phase = .spans(through: through, oldest: oldest, width: max(width / 8, 1))
                return
            }
        }
        ready = found
        guard first > oldest else {
            phase = .ended
            return
        }
        let isSparse = found.count < Self.fewInSpan
        phase = .spans(
            through: first.predecessor, oldest: oldest,
            width: isSparse ? width.multipliedReportingOverflow(by: 4).partialValue : width)
    }
}

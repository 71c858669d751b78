internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Bringing transactions to the disk: the work of one thread for each file, which begins with the first transaction.
extension FileWriter {
    fileprivate enum Wake {
        case step(PendingTransactions.Step)
        case end
    }

    /// Makes sure that somebody does what is to be done.
    /// - Precondition: `core` is held.
    /// - Throws: `io` when there can be no more threads.
    func requireFlusher(_ core: inout Core) throws(StorageError) {
        guard case .none = core.flusher else { return }
        try BackgroundThread.start { [self] in flush() }
        core.flusher = .starting
    }

    private func flush() {
        core.withLock { $0.flusher = .running(.current) }
        while case .step(let step) = core.wait(for: { $0.wake }) { perform(step) }
        core.change { $0.flusher = .none }
    }

    private func perform(_ step: PendingTransactions.Step) {
        do throws(StorageError) {
            switch step {
            case .mark(let headers, let number):
                for header in headers { try file.write([header.status], at: header.position + 16) }
                core.withLock { $0.pending.marked(through: number) }
            case .flush(let records, let marks):
                try file.sync()
                core.withLock { $0.pending.flushed(records: records, marks: marks) }
            case .tell(let transaction, let request):
                request.publish(transaction.tid)
                request.storage.takeIn(transaction)
                // After that: whoever looks here in between finds it in both.
                core.change { core in
                    core.pending.removeFirst()
                    core.unsavedRecords += transaction.recordCount
                }
                request.completion(.success(transaction.tid))
                request.storage.saveIndexNowAndThen()
            }
        } catch {
            giveUp(after: error)
        }
    }

    /// The disk has failed: what is pending will not be told as committed, and nothing more is written.
    private func giveUp(after error: StorageError) {
        let (lost, doubt) = core.change { core -> ([PendingTransaction], String) in
            let lost = core.pending.all
            let marked = lost.filter(\.isMarked).map(\.tid.description)
            let doubt =
                if let first = marked.first, let last = marked.last {
                    "; whether "
                        + (first == last ? "transaction \(first) is" : "transactions \(first) to \(last) are")
                        + " in the file, opening it again will tell"
                } else {
                    ""
                }
            core.obstacle = core.obstacle ?? "closed for writing, since the disk failed: \(error)\(doubt)"
            core.pending.removeAll()
            // Who opens the file next must find no mark that exists only in memory. Where this fails too, there is
            // nothing more to be done about it.
            if let position = lost.first?.header.position {
                try? file.truncate(to: position)
                try? file.sync()
            }
            return (lost, doubt)
        }
        for transaction in lost {
            // That of a transaction which was not accepted belongs to who can still abort it.
            guard let request = transaction.request else { continue }
            // Where the mark may be on the disk, a blob's file must not be missing.
            if !transaction.isMarked { transaction.blobs.forEach(Directories.remove) }
            request.completion(.failure(transaction.isMarked ? error.adding(doubt) : error))
        }
    }

    /// Waits until nothing is pending.
    ///
    /// The thread that does the work does it now: it was called by somebody whom it has told something.
    /// - Precondition: the last transaction is accepted.
    func drain() {
        if isFlusher {
            work { core.withLock { $0.pending.isEmpty } }
        } else {
            core.wait { $0.pending.isEmpty ? () : nil }
        }
    }

    /// Waits for what is told to whoever finishes a transaction.
    func wait<Value>(for told: Monitor<Value?>) -> Value {
        if isFlusher { work { told.withLock { $0 != nil } } }
        return told.wait { $0 }
    }

    private var isFlusher: Bool {
        core.withLock { core in
            guard case .running(let thread) = core.flusher else { return false }
            return thread.isCurrent
        }
    }

    private func work(until isDone: () -> Bool) {
        while !isDone(), let step = core.withLock({ $0.pending.nextStep }) { perform(step) }
    }

    /// Waits for what is pending, and ends the thread.
    func endFlusher() {
        core.change { $0.flusherIsToEnd = true }
        drain()
        guard !isFlusher else { return }
        core.wait { core in if case .none = core.flusher { () } else { nil } }
    }
}

extension FileWriter.Core {
    /// What the flusher has to wake up for.
    fileprivate var wake: FileWriter.Wake? {
        if let step = pending.nextStep { return .step(step) }
        return flusherIsToEnd ? .end : nil
    }
}

extension StorageError {
    /// The same error of the system, with more to say.
    fileprivate func adding(_ words: String) -> StorageError {
        guard case .io(let what, let number) = self else { return self }
        return .io(what + words, errno: number)
    }
}

import Foundation
import Synchronization
import ZODB

/// A storage that counts what is asked of it, and in which some things take as long as the test wants.
///
/// Objects of `far` are those whose revisions lie far back: they are not found in few steps, and each look for one waits for
/// a permit. The look is done before, so that it is out of date when the object changes meanwhile.
final class HeldStorage: UndoableStorage, DirectLoadStorage, BlobReceivingStorage {
    let name = "held"
    let isWritable = true
    let supportsUndo = true
    let memory = MemoryStorage()
    let far: Set<ObjectID>
    /// Looks that have begun.
    let looks = Atomic(0)
    let begins = Atomic(0)
    /// Questions for the last transaction; the first after `holdsQuestions` waits for a permit.
    let questions = Atomic(0)
    let holdsQuestions = Atomic(false)
    /// How many questions there had been when an object was loaded last.
    let questionsAtLoad = Atomic(0)
    /// From now on the log has no end.
    let hasEndlessLog = Atomic(false)
    let logBegun = DispatchSemaphore(value: 0)
    let logEnded = DispatchSemaphore(value: 0)
    /// Bytes of every blob.
    let blobSize: Int

    private let permits = DispatchSemaphore(value: 0)
    private let begun = DispatchSemaphore(value: 0)

    init(_ records: [(ObjectID, [UInt8])], far: Set<ObjectID> = [], blobSize: Int = 0) throws {
        self.far = far
        self.blobSize = blobSize
        try memory.commit(records)
    }

    /// Lets so many looks, or one question, go on.
    func letGo(_ count: Int = 1) {
        for _ in 0..<count { permits.signal() }
    }

    /// Returns when one more look, or question, waits.
    func waitForBegin() { begun.wait() }

    private func hold() {
        begun.signal()
        permits.wait()
    }

    func withRevision<Result>(
        _ oid: ObjectID, before tid: TransactionID, steps: inout Int,
        _ body: (RawSpan, TransactionID, TransactionID?) -> Result
    ) throws(StorageError) -> Result? {
        if far.contains(oid), steps < .max {
            steps = -1
            return nil
        }
        let revision = try load(oid, at: tid.predecessor)
        return body(revision.data.span.bytes, revision.serial, revision.next)
    }

    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        let revision = try memory.load(oid, at: tid)
        if far.contains(oid) {
            looks.add(1, ordering: .relaxed)
            hold()
        } else {
            questionsAtLoad.store(questions.load(ordering: .relaxed), ordering: .relaxed)
        }
        return revision
    }

    func lastTransaction() throws(StorageError) -> TransactionID {
        questions.add(1, ordering: .relaxed)
        if holdsQuestions.exchange(false, ordering: .relaxed) { hold() }
        return try memory.lastTransaction()
    }

    func information() throws(StorageError) -> StorageInformation { try memory.information() }
    func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] { try memory.newObjectIDs(count) }
    func close() { memory.close() }

    func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        begins.add(1, ordering: .relaxed)
        return try memory.begin(metadata)
    }

    // MARK: The log

    func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        guard hasEndlessLog.load(ordering: .relaxed), let first = try memory.transactionLog().next() else {
            return try memory.transactionLog()
        }
        logBegun.signal()
        return EndlessLog(first, logEnded)
    }

    private final class EndlessLog: Cursor {
        private let summary: TransactionSummary
        private let ended: DispatchSemaphore

        init(_ summary: TransactionSummary, _ ended: DispatchSemaphore) {
            self.summary = summary
            self.ended = ended
        }

        deinit { ended.signal() }

        func next() throws(StorageError) -> TransactionSummary? { summary }
    }

    func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        try memory.transactions(from: first, through: last)
    }

    func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        try memory.records(of: tid)
    }

    // MARK: Blobs

    func blob(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> any Cursor<[UInt8]> {
        let piece = [UInt8](repeating: 7, count: 1 << 16)
        return ArrayCursor(Array(repeating: piece, count: blobSize >> 16))
    }

    func blobSize(_ oid: ObjectID, serial: TransactionID) throws(StorageError) -> Int? { blobSize }
    func blobReceptionDirectory() throws(StorageError) -> String? { NSTemporaryDirectory() }
    func sharedBlobDirectory(of oid: ObjectID) throws(StorageError) -> String? { nil }
}

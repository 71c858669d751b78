internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: HistoryStorage {
    public func history(of oid: ObjectID, limit: Int) throws(StorageError) -> [HistoryEntry] {
        guard limit > 0 else { return [] }
        // What a 32-bit server could count is more than any object has.
        let limit = min(limit, Int(Int32.max))
        return try perform(.history(oid, limit: limit)) { value throws(MalformedReply) in
            try Reply.history(value)
        }
    }
}

extension ZEOClientStorage: CurrentRecordStorage {
    public func currentRecords(from first: ObjectID) throws(StorageError) -> any Cursor<CurrentRecord> {
        _ = try connectedChannel()
        // Without a way to list them, those that can be reached have to do.
        guard server?.iteratesRecords ?? true else { return ReachableRecordCursor(self, at: .latest, from: first) }
        return CurrentRecordCursor(self, from: first)
    }
}

/// Goes from record to record; the next one is under way while the last one is looked at.
private final class CurrentRecordCursor: Cursor {
    private typealias Step = (record: CurrentRecord, next: ObjectID?)

    private let storage: ZEOClientStorage
    private var asked: (oid: ObjectID, reply: PendingReply<Step>)?
    /// How often this step was lost with its connection.
    private var losses = 0
    private var following: ObjectID?

    init(_ storage: ZEOClientStorage, from first: ObjectID) {
        self.storage = storage
        following = first
    }

    func next() throws(StorageError) -> CurrentRecord? {
        do throws(StorageError) {
            while try ask() {
                if let record = try take() { return record }
            }
            return nil
        } catch {
            (asked, following) = (nil, nil)
            throw error
        }
    }

    /// - Returns: false at the end.
    private func ask() throws(StorageError) -> Bool {
        if asked != nil { return true }
        guard let oid = following else { return false }
        let reply = storage.request(.recordNext(oid)) { value throws(MalformedReply) -> Step in
            try Reply.currentRecord(value)
        }
        try storage.send([reply])
        asked = (oid, reply)
        return true
    }

    /// - Returns: nil when there is no record at the place asked for; `following` then says whether there may be others.
    private func take() throws(StorageError) -> CurrentRecord? {
        guard let (oid, reply) = asked else { return nil }
        asked = nil
        do throws(StorageError) {
            let step = try storage.wait(for: reply)
            following = step.next
            losses = 0
            // Failing to send ahead is the next call's failure, not this one's.
            _ = try? ask()
            // So ZODB up to 3.10 has objects whose creation was undone.
            return step.record.revision.data.isEmpty ? nil : step.record
        } catch {
            switch error {
            case .connection(.lost) where losses < 3:
                losses += 1
                guard try storage.reconnect() else { throw error }
                following = oid
                return nil
            case .noSuchObject(let deleted) where deleted >= oid:
                // FileStorage stumbles over objects whose creation was undone: on to the one after.
                following = deleted.rawValue < .max ? ObjectID(rawValue: deleted.rawValue + 1) : nil
                return nil
            case .remote(let className, _) where className.hasSuffix(".ValueError"):
                // So it says that there is no key that high.
                following = nil
                return nil
            default: throw error
            }
        }
    }
}

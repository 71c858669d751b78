import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

/// What a pack must leave as it was, whatever else it does: all that was committed after the pack time, every state since, and
/// what an undo of it comes to.
struct LaterStates {
    let before: String, after: String
    let packTime: TransactionID
    let collectsGarbage: Bool

    private typealias State = [ObjectID: Revision]

    func compare(note: String) throws {
        let (old, new) = (try FileStorage(before), try FileStorage(after))
        defer {
            old.close()
            new.close()
        }
        let tids = try old.transactions(from: .none, through: .latest).rest().map(\.tid)
        let later = tids.filter { $0 > packTime }
        for tid in later {
            #expect(try Self.records(old, tid) == Self.records(new, tid), "\(note): transaction \(tid)")
        }
        for tid in tids.last(where: { $0 <= packTime }).map({ [$0] + later }) ?? later {
            let (was, now) = (try Self.state(old, tid), try Self.state(new, tid))
            #expect(Set(was.keys).isSubset(of: now.keys), "\(note): objects at \(tid)")
            for (oid, revision) in now where was[oid] == nil {
                #expect(try mayBeFound(revision, of: oid, at: tid, in: old, later), "\(note): \(oid) is new at \(tid)")
            }
            for (oid, revision) in was {
                #expect(now[oid]?.data == revision.data, "\(note): \(oid) at \(tid)")
                // What is kept from before the pack time keeps its transaction.
                #expect(now[oid]?.serial == revision.serial, "\(note): \(oid) at \(tid)")
            }
        }
        // An undo of what was garbage at the pack time would bring back what a garbage collection drops; and as Python's,
        // this one drops that an object was gone at that time, where it came back later.
        let kept = try collectsGarbage ? Set(Self.state(old, packTime).keys) : nil
        for tid in later.suffix(4) {
            let touched = try old.records(of: tid).records.rest().map(\.oid)
            if let kept, touched.contains(where: { wasThere($0, old, tids) && !kept.contains($0) }) { continue }
            #expect(
                try Self.undo(tid, in: before) == Self.undo(tid, in: after), "\(note): the undo of \(tid)")
        }
    }

    /// Whether a state may have an object that it did not reach before: by a reference that led to nothing then.
    ///
    /// Of what was garbage at the pack time, deleted or out of reach, a garbage collection keeps the revision that a later
    /// undo brings back, and not the one of that time, as Python's does. A reference to such an object leads somewhere then,
    /// and from there on to what was out of reach as well: each is found as it was, or as the undo brings it back.
    private func mayBeFound(
        _ revision: Revision, of oid: ObjectID, at tid: TransactionID, in old: FileStorage, _ later: [TransactionID]
    ) throws -> Bool {
        if let known = try? old.load(oid, at: tid), (known.serial, known.data) == (revision.serial, revision.data) {
            return true
        }
        let committed = try? old.load(oid, at: revision.serial)
        return collectsGarbage && revision.serial <= packTime && committed?.serial == revision.serial
            && committed?.data == revision.data
            && later.contains { $0 > tid && (try? old.load(oid, at: $0))?.data == revision.data }
    }

    private static func records(_ storage: FileStorage, _ tid: TransactionID) throws -> [String] {
        let (transaction, records) = try storage.records(of: tid)
        return [
            "\(transaction.tid) \(transaction.status) \(transaction.user) \(transaction.description) "
                + "\(transaction.extensionData)"
        ] + (try records.rest().map { "\($0.oid) \($0.data ?? [])" })
    }

    /// Whether the object existed at any time up to the pack time.
    private func wasThere(_ oid: ObjectID, _ storage: FileStorage, _ tids: [TransactionID]) -> Bool {
        tids.contains { $0 <= packTime && (try? storage.load(oid, at: $0)) != nil }
    }

    /// All that can be reached from the root as of a transaction.
    private static func state(_ storage: FileStorage, _ tid: TransactionID) throws -> State {
        var state: State = [:]
        var waiting: [ObjectID] = [.root]
        while let oid = waiting.popLast() {
            guard state[oid] == nil, let revision = try? storage.load(oid, at: tid) else { continue }
            state[oid] = revision
            let record = try ObjectRecord(revision, oid: oid)
            waiting += record.document.references.filter { $0.kind == .strong }.map(\.oid)
        }
        return state
    }

    /// What can be reached after an undo, as text; `refused` when it cannot be undone.
    private static func undo(_ tid: TransactionID, in path: String) throws -> String {
        let copy = path + ".undone"
        defer {
            for ending in ["", ".index", ".lock", ".tmp"] { try? FileManager.default.removeItem(atPath: copy + ending) }
        }
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let storage = try FileStorage(copy, options: .init(isWritable: true))
        defer { storage.close() }
        let transaction = try storage.begin(TransactionMetadata())
        do {
            try transaction.undo(tid)
            _ = try transaction.vote()
            _ = try transaction.finish { _ in }
        } catch {
            return "refused"
        }
        return try state(storage, .latest).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.data)" }.joined(
            separator: "\n")
    }
}

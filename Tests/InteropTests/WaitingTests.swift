import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("Writing with others", .serialized)
struct WaitingTests {
    @Test("a vote that waits for another's can be given up, and the connection goes on", arguments: ServerKind.newest)
    func interruptedVote(_ kind: ServerKind) throws {
        let server = try kind.serve()
        let (length, mapping, tid) = try WritingTests.prepare(server)
        let interruption = Interruption()
        let (first, second) = (
            try server.connect(writable: true), try server.connect(writable: true, interruption: interruption)
        )
        let holding = try first.begin(.plain)
        try holding.store(Record.length(2), for: length, basedOn: tid)
        _ = try holding.vote()

        let waiting = try second.begin(.plain)
        try waiting.store(Record.mapping("k", "given up"), for: mapping, basedOn: tid)
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.3)
            interruption.raise()
        }
        #expect(throws: StorageError.interrupted) { try waiting.vote() }
        waiting.abort()
        interruption.clear()
        // Whatever else, while the lock is taken.
        #expect(try second.load(mapping, at: .latest).serial == tid)
        #expect(second.isConnected)
        let made = try holding.finish()
        let next = try second.commit([(mapping, Record.mapping("k", "later"), tid)])
        #expect(next > made)
        #expect(try second.load(length, at: .latest).serial == made)
        #expect(try server.client("print(root['mapping']['k'], root['length']())").contains("later"))
    }

    @Test("two votes follow one another; who waited has seen what was committed before it", .needs(.zeo6))
    func queue() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (length, mapping, tid) = try WritingTests.prepare(server)
        let (first, second) = (try server.connect(writable: true), try server.connect(writable: true))
        let holding = try first.begin(.plain)
        try holding.store(Record.length(2), for: length, basedOn: tid)
        _ = try holding.vote()
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var outcome: Result<(TransactionID, TransactionID), any Error>?
        Thread.detachNewThread {
            outcome = Result {
                let transaction = try second.begin(.plain)
                try transaction.store(Record.mapping("k", "second"), for: mapping, basedOn: tid)
                _ = try transaction.vote()
                // The lock is ours: the other's commit was announced before.
                let seen = try second.lastTransaction()
                return (seen, try transaction.finish())
            }
            done.signal()
        }
        Thread.sleep(forTimeInterval: 0.2)
        let made = try holding.finish()
        done.wait()
        let (seen, tidOfSecond) = try #require(outcome).get()
        #expect(seen == made)
        #expect(tidOfSecond > made)
        #expect(try second.poll() == [Invalidation(tid: made, oids: [length])])
        #expect(LiveChangeTests.eventually { (try? first.lastTransaction()) == tidOfSecond })
        #expect(try first.poll() == [Invalidation(tid: tidOfSecond, oids: [mapping])])
    }

    @Test("a second transaction of one storage waits for the first, in whatever thread", .needs(.zeo6))
    func oneAtATime() throws {
        let server = try PythonServer(.zeo6, serving: ["1": ""])
        let (length, mapping, tid) = try WritingTests.prepare(server)
        let storage = try server.connect(writable: true)
        let first = try storage.begin(.plain)
        try first.store(Record.length(2), for: length, basedOn: tid)
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var second: Result<TransactionID, any Error>?
        Thread.detachNewThread {
            second = Result { try storage.commit([(mapping, Record.mapping("k", "second"), tid)]) }
            done.signal()
        }
        Thread.sleep(forTimeInterval: 0.1)
        _ = try first.vote()
        let made = try first.finish()
        done.wait()
        #expect(try #require(second).get() > made)
    }

    @Test("a Python client is told of what we commit", arguments: ServerKind.newest)
    func invalidation(_ kind: ServerKind) throws {
        // The thread's use of it and ours do not touch what changes in it.
        nonisolated(unsafe) let server = try kind.serve()
        let (_, mapping, tid) = try WritingTests.prepare(server)
        let storage = try server.connect(writable: true)
        let ready = server.folder.appending(path: "ready")
        let python = Background {
            try server.client(
                """
                import time
                value = root['mapping'].get('k')
                open('\(ready.path)', 'w').close()
                for _ in range(2000):
                    connection.sync()
                    if root['mapping'].get('k') != value:
                        break
                    time.sleep(.01)
                print(value, root['mapping'].get('k'))
                """)
        }
        #expect(LiveChangeTests.eventually { FileManager.default.fileExists(atPath: ready.path) })
        try storage.commit([(mapping, Record.mapping("k", "news"), tid)])
        #expect(try python.result().contains("news"))
    }

    @Test(
        "what a server leaves to its clients to merge is merged here, and read by Python",
        arguments: ServerKind.newest)
    func clientResolution(_ kind: ServerKind) throws {
        let server = try kind.serve(blobs: true, options: " client-conflict-resolution true")
        let (length, mapping, tid) = try WritingTests.prepare(server)
        let (storage, other) = (try server.connect(writable: true), try server.connect(writable: true))
        let theirs = try other.commit([
            (length, Record.length(11), tid), (mapping, Record.mapping("k", "theirs"), tid),
        ])
        let transaction = try storage.begin(.plain)
        try transaction.store(Record.length(4), for: length, basedOn: tid)
        #expect(try transaction.vote() == VoteResult(changedOIDs: [length]))
        let made = try transaction.finish()
        #expect(try server.client("print(root['length']())") == "14\n")
        #expect(try storage.load(length, at: .latest).serial == made)

        // What cannot be merged is a conflict, and so is what has lost its blobs.
        let conflict = try storage.begin(.plain)
        try conflict.store(Record.mapping("k", "ours"), for: mapping, basedOn: tid)
        #expect(throws: StorageError.conflict(mapping, committed: theirs, read: tid)) { try conflict.vote() }
        conflict.abort()
        let blob = try storage.newObjectIDs(1)[0]
        let withBlob = try storage.begin(.plain)
        try withBlob.store(Record.length(9), for: length, basedOn: theirs)
        try withBlob.storeBlob(Record.blob, for: blob, basedOn: .none, contents: ArrayCursor([[1]]))
        #expect(throws: StorageError.conflict(length, committed: made, read: theirs)) { try withBlob.vote() }
        withBlob.abort()
        #expect(throws: StorageError.noSuchObject(blob)) { try storage.load(blob, at: .latest) }
        try storage.commit([(mapping, Record.mapping("k", "ours"), theirs)])
    }
}

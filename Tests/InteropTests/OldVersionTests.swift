import TestSupport
import Testing
import ZEOClient
import ZODB
import ZODBFile

@Suite("Versions of old databases", .serialized)
struct OldVersionTests {
    /// Why the object cannot be stored as it is; nil when it can.
    private func refusal(_ oid: ObjectID, _ revision: Revision, _ storage: ZEOClientStorage) throws -> StorageError? {
        let transaction = try storage.begin(.plain)
        defer { transaction.abort() }
        do throws(StorageError) {
            try transaction.store(revision.data, for: oid, basedOn: revision.serial)
            _ = try transaction.vote()
            return nil
        } catch {
            return error
        }
    }

    @Test("are named; the public revision is read, and a change to it is refused in words", .needs(.zodb38))
    func versions() throws {
        let path = SampleData.path("fs/py27-zodb38-versions.fs")
        let server = try PythonServer(.zodb38, serving: ["1": path])
        let storage = try server.connect(writable: true)
        let details = try storage.information().details
        #expect(details.contains(.init("open versions", "v3")))
        // What the file itself says is public.
        let records = try FileStorage(path).currentRecords(from: .root).rest()
        #expect(records.count == 4)
        var refused: [ObjectID: String] = [:]
        for record in records {
            let revision = try storage.load(record.oid, at: .latest)
            #expect(revision.data == record.revision.data, "\(record.oid)")
            refused[record.oid] = try refusal(record.oid, revision, storage)?.description
        }
        let locked = ObjectID(rawValue: 2)
        #expect(refused.keys.sorted() == [locked])
        #expect(refused[locked]?.contains("object \(locked) is being changed in the version 'v3'") ?? false)
        #expect(storage.isConnected)
    }
}

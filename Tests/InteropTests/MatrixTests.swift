import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB
import ZODBFile

/// Our client and every server, each with the same few things to do; what came of it is printed as a table.
@Suite("Every server, and what is done with it", .serialized)
struct MatrixTests {
    /// A thing to do. It throws, or records what is wrong.
    struct Column: Sendable {
        var name: String
        /// Why it is not to be asked of this server; nil when it is.
        var isMissing: @Sendable (MatrixRow) -> String? = { _ in nil }
        var body: @Sendable (MatrixRow) throws -> Void
    }

    static let columns = [
        Column(name: "walk") { try $0.walk() },
        Column(name: "edit") { try $0.edit() },
        Column(name: "conflict") { try $0.conflict() },
        Column(name: "undo") { try $0.undo() },
        Column(name: "news") { try $0.invalidation() },
        Column(name: "blob", isMissing: { $0.make.generation.hasBlobs ? nil : "none" }, body: { try $0.blob() }),
        Column(name: "restart") { try $0.restart() },
        Column(name: "pack") { try $0.pack() },
    ]

    static let rows: [ServerMake] =
        OwnTests.everything
        ? ServerMake.python + Generation.allCases.map { .own($0) } : ServerMake.few + [.own(.v5), .own(.v303)]

    @Test("walk, edit, conflict, undo, news, blob, restart, pack", arguments: rows)
    func matrix(_ make: ServerMake) throws {
        let row = try MatrixRow(make)
        var cells: [String] = []
        for column in Self.columns {
            if let why = column.isMissing(row) {
                cells.append("\(column.name) \(why)")
                continue
            }
            do {
                try column.body(row)
                cells.append("\(column.name) yes")
            } catch {
                cells.append("\(column.name) NO")
                Issue.record("\(make), \(column.name): \(error)")
            }
        }
        print("| \(make) | \(cells.joined(separator: " | ")) |")
    }
}

/// One server with a site of its Python's time, and our client, which stays connected throughout.
final class MatrixRow {
    struct Wrong: Error, CustomStringConvertible {
        var description: String
    }

    let make: ServerMake
    let server: AnyServer
    private let sample: String
    private let storage: ZEOClientStorage
    /// A client of another generation that commits to our own server, in Python that reads the site.
    private let guest: PythonPeer
    private var guestClient: GenerationClient?

    init(_ make: ServerMake) throws {
        self.make = make
        let isPython3: Bool
        switch make {
        case .python(let kind): isPython3 = !kind.isPython2
        case .own(let generation): isPython3 = generation == .v5
        }
        // Each commits in another dialect than ours.
        guest = isPython3 ? .zeo4 : make.generation < .v310 ? .zeo5Python2 : .zodb38
        sample = SampleData.path(isPython3 ? "fs/zope5.fs" : "fs/zope213.fs")
        server = try make.serve(sample, blobs: make.generation.hasBlobs)
        storage = try server.connect()
    }

    private func expect(_ isRight: Bool, _ what: @autoclosure () throws -> String) throws {
        if !isRight { throw Wrong(description: try what()) }
    }

    private func shell(_ arguments: String...) throws -> String {
        let home = FileManager.default.temporaryDirectory.appending(path: "home-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: home) }
        let ended = try BuiltProgram.zeoshell.run(
            arguments, environment: ["HOME": home.path, "XDG_STATE_HOME": home.path, "LC_ALL": "C.UTF-8"])
        try expect(ended.status == 0, "\(arguments): exit code \(ended.status), \(ended.errors)")
        return ended.output
    }

    private var address: String { "127.0.0.1:\(server.port)" }
    /// Speaks to the server in the generation of the row: the program has no reason to speak an older one to a new server.
    private var isForProgram: Bool { if case .python = make { true } else { make.generation == .v5 } }

    /// Every object of the site, and what the program finds in it.
    func walk() throws {
        let file = try FileStorage(sample)
        defer { file.close() }
        let expected = try file.currentRecords(from: .root).rest()
        try expect(expected.count > 50, "the sample is small")
        for (record, result) in zip(expected, storage.load(expected.map(\.oid), at: .latest)) {
            let revision = try result.get()
            try expect(
                (revision.data, revision.serial) == (record.revision.data, record.revision.serial), "\(record.oid)")
        }
        try expect(try storage.lastTransaction() == file.lastTransaction(), "another last transaction")
        if isForProgram {
            let words = ["find", "/", "--limit", "0", "-o", "jsonl"]
            let found = try shell(words[0], address, words[1], words[2], words[3], words[4], words[5])
            let wanted = try shell(words[0], sample, words[1], words[2], words[3], words[4], words[5])
            try expect(found == wanted && found.count > 1000, "find says something else than of the file")
        }
    }

    private func mapping() throws -> (oid: ObjectID, tid: TransactionID, value: () throws -> String) {
        let oid = try storage.newObjectIDs(1)[0]
        let tid = try storage.commit([(oid, Record.mapping("k", "1"), .none)])
        let value = { [server] in
            let other = try server.connect(writable: false)
            defer { other.close() }
            let data = try other.load(oid, at: .latest).data
            return ["1", "2", "3"].first { Record.mapping("k", $0) == data } ?? "?"
        }
        return (oid, tid, value)
    }

    func edit() throws {
        guard case .python(let python) = server.program else {
            let (oid, tid, value) = try mapping()
            try storage.commit([(oid, Record.mapping("k", "2"), tid)])
            return try expect(try value() == "2", "another client reads \(try value())")
        }
        _ = try shell("connect", address, "--rw", "-c", "begin", "-c", "set //answer 42", "-c", "commit -y -m matrix")
        let told = try python.client("print(root['answer'])")
        try expect(told == "42\n", "Python reads \(told)")
    }

    func conflict() throws {
        let (oid, tid, value) = try mapping()
        let other = try server.connect()
        defer { other.close() }
        let second = try other.commit([(oid, Record.mapping("k", "2"), tid)])
        do {
            try storage.commit([(oid, Record.mapping("k", "3"), tid)])
            throw Wrong(description: "no conflict")
        } catch StorageError.conflict(oid, committed: second, read: tid) {
            _ = try storage.ping()
            try storage.commit([(oid, Record.mapping("k", "3"), second)])
        }
        try expect(try value() == "3", "another client reads \(try value())")
    }

    func undo() throws {
        let (oid, tid, value) = try mapping()
        let second = try storage.commit([(oid, Record.mapping("k", "2"), tid)])
        if isForProgram {
            _ = try shell("undo", address, second.hex, "--rw", "-y")
        } else {
            let transaction = try storage.begin(.plain)
            try transaction.undo(second)
            _ = try transaction.vote()
            _ = try transaction.finish()
        }
        try expect(try value() == "1", "another client reads \(try value())")
        _ = try storage.ping()
        try expect(try storage.load(oid, at: .latest).data == Record.mapping("k", "1"), "we read what was undone")
        try expect(try storage.load(oid, at: second).data == Record.mapping("k", "2"), "the past has gone")
    }

    /// What a Python client commits is announced; the old state stays readable.
    func invalidation() throws {
        _ = try storage.ping()
        _ = try storage.poll()
        let before = try storage.lastTransaction()
        let old = try storage.load(.root, at: before)
        switch server.program {
        case .python(let python): try python.client("root['news'] = 1; transaction.commit()")
        case .own(let process):
            let client = try guestClient ?? GenerationClient(guest, on: process)
            guestClient = client
            try client("prepare")
        }
        var found: [Invalidation] = []
        let isThere = try LiveChangeTests.eventually {
            found += try storage.poll()
            return found.contains { $0.oids.contains(.root) }
        }
        try expect(isThere, "nothing was announced")
        let new = try storage.load(.root, at: .latest)
        try expect(new.serial > before, "the old root")
        try expect(try storage.load(.root, at: before).data == old.data, "the past has changed")
    }

    func blob() throws {
        let contents = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 * 7 ^ $0 >> 9) }
        let oid = try storage.newObjectIDs(1)[0]
        let transaction = try storage.begin(.plain)
        try transaction.storeBlob(Record.blob, for: oid, basedOn: .none, contents: ArrayCursor([contents]))
        _ = try transaction.vote()
        let made = try transaction.finish()
        try expect(try storage.blob(oid, serial: made).rest().flatMap { $0 } == contents, "other bytes come back")
        if case .python(let python) = server.program {
            let told = try python.client(
                """
                with connection.get(b'\\0' * 6 + \(WritingTests.bytes(oid))).open() as file:
                    print(len(file.read()))
                """)
            try expect(told == "200000\n", "Python reads \(told)")
        }
    }

    func restart() throws {
        let (oid, tid, value) = try mapping()
        // A guest would be waiting for the server, too.
        guestClient = nil
        server.kill()
        try server.start()
        try expect(LiveChangeTests.eventually { (try? storage.ping()) != nil }, "not connected again")
        try expect(try storage.load(oid, at: tid).data == Record.mapping("k", "1"), "another state")
        try storage.commit([(oid, Record.mapping("k", "2"), tid)])
        try expect(try value() == "2", "another client reads \(try value())")
    }

    func pack() throws {
        let (oid, tid, _) = try mapping()
        // What nothing refers to goes with a pack, where the server collects garbage.
        let root = try storage.load(.root, at: .latest)
        let second = try storage.commit([(oid, Record.mapping("k", "2"), tid)])
        _ = try storage.pack(to: TransactionID(rawValue: second.rawValue + (1 << 27)), PackOptions())
        try expect(try storage.load(.root, at: .latest).data == root.data, "the root has changed")
        let history = try storage.history(of: .root, limit: 10)
        try expect(history.count == 1, "the root has \(history.count) revisions")
        let made = try storage.commit([(.root, root.data, history[0].transaction.tid)])
        try expect(try storage.lastTransaction() == made, "nothing can be committed after it")
    }
}

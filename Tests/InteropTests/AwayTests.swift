import ClientCache
import Foundation
import ObjectGraph
import Pickle
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// What goes on while a server is away, and what becomes of a cache file when it is back.
@Suite("While the server is away", .serialized)
struct AwayTests {
    private static let two = """
        from persistent.mapping import PersistentMapping
        root['a'], root['b'] = PersistentMapping({'n': 1}), PersistentMapping({'n': 1})
        transaction.commit()
        """

    private static func oids(_ server: PythonServer) throws -> [ObjectID] {
        let text = try server.client(
            """
            from binascii import hexlify
            for name in 'a', 'b':
                print(hexlify(root[name]._p_oid).decode('ascii'))
            """)
        return try text.split(separator: "\n").map { try ObjectID(hex: String($0)) }
    }

    private static func open(_ server: PythonServer, cache: String?) throws -> ZEOClientStorage {
        try ZEOClientStorage(
            server.endpoint, .init(greetingTimeout: .seconds(30), cacheFile: cache.map { ($0, 1 << 20) }))
    }

    private static func isAway(_ error: StorageError?) -> Bool {
        guard case .connection(.away)? = error else { return false }
        return true
    }

    private static func error(_ body: () throws -> Void) -> StorageError? {
        do {
            try body()
            return nil
        } catch {
            return error as? StorageError
        }
    }

    @Test(
        "what was read is read on, with a cache file from the start, without one from then on",
        arguments: ServerKind.all)
    func readsOn(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        let path = server.folder.appending(path: "ours.zec").path
        var storage = try Self.open(server, cache: path)
        let at = try storage.lastTransaction()
        let (root, a) = (try storage.load(.root, at: at), try storage.load(oids[0], at: at))
        server.kill()
        for isOpenedAnew in [false, true] {
            if isOpenedAnew {
                storage.close()
                storage = try Self.open(server, cache: path)
            }
            #expect(LiveChangeTests.eventually { storage.absence != nil })
            #expect(try storage.lastTransaction() == at)
            #expect(try storage.load(.root, at: at) == root)
            #expect(try storage.load(oids[0], at: at) == a)
            let results = storage.load([oids[0], oids[1]], at: at)
            #expect(try results[0].get() == a)
            #expect(Self.isAway(Self.error { _ = try results[1].get() }))
            #expect(Self.error { _ = try storage.ping() } != nil)
            #expect(try storage.information().kind.hasSuffix("away"))
        }
        try server.start()
        try server.client("root['a']['n'] = 2; transaction.commit()")
        #expect(LiveChangeTests.eventually { storage.isConnected })
        #expect(storage.absence == nil)
        var after = TransactionID.none
        #expect(
            try LiveChangeTests.eventually {
                _ = try storage.ping()
                after = try storage.lastTransaction()
                return after > at
            })
        #expect(!(try storage.poll()).isEmpty)
        #expect(try storage.load(oids[0], at: after).serial == after)
        #expect(try storage.load(oids[1], at: at).serial <= at)
        #expect(try storage.load(oids[0], at: at).data == a.data)
    }

    @Test("without a cache file there is nothing to begin with", .needs(.zeo6))
    func nothing() throws {
        let server = try ServerKind(peer: .zeo6).serve()
        server.kill()
        let path = server.folder.appending(path: "ours.zec").path
        for cache in [nil, path] {
            let error = Self.error { _ = try Self.open(server, cache: cache) }
            #expect(error == .connection(.refused(address: server.endpoint.description)))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: server.folder.path)
        #expect(names.filter { $0.hasPrefix("ours.zec") } == ["ours.zec.lock"])
    }

    @Test("a server that is behind the cache is told, and the file left as it is", arguments: ServerKind.all)
    func behind(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        server.kill()
        let (data, old) = (server.folder.appending(path: "1.fs"), server.folder.appending(path: "old.fs"))
        try FileManager.default.copyItem(at: data, to: old)
        try server.start()
        try server.client("root['a']['n'] = 2; transaction.commit()")
        let path = server.folder.appending(path: "ours.zec").path
        var storage = try Self.open(server, cache: path)
        let newest = try storage.load(oids[0], at: .latest)
        storage.close()
        server.kill()
        try FileManager.default.removeItem(at: data)
        try? FileManager.default.removeItem(at: server.folder.appending(path: "1.fs.index"))
        try FileManager.default.moveItem(at: old, to: data)
        try server.start()
        let before = try Data(contentsOf: URL(filePath: path))
        storage = try Self.open(server, cache: path)
        let remarks = storage.takeRemarks()
        #expect(remarks.count == 1)
        #expect(remarks.first?.contains("cache clear") == true, "\(remarks)")
        #expect(storage.cachedRevisionCount == nil)
        #expect(try storage.load(oids[0], at: .latest).serial < newest.serial)
        storage.close()
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
        try CacheFile.clear(path)
        storage = try Self.open(server, cache: path)
        #expect(storage.takeRemarks() == [])
        #expect(storage.cachedRevisionCount == 0)
    }

    @Test("a server that is behind what was read while it was away is refused", .needs(.zeo6))
    func behindWhenBack() throws {
        let server = try ServerKind(peer: .zeo6).serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        server.kill()
        let (data, old) = (server.folder.appending(path: "1.fs"), server.folder.appending(path: "old.fs"))
        try FileManager.default.copyItem(at: data, to: old)
        try server.start()
        try server.client("root['a']['n'] = 2; transaction.commit()")
        let path = server.folder.appending(path: "ours.zec").path
        var storage = try Self.open(server, cache: path)
        let newest = try storage.load(oids[0], at: .latest)
        storage.close()
        server.kill()
        storage = try Self.open(server, cache: path)
        let at = try storage.lastTransaction()
        #expect(try storage.load(oids[0], at: at) == newest)
        try FileManager.default.removeItem(at: data)
        try? FileManager.default.removeItem(at: server.folder.appending(path: "1.fs.index"))
        try FileManager.default.moveItem(at: old, to: data)
        try server.start()
        #expect(
            LiveChangeTests.eventually {
                guard case .connection(.behind)? = Self.error({ _ = try storage.ping() }) else { return false }
                return true
            })
        #expect(!storage.isConnected)
        #expect(try storage.load(oids[0], at: at) == newest)
        #expect(Self.error { _ = try storage.load(oids[1], at: at) } != nil)
    }

    /// A cache with the objects in it, and the server gone.
    private static func left(_ server: PythonServer, _ oids: [ObjectID]) throws -> (path: String, known: [Revision]) {
        let path = server.folder.appending(path: "ours.zec").path
        let storage = try open(server, cache: path)
        let at = try storage.lastTransaction()
        let known = try ([.root] + oids).map { try storage.load($0, at: at) }
        storage.close()
        server.kill()
        return (path, known)
    }

    /// Changes bytes of a revision in a cache file.
    private static func damage(_ path: String, _ revision: Revision, _ change: (inout [UInt8]) -> Void) throws {
        var data = revision.data
        change(&data)
        var bytes = try Data(contentsOf: URL(filePath: path))
        let range = try #require(bytes.range(of: Data(revision.data)))
        bytes.replaceSubrange(range, with: data)
        try bytes.write(to: URL(filePath: path))
    }

    @Test("what was read from a file that does not fit the server that is back is read again", .needs(.zeo6))
    func misfitWhenBack() throws {
        let server = try ServerKind(peer: .zeo6).serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        let (path, known) = try Self.left(server, oids)
        let storage = try Self.open(server, cache: path)
        let workspace = try Workspace(storage)
        let at = workspace.at
        #expect(try workspace.object(oids[0]).document.source == known[1].data)
        #expect(try workspace.object(.root).serial == known[0].serial)
        // Another database with the same oids takes its place.
        let other = try ServerKind(peer: .zeo6).serve()
        try other.client(Self.two)
        try other.client("root['a']['n'] = 7; transaction.commit()")
        let truth = try Self.open(other, cache: nil)
        let newest = try truth.load(oids[0], at: .latest)
        truth.close()
        other.kill()
        let data = server.folder.appending(path: "1.fs")
        try FileManager.default.removeItem(at: data)
        try? FileManager.default.removeItem(at: server.folder.appending(path: "1.fs.index"))
        try FileManager.default.copyItem(at: other.folder.appending(path: "1.fs"), to: data)
        try server.start()
        #expect(LiveChangeTests.eventually { storage.isConnected })
        let remarks = storage.takeRemarks()
        #expect(remarks.count == 1 && remarks[0].contains("The file was left as it is"), "\(remarks)")
        #expect(try storage.poll().contains { !$0.isComplete })
        // As of what the session looks at, too: the server has nothing of that time.
        #expect(Self.error { _ = try workspace.object(oids[0], at: at) } != nil)
        try workspace.refresh()
        #expect(try workspace.object(oids[0]).document.source == newest.data)
        #expect(try workspace.object(oids[0]).serial == newest.serial)
    }

    @Test(
        "what was edited while the server was away is committed if the server has the same, and nothing is overwritten",
        .needs(.zeo6), arguments: ["same", "changed", "damaged"])
    func edited(_ what: String) throws {
        let server = try ServerKind(peer: .zeo6).serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        let (path, known) = try Self.left(server, oids)
        func number(_ number: UInt8) -> (inout [UInt8]) -> Void {
            { data in
                for index in data.indices.dropLast() where data[index] == 0x4b && data[index + 1] == 1 {
                    data[index + 1] = number
                }
            }
        }
        // A byte that leaves the record a record.
        if what == "damaged" { try Self.damage(path, known[1], number(9)) }
        let storage = try ZEOClientStorage(
            server.endpoint, .init(readOnly: false, greetingTimeout: .seconds(30), cacheFile: (path, 1 << 20)))
        let workspace = try Workspace(storage)
        let data = try workspace.object(oids[0]).document.source
        #expect((data == known[1].data) == (what != "damaged"))
        let staged = Record.mapping("n", "staged")
        try workspace.stage(staged, for: oids[0])
        try server.start()
        if what == "changed" { try server.client("root['a']['n'] = 2; transaction.commit()") }
        #expect(LiveChangeTests.eventually { storage.isConnected })
        let truth = try Self.open(server, cache: nil)
        let before = try truth.load(oids[0], at: .latest)
        truth.close()
        let result = Result { () throws(CommitFailure) in try workspace.commit(.plain) }
        switch (what, result) {
        case ("same", .success): break
        case ("changed", .failure(.refused(.conflict(let oid, let committed, let read)))):
            #expect(oid == oids[0] && committed == before.serial && read == known[1].serial)
        case ("damaged", .failure(.refused(.wrongState(let why)))):
            #expect(why.contains("damaged cache file") && why.contains("\(oids[0])"))
        default: Issue.record("\(result)")
        }
        let after = try Self.open(server, cache: nil).load(oids[0], at: .latest)
        #expect(what == "same" ? after.data == staged : after == before)
        #expect(workspace.hasStagedChanges == (what != "same"))
    }

    @Test(
        "a damaged record of the file is read from the server; without one the file is said to be damaged",
        arguments: ServerKind.all)
    func damaged(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        let (path, known) = try Self.left(server, oids)
        try Self.damage(path, known[1]) { data in for index in 0..<4 { data[index] = 0xff } }
        let bytes = try Data(contentsOf: URL(filePath: path))
        var storage = try Self.open(server, cache: path)
        let at = try storage.lastTransaction()
        let error = Self.error { _ = try storage.load(oids[0], at: at) }
        guard case .connection(.away(_, _, let why))? = error else { throw CancellationError() }
        #expect(why.contains("the cache file \(path) is damaged") && why.contains("refused"), "\(why)")
        #expect(try storage.load(oids[1], at: at) == known[2])
        #expect(storage.takeRemarks().contains { $0.contains("damaged") && $0.contains("cache clear") })
        storage.close()
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
        try server.start()
        for isFirst in [true, false] {
            storage = try Self.open(server, cache: path)
            #expect(try storage.load(oids[0], at: at) == known[1])
            #expect(try storage.load(oids[1], at: at) == known[2])
            #expect(storage.takeRemarks().contains { $0.contains("damaged") } == isFirst)
            storage.close()
        }
    }

    @Test("another database's cache is not used, nor touched, however new the database is", arguments: ServerKind.all)
    func another(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.two)
        let path = server.folder.appending(path: "ours.zec").path
        for isSameServer in [false, true] {
            let storage = try Self.open(server, cache: path)
            for oid in [.root] + (try Self.oids(server)) { _ = try storage.load(oid, at: .latest) }
            storage.close()
            let other = try kind.serve()
            try other.client(Self.two)
            if isSameServer, case .port(let port) = server.address {
                // The same address by the note, and another database behind it.
                let note = path + ".note"
                let text = try String(contentsOfFile: note, encoding: .utf8)
                try text.replacingOccurrences(of: "127.0.0.1:\(port)", with: other.endpoint.description)
                    .write(toFile: note, atomically: true, encoding: .utf8)
            }
            let before = try Data(contentsOf: URL(filePath: path))
            let wrong = try Self.open(other, cache: path)
            #expect(wrong.takeRemarks().count == 1)
            #expect(wrong.cachedRevisionCount == nil)
            let truth = try Self.open(other, cache: nil)
            for oid in [.root] + (try Self.oids(other)) {
                #expect(try wrong.load(oid, at: .latest) == truth.load(oid, at: .latest))
            }
            wrong.close()
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test("a cache older than what the server remembers is compared object by object", arguments: ServerKind.all)
    func compared(_ kind: ServerKind) throws {
        let server = try kind.serve()
        try server.client(Self.two)
        let oids = try Self.oids(server)
        let path = server.folder.appending(path: "ours.zec").path
        var storage = try Self.open(server, cache: path)
        for oid in [.root] + oids { _ = try storage.load(oid, at: .latest) }
        storage.close()
        server.kill()
        try server.start()
        try server.client(
            """
            for n in range(150):
                root['a']['n'] = n
                transaction.commit()
            """)
        storage = try Self.open(server, cache: path)
        let remarks = storage.takeRemarks()
        #expect(remarks.count == 1)
        #expect(remarks.first?.contains("3 objects one by one, and 2 kept") == true, "\(remarks)")
        #expect(storage.cachedRevisionCount == 2)
        let truth = try Self.open(server, cache: nil)
        for oid in [.root] + oids { #expect(try storage.load(oid, at: .latest) == truth.load(oid, at: .latest)) }
    }

    @Test("a client killed at any moment leaves a cache that reads right", .needs(.zeo6))
    func killed() throws {
        let server = try PythonServer(.zeo6, serving: ["1": SampleData.path("fs/zope5.fs")])
        let path = server.folder.appending(path: "ours.zec").path
        let truth = try Self.open(server, cache: nil)
        func look(_ cache: String) throws -> Process {
            let process = Process()
            process.executableURL = BuiltProgram.zeoshell.url
            process.arguments = [
                "connect", "\(server.endpoint)", "--cache", cache, "--cache-size", "64K", "-c", "ls -lR /", "-c",
                "ls -lR //",
                "-c", "ls -lR /site", "-c", "ls -lR /",
            ]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try process.run()
            return process
        }
        // How long it takes where nobody kills it: the moments are spread over that.
        let start = ContinuousClock.now
        let undisturbed = try look(path + ".whole")
        undisturbed.waitUntilExit()
        #expect(undisturbed.terminationStatus == 0)
        let whole = (ContinuousClock.now - start) / .seconds(1)
        var kept = 0
        let rounds = 12
        for round in 1...rounds {
            let process = try look(path)
            usleep(useconds_t(whole * Double(round) / Double(rounds) * 1e6))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            guard FileManager.default.fileExists(atPath: path) else { continue }
            #expect(!FileManager.default.fileExists(atPath: path + ".bad"))
            let storage = try Self.open(server, cache: path)
            let at = try storage.lastTransaction()
            for entry in try CacheSurvey(of: path).entries {
                kept += 1
                #expect(try storage.load(entry.oid, at: at) == truth.load(entry.oid, at: at))
            }
            storage.close()
        }
        #expect(kept > 20)
    }
}

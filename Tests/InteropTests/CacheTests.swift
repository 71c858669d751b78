import ClientCache
import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// One cache file, used by Python's client and ours in turn, while others commit.
@Suite("A cache file shared with Python", .serialized)
struct CacheTests {
    static let size = 200_000

    /// A server, and a directory with the cache that its clients have.
    struct Site {
        let kind: ServerKind
        let server: PythonServer
        var path: String { server.folder.appending(path: "c-1.zec").path }

        init(_ kind: ServerKind) throws {
            self.kind = kind
            server = try kind.serve()
            try server.client(
                """
                from persistent.mapping import PersistentMapping
                for n in range(40):
                    root[n] = PersistentMapping({'n': n, 'text': 'x' * 37 * n})
                transaction.commit()
                """)
        }

        /// Python's client with the cache file: reads everything, changes some of it when told to, and prints what it has.
        /// - Returns: lines of oid, serial, SHA-1 of the data.
        func python(changing: [Int] = []) throws -> [String] {
            let text = try kind.peer.run(
                """
                from __future__ import print_function
                import sys, ZODB, transaction, hashlib
                from binascii import hexlify
                from ZEO.ClientStorage import ClientStorage
                storage = ClientStorage(
                    \(server.pythonAddress), client='c', var=sys.argv[1], cache_size=\(CacheTests.size), wait_timeout=30)
                db = ZODB.DB(storage)
                connection = db.open()
                root = connection.root()
                changing = [int(n) for n in sys.argv[2:]]
                for n in changing:
                    root[n]['n'] = root[n]['n'] + 1000
                transaction.commit()
                def digits(b):
                    return hexlify(b).decode('ascii')
                for n in range(40):
                    oid = root[n]._p_oid
                    r = storage.load(oid, '')
                    print(digits(oid), digits(r[1]), hashlib.sha1(r[0]).hexdigest())
                connection.close()
                db.close()
                """, [server.folder.path] + changing.map(String.init))
            return text.split(separator: "\n").map(String.init)
        }

        /// Somebody else changes objects.
        func commit(_ numbers: [Int]) throws {
            try server.client(
                """
                for n in \(numbers):
                    root[n]['n'] = root[n]['n'] + 1
                transaction.commit()
                """)
        }

        func connect() throws -> ZEOClientStorage {
            try ZEOClientStorage(
                server.endpoint, .init(greetingTimeout: .seconds(30), cacheFile: (path, CacheTests.size)))
        }

        func lines(_ storage: ZEOClientStorage, of oids: [ObjectID]) throws -> [String] {
            let at = try storage.lastTransaction()
            return try zip(oids, storage.load(oids, at: at)).map { oid, result in
                let revision = try result.get()
                return "\(oid.hex) \(revision.serial.hex) \(sha1(revision.data))"
            }
        }
    }

    @Test("they read the same, whoever wrote it, and neither misses what changed in between", arguments: ServerKind.all)
    func turns(_ kind: ServerKind) throws {
        let site = try Site(kind)
        for round in 0..<3 {
            let told = try site.python(changing: [round, 7])
            // Object by object, what Python left in the file.
            let survey = try CacheSurvey(of: site.path)
            #expect(survey.problems == [])
            let kept = Set(
                try survey.entries.filter { $0.end == nil }.map {
                    "\($0.oid.hex) \($0.serial.hex) \(sha1(try survey.data(of: $0)))"
                })
            let gone = Set(told).subtracting(kept)
            if kind.peer == .zodb38 {
                // It goes on at the beginning of a file that it opens again (`currentofs`): what is there it has told of,
                // and then driven out. Nothing else may stand in its place.
                let oids = Set(gone.map { $0.prefix(16) })
                #expect(gone.count < 10 && (round > 0 || gone.isEmpty), "round \(round): \(gone)")
                #expect(kept.allSatisfy { !oids.contains($0.prefix(16)) }, "round \(round)")
            } else {
                #expect(gone.isEmpty, "round \(round)")
            }
            try site.commit([round + 1, 20 + round])

            let storage = try site.connect()
            #expect(storage.takeRemarks().allSatisfy { $0.contains("compared with the server") }, "round \(round)")
            let before = try #require(storage.cachedRevisionCount)
            #expect(before > 30)
            let oids = try told.map { try ObjectID(hex: String($0.prefix(16))) }
            let ours = try site.lines(storage, of: oids)
            let truth = try site.lines(site.server.connect(), of: oids)
            #expect(ours == truth)
            try site.commit([30 + round])
            #expect(
                try LiveChangeTests.eventually {
                    _ = try storage.ping()
                    return try site.lines(storage, of: oids) == site.lines(site.server.connect(), of: oids)
                })
            storage.close()
            try site.commit([35, 7])
            #expect(try site.python() == site.lines(site.server.connect(), of: oids))
        }
    }

    @Test("Python reads what we wrote, object by object", arguments: ServerKind.all.map(\.peer))
    func written(_ peer: PythonPeer) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "c.zec").path
        guard
            case .opened(let file, _) = try CacheFile.open(
                path, size: 200_000, for: CacheSource(server: "db1:8800", storage: "1"))
        else { throw CancellationError() }
        file.adopt()
        var random = RandomNumbers(seed: 5)
        var last: [ObjectID: UInt64] = [:]
        let start: UInt64 = 0x040d_2700_0000_0000
        for step in 1...400 {
            let oid = ObjectID(rawValue: UInt64(random.below(60)))
            let tid = TransactionID(rawValue: start + UInt64(step))
            file.invalidate(oid, in: tid)
            last[oid] = tid.rawValue
            file.insert(
                Revision(data: Array(repeating: UInt8(step & 255), count: random.below(300)), serial: tid, next: nil),
                oid)
            file.move(to: tid)
            _ = file.revision(of: ObjectID(rawValue: UInt64(random.below(60))), at: tid)
        }
        file.close()
        let survey = try CacheSurvey(of: path)
        let ours = try survey.entries.filter { $0.end == nil }.map { entry in
            "\(entry.oid.hex) \(entry.serial.hex) \(sha1(try survey.data(of: entry)))"
        }.sorted()
        #expect(ours.count > 10)
        let text = try peer.run(
            """
            from __future__ import print_function
            import sys, hashlib
            from binascii import hexlify
            from ZEO.cache import ClientCache
            cache = ClientCache(sys.argv[1], 200000)
            if hasattr(cache, 'open'):
                cache.open()
            def digits(b):
                return hexlify(b).decode('ascii')
            lines = []
            for entry in list(cache.contents()):
                oid, tid = entry[:2]
                try:
                    r = cache.load(oid)
                except TypeError:
                    r = cache.load(oid, '')
                # ZODB 3.7 lists those that are no longer current, too.
                if r is None or r[1] != tid:
                    continue
                lines.append(' '.join([digits(oid), digits(tid), hashlib.sha1(r[0]).hexdigest()]))
            print(digits(cache.getLastTid()))
            print('\\n'.join(sorted(lines)))
            cache.close()
            """, [path])
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.first == TransactionID(rawValue: start + 400).hex)
        #expect(Array(lines.dropFirst()) == ours)
        #expect(!FileManager.default.fileExists(atPath: path + ".bad"))
    }

    @Test("for the same calls, byte for byte what Python's cache writes", .needs(.zeo6), arguments: 0..<4)
    func sameBytes(_ seed: UInt64) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ours = folder.appending(path: "ours.zec").path, theirs = folder.appending(path: "theirs.zec").path
        guard
            case .opened(let file, _) = try CacheFile.open(
                ours, size: 9000, for: CacheSource(server: "db1:8800", storage: "1"))
        else { throw CancellationError() }
        file.adopt()
        var random = RandomNumbers(seed: seed)
        var script: [String] = []
        var known: Set<ObjectID> = []
        var tid: UInt64 = 0x040d_2700_0000_0000
        for _ in 0..<1500 {
            let oid = ObjectID(rawValue: UInt64(random.below(70)))
            switch random.below(5) {
            case 0:
                tid += UInt64(1 + random.below(1 << 20))
                // A commit of some, and then all has been told.
                for oid in known where random.oneIn(20) {
                    file.invalidate(oid, in: TransactionID(rawValue: tid))
                    script.append("i \(oid.rawValue) \(tid)")
                }
                file.move(to: TransactionID(rawValue: tid))
                script.append("t \(tid)")
            case 1:
                file.forgetCurrent([oid])
                script.append("i \(oid.rawValue) 0")
            case 2:
                _ = file.revision(of: oid, at: TransactionID(rawValue: tid))
                script.append("l \(oid.rawValue) \(tid)")
            default:
                guard tid > 0x040d_2700_0000_0000, file.revision(of: oid, at: .latest) == nil else {
                    script.append("l \(oid.rawValue) \(TransactionID.latest.rawValue)")
                    continue
                }
                script.append("l \(oid.rawValue) \(TransactionID.latest.rawValue)")
                let count = random.oneIn(30) ? 9000 : random.below(600)
                let byte = random.below(256)
                file.insert(
                    Revision(
                        data: Array(repeating: UInt8(byte), count: count), serial: TransactionID(rawValue: tid),
                        next: nil), oid)
                script.append("s \(oid.rawValue) \(tid) \(byte) \(count)")
                known.insert(oid)
            }
        }
        file.close()
        try script.joined(separator: "\n").write(
            to: folder.appending(path: "script"), atomically: true, encoding: .utf8)
        try PythonPeer.zeo6.run(
            """
            import sys
            from ZEO.cache import ClientCache
            from ZODB.utils import p64
            cache = ClientCache(sys.argv[1], 9000)
            for line in open(sys.argv[2]):
                kind, *numbers = line.split()
                a = [int(n) for n in numbers]
                if kind == 's':
                    cache.store(p64(a[0]), p64(a[1]), None, bytes([a[2]]) * a[3])
                elif kind == 'i':
                    cache.invalidate(p64(a[0]), p64(a[1]) if a[1] else None)
                elif kind == 't':
                    cache.setLastTid(p64(a[0]))
                else:
                    cache.loadBefore(p64(a[0]), p64(a[1] + 1))
            cache.close()
            """, [theirs, folder.appending(path: "script").path])
        let (one, other) = (try Data(contentsOf: URL(filePath: ours)), try Data(contentsOf: URL(filePath: theirs)))
        let difference = zip(one, other).enumerated().first { $1.0 != $1.1 }
        #expect(one.count == other.count)
        #expect(difference == nil, "at \(difference?.offset ?? 0)")
    }
}

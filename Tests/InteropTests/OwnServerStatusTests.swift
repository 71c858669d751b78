import Foundation
import TestSupport
import Testing

/// Our own server tells more, and Python's clients do not notice.
@Suite("zeoserver tells who its clients are", .serialized)
struct OwnServerStatusTests {
    private func json(_ arguments: [String]) throws -> JSONValue {
        let outcome = try BuiltProgram.zeoshell.run(arguments + ["--timeout", "60", "-o", "json"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return try JSONValue(parsing: Array(outcome.output.utf8))
    }

    /// Python clients of each dialect that are here.
    private static let peers: [PythonPeer] = [
        .zeo6, .zeo5, .zeo5Python2, .zeo4, .zeo4Python2, .zodb310, .zodb38, .zodb37,
    ]
    .filter(\.isReady)

    @Test("every client is listed while it is connected, and works on afterwards", arguments: peers)
    func clients(_ peer: PythonPeer) throws {
        let server = try ZEOServerProcess()
        let port = server.port
        if peer == .zodb37 {
            // On a Python younger than itself its client loses the connection to any exception: that there is no root.
            try server.terminate()
            try FileManager.default.removeItem(at: server.dataFile)
            try? FileManager.default.removeItem(atPath: server.dataFile.path + ".index")
            try peer.run(
                """
                import sys, ZODB
                from ZODB.FileStorage import FileStorage
                ZODB.DB(FileStorage(sys.argv[1])).close()
                """, [server.dataFile.path])
            try server.start()
        }
        let address = "127.0.0.1:\(server.port)"
        // It commits, waits until it was seen in the list, and commits again.
        let seen = server.folder.appending(path: "seen").path
        let ready = server.folder.appending(path: "ready").path
        let client = Background<String> {
            try peer.run(
                """
                from __future__ import print_function
                import os, sys, time, ZODB, transaction
                from ZEO.ClientStorage import ClientStorage
                db = ZODB.DB(ClientStorage(('127.0.0.1', \(port)), wait_timeout=60))
                root = db.open().root()
                root['x'] = 1
                transaction.commit()
                open(sys.argv[1], 'w').close()
                while not os.path.exists(sys.argv[2]):
                    time.sleep(0.05)
                root['x'] = 2
                transaction.commit()
                print(root['x'])
                db.close()
                """, [ready, seen])
        }
        let deadline = Date().addingTimeInterval(60)
        while !FileManager.default.fileExists(atPath: ready), Date() < deadline { usleep(50_000) }
        let list = try json(["clients", address])
        let status = try json(["server", address])
        try Data().write(to: URL(filePath: seen))
        #expect(try client.result() == "2\n")

        #expect(list.elements.count == 2)
        let other = list.elements.first { $0["is_us"] == .bool(false) }
        #expect(other?["commits"]?.int ?? 0 >= 1 && other?["loads"]?.int != nil)
        #expect(other?["address"]?.string?.hasPrefix("127.0.0.1:") == true)
        #expect(other?["read_only"] == .bool(false) && other?["commit"] == .null)
        let us = list.elements.first { $0["is_us"] == .bool(true) }
        #expect(us?["dialect"]?.string == "Z5" && us?["label"]?.string?.hasPrefix("zeoshell:") == true)
        #expect(status["software"]?.string?.hasPrefix("zeoserver ") == true)
        #expect(status["process"]?.int == Int(server.processID))
        #expect(status["storages"]?.elements.compactMap(\.string) == ["1"])
        #expect(status["clients"]?.int == 2, "\(status)")
        #expect(status["uptime"] != nil && status["memory"]?.int ?? 0 > 1_000_000)
        #expect(status["lacks"]?.elements.compactMap(\.string) == ["no blobs"])
    }

    @Test("who holds the lock is named; others see that it waits", .needs(.zeo6))
    func lock() throws {
        let server = try ZEOServerProcess()
        let port = server.port
        let address = "127.0.0.1:\(server.port)"
        let ready = server.folder.appending(path: "ready").path
        let free = server.folder.appending(path: "free").path
        let holder = Background<String> {
            try PythonPeer.zeo6.run(
                """
                import os, sys, time, ZODB, transaction
                from ZEO.ClientStorage import ClientStorage
                db = ZODB.DB(ClientStorage(('127.0.0.1', \(port)), wait_timeout=60, client_label='slow'))
                root = db.open().root()
                class Slow(object):
                    def sortKey(self): return 'zzz'
                    def tpc_begin(self, t): pass
                    commit = tpc_finish = abort = tpc_abort = tpc_begin
                    def tpc_vote(self, t):
                        open(sys.argv[1], 'w').close()
                        while not os.path.exists(sys.argv[2]):
                            time.sleep(0.05)
                root['x'] = 1
                transaction.get().join(Slow())
                transaction.commit()
                print('done')
                """, [ready, free])
        }
        let deadline = Date().addingTimeInterval(60)
        while !FileManager.default.fileExists(atPath: ready), Date() < deadline { usleep(50_000) }
        let list = try json(["clients", address])
        let status = try json(["server", address])
        let check = try BuiltProgram.zeoshell.run(
            ["check", address, "--timeout", "60", "--lock-warning", "0s", "--lock-critical", "1h"])
        try Data().write(to: URL(filePath: free))
        #expect(try holder.result() == "done\n")
        #expect(list.elements.filter { $0["commit"]?.string == "holding" }.map { $0["label"]?.string } == ["slow"])
        #expect(status["lock_seconds"] != nil && status["lock_holder"]?.string?.hasPrefix("slow 127.0.0.1:") == true)
        #expect(check.status == 1 && check.output.contains("commit lock held"), "\(check.output)")
        #expect(check.output.contains("slow"), "\(check.output)")
    }

    @Test("a role without admin may neither see the status nor who is there; the metrics are served beside")
    func roles() throws {
        let http = try FreePort.find()
        let server = try ZEOServerProcess(
            options: """
                  http-address 127.0.0.1:\(http)
                  <role readers>
                    allow read
                    address 127.0.0.1
                  </role>
                """)
        let address = "127.0.0.1:\(server.port)"
        let refused = try BuiltProgram.zeoshell.run(["clients", address, "--timeout", "60"])
        #expect(refused.status != 0 && refused.errors.contains("may not see the status"), "\(refused.errors)")
        let facts = try json(["server", address])
        #expect(facts["clients"] == nil)
        #expect(facts["lacks"]?.elements.compactMap(\.string).contains { $0.contains("does not let us see") } == true)
        // It goes on serving us: nothing was asked that it does not know.
        #expect(try json(["server", address, "--monitor", "http://127.0.0.1:\(http)"])["clients"]?.int == 1)
    }
}

import Foundation
import Synchronization
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

@Suite("The server program")
struct ProgramTests {
    private static func client(_ server: ZEOServerProcess, storage: String = "1") throws -> ZEOClientStorage {
        try ZEOClientStorage(.host("127.0.0.1", port: server.port), .init(storage: storage, readOnly: false))
    }

    private static func store(_ data: [UInt8], in storage: ZEOClientStorage) throws -> TransactionID {
        let transaction = try storage.begin(.init())
        let oid = try #require(try storage.newObjectIDs(1).first)
        try transaction.store(data, for: oid, basedOn: .none)
        _ = try transaction.vote()
        return try transaction.finish()
    }

    @Test("serves its configuration until SIGTERM, exits with 0, and has it all after a restart")
    func life() throws {
        let server = try ZEOServerProcess(options: "  pid-filename $FOLDER/zeo.pid")
        let pidFile = server.folder.appending(path: "zeo.pid")
        #expect(try String(contentsOf: pidFile, encoding: .utf8) == "\(server.processID)\n")
        let client = try Self.client(server)
        let tid = try Self.store([0x80, 3, 0x2e], in: client)
        client.close()
        #expect(try server.terminate() == 0)
        #expect(!FileManager.default.fileExists(atPath: pidFile.path))
        #expect(FileManager.default.fileExists(atPath: server.dataFile.path + ".index"))
        try server.start()
        let again = try Self.client(server)
        #expect(try again.lastTransaction() == tid)
        again.close()
    }

    @Test(
        "serves Python's client",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func python() throws {
        let server = try ZEOServerProcess(
            storages: "<filestorage 1>\n path $FOLDER/Data.fs\n</filestorage>\n<mappingstorage m>\n</mappingstorage>")
        let output = try PythonPeer.zeo6.run(
            """
            import ZODB, transaction
            from ZEO.ClientStorage import ClientStorage
            for name in '1', 'm':
                db = ZODB.DB(ClientStorage(('127.0.0.1', \(server.port)), storage=name, wait_timeout=60))
                connection = db.open()
                connection.root()['a'] = name
                transaction.commit()
                connection.close()
                print(db.open().root()['a'])
                db.close()
            """)
        #expect(output == "1\nm\n")
    }

    @Test("hears SIGTERM however early it comes")
    func earlyEnd() throws {
        let folder = try ScratchFolder()
        for _ in 0..<6 {
            let process = Process()
            process.executableURL = BuiltProgram.zeoserver.url
            process.arguments = ["-f", folder.path("Data.fs"), "-a", "127.0.0.1:\(try FreePort.find())"]
            process.standardInput = FileHandle.nullDevice
            let output = Pipe()
            process.standardError = output
            try process.run()
            // The first line of its log.
            #expect(!output.fileHandleForReading.availableData.isEmpty)
            process.terminate()
            for _ in 0..<1200 where process.isRunning { usleep(50_000) }
            let hasEnded = !process.isRunning
            if !hasEnded { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
            try #require(hasEnded)
            #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        }
    }

    @Test("lets a commit end that was voted on before SIGTERM, and takes no other")
    func endingCommit() throws {
        let server = try ZEOServerProcess()
        let client = try Self.client(server)
        let transaction = try client.begin(.init())
        let oid = try #require(try client.newObjectIDs(1).first)
        try transaction.store([0x80, 3, 0x2e], for: oid, basedOn: .none)
        _ = try transaction.vote()
        kill(server.processID, SIGTERM)
        // No connection is taken any more: it has begun to end.
        while PlainExchange.isListening(port: server.port) { usleep(20_000) }
        let tid = try transaction.finish()
        while server.isRunning { usleep(20_000) }
        #expect(try server.terminate() == 0)
        client.close()
        try server.start()
        let again = try Self.client(server)
        #expect(try again.lastTransaction() == tid)
        again.close()
    }

    @Test("logs who held the commit lock for long, also one who did not commit in the end")
    func slowCommit() throws {
        let server = try ZEOServerProcess(options: "  slow-commit 0")
        let client = try Self.client(server)
        _ = try Self.store([0x80, 3, 0x2e], in: client)
        let transaction = try client.begin(.init())
        let oid = try #require(try client.newObjectIDs(1).first)
        try transaction.store([0x80, 3, 0x2e], for: oid, basedOn: .none)
        _ = try transaction.vote()
        transaction.abort()
        client.close()
        #expect(try server.terminate() == 0)
        #expect(server.logText.contains(" s and committed; 1 objects, 0 clients wait"))
        #expect(server.logText.contains(" s and did not commit; 1 objects, 0 clients wait"))
    }

    @Test("refuses a file that another server has, and says which process that is")
    func secondServer() throws {
        let server = try ZEOServerProcess()
        let second = try BuiltProgram.zeoserver.run(
            ["-f", server.dataFile.path, "-a", "127.0.0.1:\(try FreePort.find())"])
        #expect(second.status == 1)
        #expect(second.errors.contains("locked by another process"))
        #expect(second.errors.contains("\(server.processID)"))
        #expect(try server.terminate() == 0)
    }

    @Test("refuses an address that another server has, with the system's reason")
    func secondAddress() throws {
        let server = try ZEOServerProcess()
        let other = server.folder.appending(path: "Other.fs").path
        let second = try BuiltProgram.zeoserver.run(["-f", other, "-a", "127.0.0.1:\(server.port)"])
        #expect(second.status == 1)
        #expect(second.errors.contains("cannot listen at 127.0.0.1:\(server.port): Address already in use"))
    }

    @Test("opens its log again on SIGHUP and SIGUSR2", arguments: [SIGHUP, SIGUSR2])
    func reopening(signal: Int32) throws {
        let server = try ZEOServerProcess()
        let (log, old) = (server.folder.appending(path: "server.log"), server.folder.appending(path: "old.log"))
        try FileManager.default.moveItem(at: log, to: old)
        kill(server.processID, signal)
        while (try? String(contentsOf: log, encoding: .utf8))?.contains("opened again") != true, server.isRunning {
            usleep(20_000)
        }
        #expect(try server.terminate() == 0)
        #expect(try String(contentsOf: log, encoding: .utf8).contains("SIGTERM"))
        #expect(try !String(contentsOf: old, encoding: .utf8).contains("SIGTERM"))
    }

    @Test("tells systemd when it serves and when it ends")
    func notification() throws {
        let folder = try ScratchFolder()
        let notices = try DatagramSocket(path: folder.path("notify"))
        let outcome = try BuiltProgram.zeoserver.run(
            ["-f", folder.path("Data.fs"), "-a", folder.path("zeo.sock")],
            environment: ["NOTIFY_SOCKET": folder.path("notify")]
        ) { process in
            #expect(notices.receive() == "READY=1")
            kill(process, SIGTERM)
            #expect(notices.receive() == "STOPPING=1")
        }
        #expect(outcome.status == 0)
    }

    @Test("names the line of what is wrong with a configuration and exits with 2")
    func badConfiguration() throws {
        let folder = try ScratchFolder()
        let path = try folder.write(
            "<zeo>\n  address 8800\n  transaction-timeot 30\n</zeo>\n<mappingstorage>\n</mappingstorage>\n",
            to: "zeo.conf")
        let outcome = try BuiltProgram.zeoserver.run(["-C", path])
        #expect(outcome.status == 2)
        #expect(
            outcome.errors
                == "zeoserver: \(path):3: 'transaction-timeot' is no key of <zeo>; did you mean 'transaction-timeout'?\n"
        )
    }

    @Test(
        "refuses a command line that makes no sense with 2, and says what would",
        arguments: [
            [], ["-f", "Data.fs"], ["--nonsense"], ["-a", "1", "-f", "Data.fs", "-t", "soon"], ["start", "--now"],
            ["-a", "1", "-f", "Data.fs", "--threads", "0"], ["init"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try BuiltProgram.zeoserver.run(arguments)
        #expect(outcome.status == 2)
        #expect(!outcome.errors.isEmpty && outcome.output.isEmpty)
    }

    @Test("shows its options, and those of runzeo among them")
    func help() throws {
        for flag in ["-h", "--help"] {
            let outcome = try BuiltProgram.zeoserver.run([flag])
            #expect(outcome.status == 0)
            for option in [
                "-C", "--configure", "-a", "--address", "-f", "--filename", "-t", "--timeout", "-m", "--pid-file",
            ] {
                #expect(outcome.output.contains(option))
            }
            for command in ["init", "start", "stop", "restart", "status", "logtail", "run", "reopen"] {
                #expect(outcome.output.contains("\n  \(command)"))
            }
        }
    }

    @Test(
        "says what to do in place of what it does not take",
        arguments: [
            (["-X", "zeo/address=1", "-C", "zeo.conf"], "write it into the configuration"),
            (["frobnicate"], "there is no command 'frobnicate'; there are init, check, start, stop"),
        ])
    func notTaken(arguments: [String], words: String) throws {
        let outcome = try BuiltProgram.zeoserver.run(arguments)
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains(words))
    }

    @Test("goes on with the log it has when the new one cannot be made, and says so")
    func reopeningInVain() throws {
        let server = try ZEOServerProcess()
        let (log, old) = (server.folder.appending(path: "server.log"), server.folder.appending(path: "old.log"))
        try FileManager.default.moveItem(at: log, to: old)
        try FileManager.default.createDirectory(at: log, withIntermediateDirectories: true)
        kill(server.processID, SIGHUP)
        let words = "it cannot be opened again; the log goes on where it was"
        while (try? String(contentsOf: old, encoding: .utf8))?.contains(words) != true, server.isRunning {
            usleep(20_000)
        }
        #expect(try server.terminate() == 0)
        #expect(try String(contentsOf: old, encoding: .utf8).contains("SIGTERM"))
        let output = try String(contentsOf: server.folder.appending(path: "output"), encoding: .utf8)
        #expect(output.contains(words))
    }

    @Test("listens for IPv4 and IPv6 where no host is named, and names who comes by a Unix socket")
    func everyAddress() throws {
        let folder = try ScratchFolder()
        let port = try FreePort.find()
        let ready = try DatagramSocket(path: folder.path("notify"))
        let outcome = try BuiltProgram.zeoserver.run(
            ["-f", folder.path("Data.fs"), "-a", "\(port)", "-a", folder.path("sock")],
            environment: ["NOTIFY_SOCKET": folder.path("notify")]
        ) { process in
            #expect(ready.receive() == "READY=1")
            let endpoints: [Endpoint] = [
                .host("127.0.0.1", port: port), .host("::1", port: port), .unixSocket(path: folder.path("sock")),
            ]
            for endpoint in endpoints {
                #expect(throws: Never.self, "\(endpoint)") {
                    let client = try ZEOClientStorage(endpoint, .init(storage: "1", label: "me"))
                    // Its answer comes after what the client calls itself was taken, which nothing answers.
                    _ = try client.ping()
                    client.close()
                }
            }
            kill(process, SIGTERM)
        }
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("listening at port \(port) of every address\n"))
        #expect(outcome.errors.contains("local process \(getpid()) (uid \(getuid())) registered for storage 1"))
        #expect(outcome.errors.contains("local process \(getpid()) (uid \(getuid())) calls itself me"))
        #expect(outcome.errors.contains(" [::1]:") && outcome.errors.contains(" 127.0.0.1:"))
    }
}

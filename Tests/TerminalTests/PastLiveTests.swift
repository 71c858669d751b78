import Foundation
import TestSupport
import Testing

@Suite(
    "The past of a live server",
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct PastLiveTests {
    @Test(
        "a transaction is explained, undone and redone, an object reverted, and Python sees it",
        arguments: [
            PythonPeer.zeo6, .zeo5,
        ].filter(\.isReady))
    func undo(peer: PythonPeer) throws {
        let server = try PythonServer(peer, serving: ["1": SampleData.path("fs/zope5.fs")])
        guard case .port(let port) = server.address else { return }
        let (address, deletion) = ("127.0.0.1:\(port)", "040d271cfd719c55")
        let environment = ["XDG_STATE_HOME": server.folder.path, "LOGNAME": "admin", "HOME": server.folder.path]
        func run(_ arguments: [String], status: Int32 = 0) throws -> String {
            let outcome = try BuiltProgram.zeoshell.run(arguments, environment: environment)
            #expect(outcome.status == status, "\(arguments): \(outcome)")
            return outcome.output
        }
        /// Whether Python's client, on the server, finds the folder.
        func isThere() throws -> Bool {
            let text = try server.client(
                "print('deleted_later' in connection.get(b'\\0' * 7 + b'\\x0b').__dict__ or "
                    + "b'deleted_later' in storage.load(b'\\0' * 7 + b'\\x0b')[0])")
            return text.contains("True")
        }

        let explained = try run(["undo", address, deletion, "--explain"])
        #expect(explained.contains("1 object would change back; it will succeed."), "\(explained)")
        #expect(explained.contains("+ .deleted_later = <#0x74 OFS.Folder.Folder>"), "\(explained)")
        #expect(try !isThere())
        // Without leave to write nothing is undone.
        _ = try run(["undo", address, deletion, "-y"], status: 5)
        #expect(try !isThere())
        _ = try run(["undo", address, deletion, "--rw", "-y"])
        #expect(try isThere())
        _ = try run(["undo", address, "last", "--rw", "-y"])
        #expect(try !isThere())
        // The transaction that made the folder has others in the way, and Python agrees.
        let addition = "040d271cfd6f0399"
        _ = try run(["undo", address, addition, "--explain"], status: 1)
        let verdict = try server.client(
            """
            import base64, binascii
            from ZODB.Connection import TransactionMetaData
            meta = TransactionMetaData()
            storage.tpc_begin(meta)
            try:
                storage.undo(base64.b64encode(binascii.unhexlify('\(addition)')), meta)
                storage.tpc_vote(meta)
                print('undone')
            except Exception as error:
                print('refused', type(error).__name__)
            storage.tpc_abort(meta)
            """)
        #expect(verdict.hasPrefix("refused"), "\(verdict)")

        _ = try run(["revert", address, "/site/deleted_later@\(addition)", "--rw", "-y"])
        #expect(try isThere())
        let blamed = try run(["blame", address, "/site", "--fields", "user,part"])
        #expect(blamed.contains("zeoshell:admin@\(ProcessInfo.processInfo.hostName)\t.deleted_later\n"), "\(blamed)")
        let found = try run([
            "bisect", address, "-o", "json", "--good", addition, "--bad", deletion, "--", "cat", "/site/deleted_later",
        ])
        #expect(found.hasPrefix("{\"tid\":\"\(deletion)\""), "\(found)")
    }
}

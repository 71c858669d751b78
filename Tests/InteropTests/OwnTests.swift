import Foundation
import TestSupport
import Testing

/// ZODB's storage tests and ZEO's own, from the packages of a peer, run by its real client against `zeoserver`.
///
/// `zeo-tests/NAME.txt` says which tests pass with Python's own server, and why the others cannot be asked of ours. A
/// part of them runs always; all of them with `ZEOSHELL_TEST_ALL=1`.
@Suite("ZEO's own tests", .serialized)
struct OwnTests {
    struct Run: CustomTestStringConvertible, Sendable {
        var peer: PythonPeer
        var messagePack = false
        /// Patterns of names; what is run always.
        var part: [String]

        static let all = [
            Run(
                peer: .zeo6,
                part: [
                    #"\.BlobAdaptedFileStorageTests\."#, #"\.FileStorageConnectionTests\."#, #"^testssl"#,
                    #"\.ClientConflictResolutionTests\."#, #"\.FileStorageRecoveryTests\."#, #"^testZEO\.[a-z_]+$"#,
                ]),
            Run(peer: .zeo6, messagePack: true, part: [#"\.MappingStorageTests\."#]),
            Run(peer: .zeo5, part: [#"\.FileStorageTests\."#]),
            Run(peer: .zeo5Python2, part: [#"\.DemoStorageTests\."#]),
            Run(
                peer: .zeo4Python2,
                part: [#"\.BlobAdaptedFileStorageTests\."#, #"\.FileStorageReconnectionTests\."#, "InvqTests"]),
        ]

        var testDescription: String { peer.description + (messagePack ? " with msgpack" : "") }
        var list: URL {
            URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "zeo-tests/\(peer.name)\(messagePack ? "-msgpack" : "").txt")
        }
    }

    static let everything = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"

    @Test("what passes with Python's own server passes with ours", arguments: Run.all.filter(\.peer.isReady))
    func own(_ run: Run) throws {
        var arguments = ["--server", BuiltProgram.zeoserver.url.path, "--list", run.list.path]
        if run.messagePack { arguments.append("--msgpack") }
        if !Self.everything {
            // Half a minute or more each: they are for the full run.
            for pattern in ["test_race_", "invalidations_while_connecting"] { arguments += ["--except", pattern] }
            for pattern in run.part { arguments += ["--match", pattern] }
        }
        let program = try PythonProgram(run.peer, "zeotests", arguments)
        var passed = 0
        var finished = false
        while let line = try program.readLine() {
            let result = try JSONValue(parsing: line.utf8)
            guard let name = result["id"]?.string else {
                finished = result["totals"] != nil
                continue
            }
            switch result["outcome"]?.string {
            case "pass": passed += 1
            default: Issue.record("\(run.testDescription): \(name): \(result["message"]?.string ?? line)")
            }
        }
        program.waitUntilExit()
        #expect(finished, "\(program.errors)")
        #expect(passed > 0)
    }
}

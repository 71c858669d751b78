import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// The program, whose connection is cut at every message while it runs a script that commits.
@Suite("The program on a connection that fails", .serialized)
struct ProgramProxyTests {
    static let makes: [ServerMake] = OwnTests.everything ? ServerMake.few + [.own(.v5)] : [.own(.v5)]

    private struct Run {
        var ended: BuiltProgram.Outcome
        /// Revisions of the root that came to be.
        var revisions: Int
        var state: String
    }

    private static func run(
        _ number: Int, through proxy: FaultProxy, _ judge: ZEOClientStorage, _ options: [String] = ["--timeout", "10"]
    ) throws -> Run {
        let before = try judge.history(of: .root, limit: 1000).count
        let home = FileManager.default.temporaryDirectory.appending(path: "home-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: home) }
        let ended = try BuiltProgram.zeoshell.run(
            ["connect", "127.0.0.1:\(proxy.port)", "--rw"] + options
                + ["-c", "begin", "-c", "set //n \(number)", "-c", "commit -y -m proxy", "-c", "get //n"],
            environment: ["HOME": home.path, "XDG_STATE_HOME": home.path, "LC_ALL": "C.UTF-8"])
        _ = try judge.ping()
        let after = try judge.history(of: .root, limit: 1000).count
        return Run(
            ended: ended, revisions: after - before,
            state: try LiveChangeTests.state(try judge.load(.root, at: .latest)))
    }

    @Test("tells truly whether it has committed, and never commits twice", arguments: makes)
    func everyMessage(_ make: ServerMake) throws {
        let server = try make.serve()
        let judge = try server.connect { $0.cacheCapacity = 0 }
        let root = (try? judge.load(.root, at: .latest).serial) ?? .none
        try judge.commit([(.root, Record.mapping("n", "0"), root)])
        let proxy = try FaultProxy(to: server.port)
        var number = 0
        var (failed, committed, doubtful) = (0, 0, 0)
        for direction in FaultProxy.Direction.allCases {
            for message in Swift.stride(from: 0, to: 1000, by: OwnTests.everything ? 1 : 2) {
                let hits = proxy.hits
                proxy.plan([.init(.cut(direction, message: message, bytes: message.isMultiple(of: 3) ? 7 : 0))])
                number += 1
                let run = try Self.run(number, through: proxy, judge)
                let what = "\(make), \(direction) \(message): \(run.ended)"
                let isThere = run.state.contains("'n': \(number)}")
                #expect(run.revisions == (isThere ? 1 : 0), "\(what)")
                switch run.ended.status {
                case 0:
                    committed += 1
                    #expect(isThere && run.ended.output.hasSuffix("\(number)\n"), "\(what)")
                case 4, 6:
                    let isInDoubt = run.ended.errors.contains("it is not known whether the commit happened")
                    // After the commit there is the reading of what was written.
                    let hasCommitted = run.ended.output.contains("committed ")
                    if isInDoubt { doubtful += 1 } else { failed += 1 }
                    #expect(isInDoubt || isThere == hasCommitted, "\(what)")
                default: Issue.record("\(what)")
                }
                if proxy.hits == hits { break }
            }
        }
        print("\(make): \(number) runs of the program: \(committed) committed, \(failed) failed, \(doubtful) in doubt")
        #expect(committed > 2 && failed > 2)
    }

    @Test("says for whom it waits when nothing comes any more")
    func silence() throws {
        let server = try ServerMake.own(.v5).serve()
        let judge = try server.connect { $0.cacheCapacity = 0 }
        try judge.commit([(.root, Record.mapping("n", "0"), .none)])
        let proxy = try FaultProxy(to: server.port)
        // Past the registration, where there is no limit to how long a server may take.
        proxy.plan([.init(.swallow(.toClient, message: 3, seconds: 5))])
        let run = try Self.run(7, through: proxy, judge, ["--progress", "json"])
        #expect(proxy.hits == 1)
        #expect(run.ended.errors.contains("\"phase\":\"waiting for 127.0.0.1:\(proxy.port)\""), "\(run.ended)")
        // It was made again on another connection.
        #expect(run.ended.status == 0 && run.revisions == 1, "\(run.ended)")
    }
}

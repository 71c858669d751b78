import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

@Suite("Commits of others are followed")
struct WatchTests {
    private func desk() throws -> Desk { try Desk(.script, isWritable: false) }

    /// Two commits: one to an object with a path, one to it and to a new one that nothing refers to.
    private func commits(_ desk: Desk) throws -> (TransactionID, TransactionID) {
        let first = try Desk.commit([1: Desk.thing("1a")], to: desk.database, user: "/acl_users joe", note: "edit")
        let second = try Desk.commit(
            [1: Desk.thing("1b"), 9: Desk.thing("new")], to: desk.database, user: "/ bob", note: "more")
        return (first, second)
    }

    @Test("a line each: who, why and what, by its path")
    func lines() throws {
        let desk = try desk()
        let (first, _) = try commits(desk)
        let outcome = desk.run("watch --since \(first.hex) --limit 2 --fields user,description,paths,objects")
        #expect(outcome.lines == ["/acl_users joe\tedit\t/a\t1", "/ bob\tmore\t/a, #0x09\t2"])
        #expect(outcome.code == .done)
    }

    @Test("a commit that is made while somebody waits is told, and ends a watch that wanted one")
    func waiting() throws {
        let desk = try desk()
        let database = desk.database
        let thread = Thread {
            Thread.sleep(forTimeInterval: 0.3)
            _ = try? Desk.commit([2: Desk.thing("later")], to: database, note: "meanwhile")
        }
        thread.start()
        let outcome = desk.run("watch --limit 1 --for 60s --fields description,paths")
        #expect(outcome.lines == ["meanwhile\t/b"])
        // The session has not moved.
        #expect(desk.run("get /b/.title").output == "second\n")
        #expect(desk.session.news.count == 1)
    }

    @Test("JSON is an object a line, with oids, classes and sizes")
    func json() throws {
        let desk = try desk()
        let (first, second) = try commits(desk)
        for format in ["json", "jsonl"] {
            let outcome = desk.run("watch --since \(first.hex) --limit 2 -o \(format)")
            let values = try outcome.lines.map { try JSONValue(parsing: Array($0.utf8)) }
            #expect(values.count == 2)
            #expect(values[1]["tid"]?.string == second.hex)
            #expect(values[1]["paths"]?.elements.compactMap(\.string) == ["/a", "#0x09"])
            // In the order of the transaction's records, which the desk leaves to chance.
            let changes = try #require(values[1]["changes"]?.elements)
                .sorted { $0["oid"]?.string ?? "" < $1["oid"]?.string ?? "" }
            #expect(changes.map { $0["oid"]?.string } == ["0000000000000001", "0000000000000009"])
            #expect(changes.map { $0["class"]?.string } == ["app.Thing", "app.Thing"])
            #expect(changes[1]["size"]?.int == Desk.thing("new").count)
            #expect(values[1]["remark"] == .null)
        }
    }

    @Test("only what is asked for: below a path, by a user")
    func filters() throws {
        let desk = try desk()
        let (first, _) = try commits(desk)
        _ = try Desk.commit([2: Desk.thing("2a")], to: desk.database, user: "/acl_users joe", note: "b")
        func notes(_ options: String) -> [String] {
            desk.run("watch \(options) --since \(first.hex) --for 0.2s --fields description").lines
        }
        #expect(notes("/b") == ["b"])
        #expect(notes("--path /a") == ["edit", "more"])
        #expect(notes("/a /b") == ["edit", "more", "b"])
        #expect(notes("/") == ["edit", "more", "b"])
        #expect(notes("#9") == ["more"])
        #expect(notes("--user joe") == ["edit", "b"])
        #expect(notes("--user '/acl_users joe' /a") == ["edit"])
        #expect(notes("/not/there") == [])
        #expect(desk.run("watch /a* --for 0.1s").code == .usage)
    }

    @Test("--diff tells what changed in each object")
    func differences() throws {
        let desk = try desk()
        let (first, _) = try commits(desk)
        let outcome = desk.run("watch --diff --since \(first.hex) --limit 2")
        #expect(outcome.output.hasPrefix("=== "))
        #expect(outcome.output.contains("- .title = 'first'\n+ .title = '1a'\n"))
        #expect(outcome.output.contains("- .title = '1a'\n+ .title = '1b'\n"))
        #expect(outcome.output.contains("--- #0x09 (nothing)"))
        let json = desk.run("watch --diff --since \(first.hex) --limit 1 -o json")
        #expect(json.lines.count == 1)
        let value = try JSONValue(parsing: Array(json.output.utf8))
        #expect(value["differences"]?.elements.first?["changes"]?.elements.first?["path"]?.string == ".title")
    }

    @Test("when the time is over and there was nothing, the answer is no")
    func nothing() throws {
        let desk = try desk()
        let outcome = desk.run("watch --for 0.2s")
        #expect(outcome.code == .negative && outcome.output == "")
        _ = try Desk.commit([2: Desk.thing("x")], to: desk.database)
        // Others' commits from before are no news.
        #expect(desk.run("watch --for 0.1s").code == .negative)
    }

    @Test("an interruption ends it with what was told")
    func interruption() throws {
        let desk = try desk()
        let (first, _) = try commits(desk)
        let watcher = try Watcher(
            desk.session, behind: first.predecessor, filter: CommitFilter(paths: [], user: nil, desk.session),
            seconds: nil)
        #expect(try watcher.next() != nil)
        desk.session.interruption.raise()
        #expect(try watcher.next() == nil)
        #expect(watcher.conclusion.exitCode == .interrupted)
    }

    @Test("a file that another process writes to is followed; a file that we write to is not")
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "watch-\(UUID().uuidString).fs")
        defer { for end in ["", ".lock", ".index"] { try? FileManager.default.removeItem(atPath: path.path + end) } }
        try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: path.path)
        let look = try Look(try FileStorage(path.path))
        let all = look.run("watch /site --since 2000-01-01 --for 0.1s --fields description,paths").lines
        #expect(all.count > 5)
        #expect(all.allSatisfy { $0.contains("/site") })
        let writer = try FileStorage(path.path, options: .init(isWritable: true))
        let revision = try writer.load(.root, at: .latest)
        let transaction = try writer.begin(TransactionMetadata(user: Array("them".utf8), description: []))
        try transaction.store(revision.data, for: .root, basedOn: revision.serial)
        _ = try transaction.vote()
        _ = try transaction.finish()
        writer.close()
        #expect(look.run("watch --limit 1 --for 60s --fields user,paths").lines == ["them\t//"])
        // Once more, from the log.
        #expect(look.run("watch --since yesterday --limit 1 --fields user,paths").lines == ["them\t//"])
        let locked = try Look(try FileStorage(path.path, options: .init(isWritable: true)))
        #expect(locked.run("watch --for 0.1s").code == .refused)
    }

    @Test("on a screen the columns share the room, and each line is there at once")
    func screen() throws {
        let desk = try desk()
        let (first, _) = try commits(desk)
        let lines = desk.look.run("watch --since \(first.hex) --limit 2", width: 80).lines
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("time") && lines[0].hasSuffix("changed"))
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(lines[2].hasSuffix("/a, #0x09"))
    }
}

@Suite("Round trips, counted")
struct PingTests {
    @Test("the shortest, the median, the longest, and those that were lost")
    func tally() {
        let tally = PingTally()
        for seconds in [0.003, 0.001, 0.002, 0.010] { tally.answered(seconds) }
        #expect(tally.summary == "4 sent, 4 answered; min 1.00 ms, median 2.50 ms, max 10 ms")
        #expect(tally.conclusion(of: 4).exitCode == nil)
        tally.lost()
        #expect(tally.summary.hasPrefix("5 sent, 4 answered, 1 lost;"))
        #expect(tally.conclusion(of: 5).exitCode == .negative)
        let none = PingTally()
        none.lost()
        #expect(none.summary == "1 sent, 0 answered, 1 lost")
        #expect(none.conclusion(of: 2).exitCode == .connection)
    }
}

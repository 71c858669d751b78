import Foundation
import Synchronization
import Testing
import ZODB

@testable import Shell

@Suite("What goes on now")
struct TopTests {
    private func commit(_ number: UInt64, _ user: String, _ changes: [(oid: UInt64, className: String, size: Int)])
        -> WatchedCommit
    {
        let tid = TransactionID(rawValue: 0x0400_0000_0000_0000 + number)
        let commit = CommitFeed.Commit(
            tid: tid, summary: TransactionSummary(tid: tid, user: Array(user.utf8), description: Array("note".utf8)),
            changes: changes.map {
                CommitFeed.Change(oid: ObjectID(rawValue: $0.oid), className: $0.className, size: $0.size)
            })
        return WatchedCommit(commit: commit, places: [:], known: [])
    }

    private var activity: Activity {
        var activity = Activity()
        activity.add(commit(1, "joe", [(1, "a.Page", 100), (2, "a.Page", 50)]))
        activity.add(commit(2, "joe", [(1, "a.Page", 100)]))
        activity.add(commit(3, "bob", [(3, "a.File", 5000)]))
        return activity
    }

    @Test("commits are summed up by user, class, path and transaction")
    func sums() {
        #expect(activity.total == Activity.Amount(commits: 3, objects: 4, bytes: 5250))
        #expect(activity.rows(by: .user, order: .commits).map(\.name) == ["joe", "bob"])
        #expect(activity.rows(by: .user, order: .bytes).map(\.name) == ["bob", "joe"])
        let classes = activity.rows(by: .class, order: .objects)
        #expect(classes.first == .init(name: "a.Page", amount: .init(commits: 2, objects: 3, bytes: 250)))
        #expect(
            activity.rows(by: .path, order: .commits).first
                == .init(name: "#0x01", amount: .init(commits: 2, objects: 2, bytes: 200)))
        #expect(activity.rows(by: .transaction, order: .bytes).first?.name == "0400000000000003 bob note")
        var twice = activity
        twice.add(activity)
        #expect(twice.total.commits == 6)
    }

    @Test("however many names there are, not all are kept")
    func bounds() {
        var activity = Activity()
        for number in 0..<12_000 {
            activity.add(commit(UInt64(number), "user\(number)", [(UInt64(number), "a.Page", number)]))
        }
        let users = activity.rows(by: .user, order: .commits)
        #expect(users.first == .init(name: Activity.others, amount: users[0].amount))
        #expect(users.count == 10_001 && users[0].amount.commits == 2000)
        let transactions = activity.rows(by: .transaction, order: .bytes)
        #expect(transactions.count <= 400 && transactions[0].amount.bytes == 11_999)
    }

    private func sample() -> TopMonitor.Sample {
        var status = ServerStatus(
            software: "zeoserver 0.1.0", dialect: "Z5", python: nil, storage: "1",
            information: StorageInformation(kind: "", storageName: ""))
        status.figures.clients = 12
        status.figures.waiting = 1
        status.figures.lockSince = 1000
        status.figures.conflicts = 7
        return TopMonitor.Sample(
            time: 1030, seconds: 2, activity: activity, status: status, loads: 690, conflicts: 2, loadSeconds: 2,
            problem: nil)
    }

    @Test("the screen has the figures, the greatest rows that fit, and the keys; no line is too wide")
    func screen() {
        var screen = TopScreen(address: "db1:8800")
        screen.zone = .utc
        screen.add(sample(), activity)
        let lines = screen.lines(rows: 24, columns: 80)
        #expect(lines.count == 24)
        #expect(lines.allSatisfy { $0.count < 80 })
        #expect(lines[0].hasPrefix("db1:8800 · zeoserver 0.1.0 · "))
        #expect(
            lines[1].hasPrefix("commits 1.5/s · objects 2.0/s · written 2.6 K/s · loads 345.0/s")
        )
        #expect(
            lines[2] == "12 clients · waiting 1 · lock held for 30.00 s · conflicts 7 (+2)"
                || lines[2].contains("lock held for 30 s"))
        #expect(lines[4].hasSuffix("user, of 3 commits in 2.00 s"))
        #expect(lines[5].hasSuffix("4.9 K  bob") && lines[6].hasSuffix("joe"))
        #expect(lines[23].hasPrefix("keys u c p t: by [user]"))
        for rows in 2..<12 {
            for columns in [2, 20, 40] {
                let small = screen.lines(rows: rows, columns: columns)
                #expect(small.count == rows && small.allSatisfy { $0.count < max(2, columns) })
            }
        }
    }

    @Test("keys choose group and order; q leaves")
    func keys() {
        var screen = TopScreen(address: "x")
        screen.add(sample(), activity)
        func press(_ key: Character) -> Bool { screen.press(key.asciiValue ?? 0) }
        #expect(press("c") && screen.grouping == .class)
        #expect(press("p") && screen.grouping == .path)
        #expect(press("t") && screen.grouping == .transaction)
        #expect(press("u") && screen.grouping == .user)
        #expect(screen.order == .bytes)
        #expect(press("s") && screen.order == .commits)
        #expect(press("s") && screen.order == .objects)
        #expect(press("x"))
        #expect(!press("q"))
    }

    @Test("elsewhere it writes rows: all of an interval, and what had the most")
    func rows() throws {
        let desk = try Desk(.script, isWritable: false)
        let database = desk.database
        // Some of these are made while it looks, whenever it begins.
        let isOver = Mutex(false)
        let thread = Thread {
            while !isOver.withLock({ $0 }) {
                _ = try? Desk.commit([1: Desk.thing("1"), 2: Desk.thing("2")], to: database, user: "joe")
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
        thread.start()
        let outcome = desk.run("top --once -i 1 --by path --fields by,name,commits,objects")
        isOver.withLock { $0 = true }
        let commits = try #require(outcome.lines.first?.split(separator: "\t").dropFirst().first.flatMap { Int($0) })
        #expect(commits > 0)
        #expect(
            outcome.lines == [
                "total\t\t\(commits)\t\(2 * commits)", "path\t/a\t\(commits)\t\(commits)",
                "path\t/b\t\(commits)\t\(commits)",
            ])
        #expect(outcome.code == .done)
        #expect(desk.run("top -n 2 -i 0.1 -o jsonl --top 0").lines.count == 2)
        #expect(desk.run("top --once -n 2").code == .usage)
    }
}

@Suite("What a monitor says")
struct MonitorTests {
    @Test("the text of ZEO's monitor, of any age")
    func text() throws {
        let text = """
            ZEO monitor server version 3.10.7
            Fri Nov 20 23:35:51 2026

            Storage: 1
            Server started: Fri Nov 20 23:35:46 2026
            Clients: 2
            Clients verifying: 0
            Active transactions: 1
            Commit lock held for: 12
            Commits: 3
            Aborts: 4
            Loads: 15
            Stores: 6
            Conflicts: 7
            Conflicts resolved: 8

            Storage: temp
            Server started: Fri Nov 20 23:35:46 2026
            Clients: 0

            """
        let reading = MonitorReading(text: text, "db1:8801")
        #expect(reading.version == "3.10.7")
        #expect(reading.figures.keys.sorted() == ["1", "temp"])
        var status = ServerStatus(
            software: "ZODB 3.8", dialect: "Z308", python: .python2, storage: "1",
            information: StorageInformation(kind: "", storageName: ""))
        status.figures.loads = 99
        try reading.complete(&status)
        #expect(status.figures.clients == 2 && status.figures.commits == 3 && status.figures.conflictsResolved == 8)
        // What the server itself told stays.
        #expect(status.figures.loads == 99)
        #expect(status.start == "Fri Nov 20 23:35:46 2026")
        status.storage = "other"
        #expect(throws: ShellFailure.self) { try reading.complete(&status) }
    }

    @Test("figures as Prometheus has them")
    func metrics() {
        let text = """
            # TYPE zeo_loads counter
            zeo_loads_total{storage="1"} 42
            zeo_connections{storage="1"} 3
            zeo_storage_size_bytes{storage="1"} 1e400
            zeo_loads_total{storage="a\\"b"} x
            zeo_clients 3
            # EOF
            """
        let reading = MonitorReading(metrics: text, "http://db1")
        #expect(reading.figures["1"]?.loads == 42 && reading.figures["1"]?.clients == 3)
        #expect(MonitorReading(text: "HTTP/1.0 400", "x").figures.isEmpty)
        #expect(MonitorReading(metrics: "", "x").figures.isEmpty)
    }
}

import ArgumentParser
import Foundation
import ObjectGraph
import Storages
import Synchronization
import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("A transaction in the shell")
struct TransactionTests {
    @Test("edits are staged, listed, shown, and written by commit after a question")
    func commit() throws {
        let desk = try Desk(answers: ["y"])
        #expect(desk.prompt == "db1:8800 / FILE RW › ")
        try desk.stage(1, "changed", path: "/a")
        #expect(desk.prompt == "db1:8800 / FILE RW *1 › ")
        #expect(desk.run("status --fields oid,change,class,path").output == "#0x01\tchanged\tapp.Thing\t/a\n")
        #expect(desk.run("cat //a").output.hasPrefix("# Thing (app.Thing) #0x01, staged\n"))
        #expect(desk.run("stat //a --fields serial,time").output == "serial\tstaged\ntime\tstaged\n")
        #expect(desk.run("dis //a").output.contains("changed"))
        let difference = desk.run("diff")
        #expect(difference.code == .negative)
        #expect(difference.output.contains("- .title = 'first'\n+ .title = 'changed'\n"))
        #expect(desk.run("diff //a").output.contains("+ .title = 'changed'\n"))
        #expect(try desk.titles() == ["first", "second"])

        let before = desk.session.snapshot
        let outcome = desk.run("commit -m 'a better title'")
        let tid = desk.session.snapshot
        #expect(outcome.output == "committed \(tid.hex) — undo with: undo \(tid.hex)\n", "\(outcome.errors)")
        #expect(tid > before)
        #expect(desk.questions.withLock { $0 } == ["Commit 1 object to db1:8800? [y/N/diff] "])
        #expect(try desk.titles() == ["changed", "second"])
        #expect(desk.prompt == "db1:8800 / FILE RW › ")
        let log = desk.run("log --limit 1 --fields tid,user,description").output
        #expect(log == "\(tid.hex)\tzeoshell:mary@\(hostName())\ta better title\n")
        #expect(desk.run("log //a --fields tid").output.hasPrefix("\(tid.hex)\n"))
        #expect(desk.run("status").errors == "nothing staged\n")
    }

    @Test("without a message the lines say what was done; the extension holds the journal's mark, readable by Python")
    func description() throws {
        let desk = try Desk()
        try desk.stage(1, "x")
        try desk.stage(2, "y")
        #expect(desk.run("commit -y").code == .done)
        let summary = try #require(try MemoryStorage(sharing: desk.database).transactionLog().next())
        #expect(String(decoding: summary.description, as: UTF8.self) == "stage 1 x; stage 2 y")
        let begun = try JSONValue(parsing: Array(try desk.journal()[0].utf8))
        let mark = try #require(begun["id"]?.string)
        let extensionText = String(decoding: summary.extensionData, as: UTF8.self)
        #expect(extensionText.contains("zeoshell-idX\u{10}\0\0\0\(mark)u."))
    }

    @Test("no, and the end of input, write nothing and keep the edits", arguments: ["n", "", "Y E S"])
    func refused(answer: String) throws {
        let desk = try Desk(answers: [answer])
        try desk.stage(1, "changed")
        let outcome = desk.run("commit")
        #expect(outcome.code == .refused)
        #expect(try desk.titles() == ["first", "second"])
        #expect(desk.prompt == "db1:8800 / FILE RW *1 › ")
    }

    @Test("where nobody can be asked, commit names the flag")
    func nobody() throws {
        let desk = try Desk(.script, answers: nil)
        #expect(desk.run("begin").code == .done)
        try desk.stage(1, "changed")
        let outcome = desk.run("commit")
        #expect(outcome.code == .refused)
        #expect(outcome.errors.contains("(-y answers beforehand)"))
        #expect(try desk.titles() == ["first", "second"])
        #expect(desk.run("commit -y").code == .done)
        #expect(try desk.titles() == ["changed", "second"])
    }

    @Test("abort forgets all edits; rollback those since a savepoint")
    func savepoints() throws {
        let desk = try Desk()
        try desk.stage(1, "one")
        #expect(desk.run("savepoint before").code == .done)
        try desk.stage(1, "two")
        try desk.stage(2, "three")
        #expect(desk.run("status --fields oid").output == "#0x01\n#0x02\n")
        #expect(desk.run("rollback before").errors == "1 object staged\n")
        #expect(desk.run("get //a/.title").output == "one\n")
        #expect(desk.session.transaction.lines == ["stage 1 one"])
        #expect(desk.run("rollback nowhere").code == .usage)
        #expect(desk.run("abort").errors == "1 staged object forgotten\n")
        #expect(desk.run("get //a/.title").output == "first\n")
        #expect(desk.run("commit").errors == "nothing is staged: nothing to commit\n")
    }

    @Test("a line that fails takes back what it staged, and nothing else")
    func failingLine() throws {
        let desk = try Desk()
        try desk.stage(1, "one")
        #expect(throws: ShellFailure.self) {
            try desk.session.edit(try EditOptions.parse([])) {
                try desk.session.workspace.stage(Desk.thing("two"), for: ObjectID(rawValue: 1))
                try desk.session.workspace.stage(Desk.thing("two"), for: ObjectID(rawValue: 2))
                throw ShellFailure.usage("no")
            }
        }
        #expect(desk.run("get //a/.title //b/.title").output.contains("one"))
        #expect(desk.run("status --fields oid").output == "#0x01\n")
    }

    @Test("a dry run finds out and writes nothing")
    func dryRun() throws {
        let desk = try Desk(answers: nil)
        try desk.stage(1, "one")
        let outcome = desk.run("commit --dry-run")
        #expect(outcome.output.contains("could be committed; nothing was written"))
        #expect(try desk.titles() == ["first", "second"])
        #expect(try desk.journal().isEmpty)
        #expect(desk.prompt == "db1:8800 / FILE RW *1 › ")
        try Desk.commit([1: Desk.thing("theirs")], to: desk.database)
        #expect(desk.run("commit --dry-run").code == .conflict)
        #expect(desk.run("abort").code == .done)
    }

    @Test("nothing can be changed read-only, in the past, or in a script before begin")
    func readOnly() throws {
        let desk = try Desk(isWritable: false)
        #expect(desk.prompt == "db1:8800 / FILE › ")
        do {
            try desk.stage(1, "x")
            Issue.record("staged")
        } catch {
            let failure = ShellFailure(error)
            #expect(failure.exitCode == .refused)
            #expect(failure.advice == "start with --rw, or type: mode rw")
        }
        #expect(desk.run("mode rw").output == "read-write\n")
        try desk.stage(1, "x")
        #expect(desk.run("mode ro").code == .refused)
        #expect(desk.run("abort").code == .done)
        #expect(desk.run("mode ro").output == "read-only\n")
        #expect(desk.run("commit").code == .refused)
        #expect(desk.run("begin").code == .refused)

        let past = try Desk()
        past.session.past = past.session.snapshot
        #expect(throws: ShellFailure.self) { try past.stage(1, "x") }

        let script = try Desk(.script)
        do {
            try script.stage(1, "x")
            Issue.record("staged")
        } catch {
            #expect(ShellFailure(error).code == "no-transaction")
        }
        script.session.beginsByItself = true
        try script.stage(1, "x")
    }

    @Test("--expect stops what changes another number of objects")
    func expect() throws {
        let desk = try Desk()
        #expect(throws: ShellFailure.self) { try desk.stage(1, "x", options: ["--expect", "2"]) }
        #expect(desk.session.stagedCount == 0)
        try desk.stage(1, "x", options: ["--expect", "1"])
        let outcome = desk.run("commit -y --expect 2")
        #expect(outcome.code == .negative)
        #expect(outcome.errors.contains("1 object would change, not 2 as expected"))
        #expect(try desk.titles() == ["first", "second"])
        #expect(desk.run("commit -y --expect 1").code == .done)
    }

    @Test("what decides who may log in is asked about")
    func users() throws {
        let desk = try Desk(answers: ["no", "yes"])
        #expect(throws: ShellFailure.self) { try desk.stage(1, "x", path: "/acl_users/users") }
        #expect(desk.session.stagedCount == 0)
        try desk.stage(1, "x", path: "/acl_users/users")
        let question = "This changes 1 object that decides who may log in (/acl_users/users). Stage it? [y/N] "
        #expect(desk.questions.withLock { $0 } == [question, question])
        try desk.stage(1, "y", path: "/acl_users/users", options: ["-y"])
    }

    @Test("more than a hundred objects by one command are asked about, unless their number was said")
    func many() throws {
        let desk = try Desk(answers: ["n"])
        func stageMany(_ options: [String]) throws {
            _ = try desk.session.edit(try EditOptions.parse(options)) {
                for _ in 0..<101 { _ = try desk.session.workspace.newObject(Desk.thing("new")) }
                return .nothing
            }
        }
        #expect(throws: ShellFailure.self) { try stageMany([]) }
        #expect(desk.questions.withLock { $0 } == ["This changes 101 objects. Stage it? [y/N] "])
        #expect(desk.session.stagedCount == 0)
        try stageMany(["--expect", "101"])
        #expect(desk.session.stagedCount == 101)
    }

    @Test("leaving with edits staged asks")
    func leaving() throws {
        let desk = try Desk(answers: ["n", "y"])
        try desk.stage(1, "x")
        #expect(desk.run("quit").code == .refused)
        #expect(!desk.session.isFinished)
        #expect(desk.run("quit").code == .done)
        #expect(desk.session.isFinished)
    }

    @Test("edits that grow old are mentioned, now and then")
    func age() throws {
        let desk = try Desk()
        var time = 1_000_000.0
        desk.session.now = { time }
        try desk.stage(1, "x")
        time += 299
        #expect(desk.session.ageOfEdits() == nil)
        time += 2
        #expect(desk.session.ageOfEdits() == "staged for 5 min 1 s and not committed: conflicts become likely")
        time += 100
        #expect(desk.session.ageOfEdits() == nil)
        time += 300
        #expect(desk.session.ageOfEdits() != nil)
    }

    @Test("what others commit before the first look at an object does not get between a session and its edits")
    func firstLook() throws {
        let desk = try Desk()
        let tid = desk.session.snapshot
        try Desk.commit([2: Desk.thing("theirs")], to: desk.database)
        #expect(desk.run("set //a/.title 'mine'").code == .done)
        #expect(desk.session.snapshot == tid)
        #expect(desk.run("get //b/.title").output == "second\n")
        #expect(desk.run("commit -y").code == .done)
        #expect(try desk.titles() == ["mine", "theirs"])
    }

    @Test("an object that others changed meanwhile shows in prompt, status and commit: which, who, when")
    func conflict() throws {
        let desk = try Desk()
        try desk.stage(1, "mine", path: "/a")
        let theirs = try Desk.commit([1: Desk.thing("theirs"), 2: Desk.thing("also")], to: desk.database)
        try desk.session.poll()
        #expect(desk.prompt == "db1:8800 / FILE RW ↻1 *1 !› ")
        #expect(desk.run("status --fields oid,change").output == "#0x01\tconflict\n")
        let outcome = desk.run("commit -y")
        #expect(outcome.code == .conflict)
        #expect(outcome.errors.hasPrefix("zeoshell: /a: conflict: changed by / bob at 20"), "\(outcome.errors)")
        #expect(outcome.errors.contains("(theirs), transaction \(theirs.hex), class app.Thing"))
        #expect(try desk.titles() == ["theirs", "also"])
        #expect(desk.run("status --fields oid,change").output == "#0x01\tconflict\n")
        #expect(desk.run("get //a/.title").output == "mine\n")
    }
}

@Suite("The journal")
struct JournalTests {
    @Test("holds a line before a commit and one after it, for its owner alone")
    func lines() throws {
        let desk = try Desk()
        let before = try MemoryStorage(sharing: desk.database).load(ObjectID(rawValue: 1), at: .latest).serial
        try desk.stage(1, "x", path: "/a")
        #expect(desk.run("commit -y -m 'why'").code == .done)
        let lines = try desk.journal().map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(lines.count == 2)
        #expect(lines[0]["event"] == .string("begin"))
        #expect(lines[0]["address"] == .string("db1:8800"))
        #expect(lines[0]["user"] == .string("zeoshell:mary@\(hostName())"))
        #expect(lines[0]["description"] == .string("why"))
        #expect(lines[0]["lines"] == .array([.string("stage 1 x")]))
        let object = try #require(lines[0]["objects"]?.elements.first)
        #expect(object["oid"] == .string("0000000000000001"))
        #expect(object["path"] == .string("/a"))
        #expect(object["class"] == .string("app.Thing"))
        #expect(object["before"] == .string(before.hex))
        #expect(lines[1]["event"] == .string("committed"))
        #expect(lines[1]["id"] == lines[0]["id"])
        #expect(lines[1]["tid"] == .string(desk.session.snapshot.hex))
        let attributes = try FileManager.default.attributesOfItem(atPath: desk.journalFile.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("says of a commit that failed that it did, and goes on after a line that a crash cut off")
    func failure() throws {
        let desk = try Desk()
        try desk.stage(1, "x")
        try FileManager.default.createDirectory(
            at: desk.journalFile.deletingLastPathComponent(), withIntermediateDirectories: true)
        try #"{"id":"cut"#.write(to: desk.journalFile, atomically: true, encoding: .utf8)
        try Desk.commit([1: Desk.thing("theirs")], to: desk.database)
        #expect(desk.run("commit -y").code == .conflict)
        let lines = try desk.journal()
        #expect(lines.count == 3)
        #expect(try JSONValue(parsing: Array(lines[1].utf8))["event"] == .string("begin"))
        #expect(try JSONValue(parsing: Array(lines[2].utf8))["event"] == .string("failed"))
    }
}

@Suite("Services")
struct ServiceTests {
    private static let production = "[prod]\naddress = db1:8800\nenv = production\n"

    private func connected(_ services: String, answers: [String]? = []) throws -> Desk {
        let desk = try Desk(isWritable: false, answers: answers, services: services)
        try desk.session.connect("prod", try ConnectionOptions.parse(["--rw"]))
        return desk
    }

    @Test("a service's rules hold however its address is spelled; of several, the strictest")
    func spelling() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "services-\(UUID().uuidString)")
        let data = FileManager.default.temporaryDirectory.appending(path: "service-\(UUID().uuidString).fs")
        let link = data.path + ".link"
        defer { for path in [file.path, data.path, link] { try? FileManager.default.removeItem(atPath: path) } }
        try Data().write(to: data)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: data.path)
        try """
        [easy]
        address = \(data.path)
        [strict]
        address = \(data.path)
        env = Production
        [locked]
        address = \(data.path)
        readonly = always
        [server]
        address = localhost:8800
        env = production
        """.write(to: file, atomically: true, encoding: .utf8)
        let environment = Environment { [path = file.path] in $0 == "ZEOSHELL_SERVICES" ? path : nil }
        let services = try Services(environment)
        let name = data.lastPathComponent
        for spelling in [
            data.path, link, "file://" + data.path, data.deletingLastPathComponent().path + "//./" + name,
        ] {
            let service = services.service(at: try StorageAddress(parsing: spelling), environment)
            #expect(service?.isProduction == true, "\(spelling)")
            #expect(service?.readOnly == .always, "\(spelling)")
        }
        for spelling in ["127.0.0.1:8800", "LOCALHOST:8800", "[::1]:8800"] {
            #expect(
                services.service(at: try StorageAddress(parsing: spelling), environment)?.isProduction == true,
                "\(spelling)")
        }
        #expect(services.service(at: try StorageAddress(parsing: "localhost:8801"), environment) == nil)
    }

    @Test("production wants its name typed; -y is not enough, --yes-on is")
    func production() throws {
        let desk = try connected(Self.production, answers: ["y", "prod"])
        #expect(desk.prompt == "prod / FILE RW › ")
        try desk.stage(1, "x")
        #expect(desk.run("commit -y").code == .refused)
        #expect(try desk.titles() == ["first", "second"])
        #expect(desk.run("commit -y").code == .done)
        #expect(desk.questions.withLock { $0[0] }.contains("This is production: type its name, prod, or no"))
        #expect(try desk.titles() == ["x", "second"])

        let alone = try connected(Self.production, answers: nil)
        try alone.stage(1, "x")
        let outcome = alone.run("commit -y")
        #expect(outcome.code == .refused)
        #expect(outcome.errors.contains("--yes-on prod"))
        #expect(alone.run("commit --yes-on stage").code == .refused)
        #expect(alone.run("commit --yes-on prod").code == .done)
    }

    @Test("the address of a service is the service: its rules hold")
    func address() throws {
        let desk = try Desk(isWritable: false, answers: nil, services: Self.production)
        try desk.session.connect("db1:8800", try ConnectionOptions.parse(["--rw"]))
        #expect(desk.prompt == "prod / FILE RW › ")
        try desk.stage(1, "x")
        #expect(desk.run("commit -y").code == .refused)
    }

    @Test("readonly = always cannot be overruled; never allows changes at once")
    func readOnly() throws {
        #expect(throws: ShellFailure.self) { try connected("[prod]\naddress = db1:8800\nreadonly = always\n") }
        let desk = try Desk(isWritable: false, services: "[prod]\naddress = db1:8800\nreadonly = always\n")
        try desk.session.connect("prod", try ConnectionOptions.parse([]))
        #expect(desk.run("mode rw").code == .refused)
        #expect(desk.prompt == "prod / FILE › ")
        let never = try Desk(isWritable: false, services: "[prod]\naddress = db1:8800\nreadonly = never\n")
        #expect(never.run("connect prod").code == .done)
        #expect(never.prompt == "prod / FILE RW › ")
    }
}

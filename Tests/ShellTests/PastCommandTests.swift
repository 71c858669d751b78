import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("revert")
struct RevertCommandTests {
    @Test("stages the old state, shows it, and leaves the commit to the admin")
    func revert() throws {
        let desk = try Desk(answers: ["y"])
        try Desk.commit([1: Desk.thing("spoilt")], to: desk.database)
        _ = desk.run("refresh")
        let outcome = desk.run("revert //a@~1")
        #expect(outcome.code == .done, "\(outcome)")
        #expect(outcome.errors.contains("- .title = 'spoilt'\n  + .title = 'first'\n"), "\(outcome)")
        #expect(try desk.titles() == ["spoilt", "second"])
        #expect(desk.run("commit").code == .done)
        #expect(try desk.titles() == ["first", "second"])
        #expect(desk.run("log --limit 1 --fields description").output == "revert //a@~1\n")
        #expect(desk.run("revert //a@~2").errors == "nothing changed\n")
    }

    @Test("of a value inside an object that value alone comes back")
    func value() throws {
        let desk = try Desk()
        let before = desk.session.snapshot.hex
        func thing(_ title: String, _ more: String) -> [UInt8] {
            Made.record("app.Thing", Made.dict([("title", Made.text(title)), ("more", Made.text(more))]))
        }
        try Desk.commit([1: thing("spoilt", "later")], to: desk.database)
        _ = desk.run("refresh")
        #expect(desk.run("revert //a/.title@\(before)").errors.contains("- .title = 'spoilt'\n  + .title = 'first'\n"))
        #expect(desk.run("get //a/.more").output == "later\n")
        #expect(desk.run("commit -y").code == .done)
        #expect(try desk.titles() == ["first", "second"])
        // An attribute that the object has lost.
        #expect(desk.run("revert //a/.count@\(before)").code == .done)
        #expect(desk.run("get //a/.count").output == "7\n")
        #expect(desk.run("revert //a/.more@\(before)").errors.contains("'unset' and 'rm'"))
    }

    @Test("an object that its container has lost is put back there, with its state of then")
    func lost() throws {
        let desk = try Desk()
        let before = desk.session.snapshot.hex
        try Desk.commit([1: Desk.thing("spoilt")], to: desk.database)
        try Desk.commit([0: Made.root([("b", Made.reference(2, "app.Thing"))])], to: desk.database)
        _ = desk.run("refresh")
        let outcome = desk.run("revert //a@\(before)")
        #expect(outcome.code == .done, "\(outcome)")
        #expect(Set(desk.run("status --fields oid,path").lines) == ["#0x00\t//", "#0x01\t//a"])
        #expect(desk.run("commit -y").code == .done)
        #expect(desk.run("get //a/.title").output == "first\n")
        // The container by itself brings it back as well, as it is.
        #expect(desk.run("undo \(desk.session.snapshot.hex) -y").code == .done)
        #expect(desk.run("revert //@\(before)").code == .done)
        #expect(desk.run("get //a/.title").output == "spoilt\n")
    }

    @Test("asks before it takes away what was made since, by its names")
    func losses() throws {
        let desk = try Desk(answers: ["n", "y"])
        let before = desk.session.snapshot.hex
        let a = ("a", Made.reference(1, "app.Thing")), b = ("b", Made.reference(1, "app.Thing"))
        let made = (3...14).map { ("new\($0)", Made.reference(UInt64($0), "app.Thing")) }
        var records: [UInt64: [UInt8]] = [0: Made.root([a, b] + made)]
        for number in 3...14 { records[UInt64(number)] = Desk.thing("new") }
        try Desk.commit(records, to: desk.database)
        _ = desk.run("refresh")
        let refused = desk.run("revert //@\(before)")
        #expect(refused.code == .refused)
        #expect(desk.session.stagedCount == 0)
        let question = try #require(desk.questions.withLock { $0.last })
        #expect(question.contains("This takes away 13 items that were not there at "), "\(question)")
        #expect(question.contains("//b, //new3, //new4"), "\(question)")
        #expect(question.contains(", …. Stage it?"), "\(question)")
        #expect(desk.run("revert //@\(before)").code == .done)
        #expect(desk.run("abort").code == .done)
        #expect(desk.run("revert -y //@\(before)").code == .done)
        // What was there then is not asked about.
        #expect(desk.run("ls //").output == "a\nb\n")
        let nobody = try Desk(.interactive, answers: nil)
        try Desk.commit(records, to: nobody.database)
        _ = nobody.run("refresh")
        let outcome = nobody.run("revert //@~1")
        #expect(outcome.code == .refused)
        #expect(outcome.errors.contains("-y answers beforehand"), "\(outcome.errors)")
    }

    @Test("wants a time, and a name that nothing else has taken")
    func wrong() throws {
        let desk = try Desk()
        #expect(desk.run("revert //a").code == .usage)
        let before = desk.session.snapshot.hex
        try Desk.commit([0: Made.root([("a", Made.reference(2, "app.Thing"))])], to: desk.database)
        _ = desk.run("refresh")
        let other = desk.run("revert //a@\(before)")
        #expect(other.code == .refused)
        #expect(other.errors.contains("today another object is there, #0x02; then it was #0x01"), "\(other)")
        #expect(desk.session.stagedCount == 0)
    }

    @Test("in the past, read-only, or in a script without begin, nothing is staged")
    func refused() throws {
        #expect(try Desk(isWritable: false).run("revert //a@~0").code == .refused)
        #expect(try Desk(.script, answers: nil).run("revert //a@~0").code == .refused)
    }
}

@Suite("blame")
struct BlameCommandTests {
    @Test("tells for each attribute who set it, and when")
    func attributes() throws {
        let desk = try Desk()
        let first = desk.session.snapshot
        let second = try Desk.commit([1: Desk.thing("new")], to: desk.database, user: "bob", note: "edit")
        _ = desk.run("refresh")
        let lines = desk.run("blame //a --fields tid,user,description,part,value,remark").lines
        #expect(
            lines == [
                "\(second.hex)\tbob\tedit\t.title\t'new'\t",
                "\(first.hex)\t/ setup\ttheirs\t.count\t7\t",
            ])
        #expect(desk.run("blame //a/.title --fields tid,part,value").lines == ["\(second.hex)\t\t'new'"])
        let limited = desk.run("blame //a --revisions 1 --fields tid,remark").lines
        #expect(limited.count { $0.hasSuffix("then or before") } == 2)
        let json = try JSONValue(parsing: Array(desk.run("blame //a -o json").output.utf8))
        #expect(json.elements.first?["value"]?.string == "new")
    }

    @Test("tells for each line of a text who wrote it")
    func lines() throws {
        let desk = try Desk()
        let first = try Desk.commit([1: Desk.thing("one\ntwo\nthree\n")], to: desk.database)
        let second = try Desk.commit([1: Desk.thing("one\n2\nthree\n")], to: desk.database)
        _ = desk.run("refresh")
        #expect(
            desk.run("blame //a/.title --fields tid,line,text").lines == [
                "\(first.hex)\t1\tone", "\(second.hex)\t2\t2", "\(first.hex)\t3\tthree",
            ])
    }

    @Test("goes through the keys of a BTree as far as asked, from a key on")
    func keys() throws {
        let look = try Look("fs/py3-zodb6-btrees.fs")
        let all = look.run("blame //OOBTree-many --fields part").lines
        #expect(all.count > 100)
        #expect(all == look.run("ls //OOBTree-many --fields name").lines)
        let middle = try #require(all.dropFirst(all.count / 2).first)
        let tail = look.run("blame //OOBTree-many --from '\(middle)' --fields part").lines
        #expect(tail == Array(all.dropFirst(all.count / 2)))
    }

    @Test("of something that is not there is an error")
    func wrong() throws {
        let desk = try Desk()
        #expect(desk.run("blame //nothing").code == .data)
        #expect(desk.run("blame //a --from x").code == .usage)
        #expect(desk.run("blame //a --revisions 0").code == .usage)
    }
}

@Suite("bisect")
struct BisectCommandTests {
    /// As the program does: a pipe may end before all is written.
    init() { signal(SIGPIPE, SIG_IGN) }

    /// Twenty changes of /a; the twelfth spoils it.
    private func history(_ desk: Desk) throws -> [TransactionID] {
        let tids = try (1...20).map { number in
            try Desk.commit([1: Desk.thing(number < 12 ? "good \(number)" : "spoilt \(number)")], to: desk.database)
        }
        _ = desk.run("refresh")
        return tids
    }

    @Test("finds the transaction, and shows it")
    func finds() throws {
        let desk = try Desk()
        let tids = try history(desk)
        desk.session.place = try desk.session.place("//b")
        let outcome = desk.run("bisect -o json -- 'get //a/.title | grep -qv spoilt'")
        #expect(outcome.code == .done, "\(outcome)")
        #expect(outcome.output.hasPrefix("{\"tid\":\"\(tids[11].hex)\""), "\(outcome)")
        #expect(desk.session.past == nil)
        #expect(desk.run("pwd").output.hasPrefix("path\t//b\n"))
        let between = desk.run("bisect --good \(tids[9].hex) --bad \(tids[13].hex) -o json -- grep good //a")
        #expect(between.output.hasPrefix("{\"tid\":\"\(tids[11].hex)\""), "\(between)")
    }

    @Test("of an object's own transactions alone")
    func path() throws {
        let desk = try Desk()
        let tids = try history(desk)
        let other = try Desk.commit([2: Desk.thing("other")], to: desk.database)
        _ = desk.run("refresh")
        let outcome = desk.run("bisect --path //a -o json -- 'get //a/.title | grep -qv spoilt'")
        #expect(outcome.output.hasPrefix("{\"tid\":\"\(tids[11].hex)\""), "\(outcome)")
        // As far as the transactions of /b tell.
        let elsewhere = desk.run("bisect --path //b -o json -- 'get //a/.title | grep -qv spoilt'")
        #expect(elsewhere.output.hasPrefix("{\"tid\":\"\(other.hex)\""), "\(elsewhere)")
    }

    @Test("a missing object is bad")
    func missing() throws {
        let desk = try Desk()
        try Desk.commit([2: Desk.thing("x")], to: desk.database)
        let tid = try Desk.commit([0: Made.root([("b", Made.reference(2, "app.Thing"))])], to: desk.database)
        try Desk.commit([2: Desk.thing("y")], to: desk.database)
        _ = desk.run("refresh")
        #expect(desk.run("bisect -o json -- cat //a").output.hasPrefix("{\"tid\":\"\(tid.hex)\""))
    }

    @Test("an object that did not exist at first, was there, and is gone: since when is found without --good")
    func madeLater() throws {
        let desk = try Desk()
        _ = try history(desk)
        let made = Made.root([("a", Made.reference(1, "app.Thing")), ("late", Made.reference(2, "app.Thing"))])
        try Desk.commit([0: made], to: desk.database)
        for number in 0..<5 { try Desk.commit([2: Desk.thing("kept \(number)")], to: desk.database) }
        let gone = try Desk.commit([0: Made.root([("a", Made.reference(1, "app.Thing"))])], to: desk.database)
        for number in 0..<9 { try Desk.commit([2: Desk.thing("gone \(number)")], to: desk.database) }
        _ = desk.run("refresh")
        let outcome = desk.run("bisect -o json -- cat //late")
        #expect(outcome.output.hasPrefix("{\"tid\":\"\(gone.hex)\""), "\(outcome)")
    }

    @Test("what cannot be told is gone round; what says nothing about the data ends the search")
    func skips() throws {
        let desk = try Desk()
        let tids = try history(desk)
        let told = desk.run(
            #"bisect --fields tid -- 'get //a/.title | read t; case "$t" in *" 12") exit 125;; good*|first) exit 0;; *) exit 1;; esac'"#
        )
        #expect(told.code == .negative, "\(told)")
        #expect(told.lines == [tids[11].hex, tids[12].hex], "\(told)")
        #expect(desk.run("bisect -- nonsense").code == .usage)
        #expect(desk.run("bisect --").code == .usage)
        #expect(desk.run("bisect -- commit").code == .usage)
        #expect(desk.run("bisect -- bisect -- cat //a").code == .usage)
        #expect(desk.run("bisect -o json -- 'get //a/.title | no-such-program-here'").code == .environment)
    }

    @Test("a command that answers alike at both ends has no turn to find")
    func noTurn() throws {
        let desk = try Desk()
        _ = try history(desk)
        #expect(desk.run("bisect -- cat //a").errors.contains("--bad is good"))
        #expect(desk.run("bisect -- cat //nowhere").errors.contains("bad in the oldest transaction"))
        let first = desk.session.snapshot.hex
        #expect(desk.run("bisect --good \(first) -- cat //nowhere").code != .done)
    }
}

import ArgumentParser
import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("undo")
struct UndoCommandTests {
    /// Two changes of /a, and one of /b between them; the tids in this order.
    private func history(_ desk: Desk) throws -> [TransactionID] {
        let tids = try [
            Desk.commit([1: Desk.thing("renamed")], to: desk.database, user: " bob", note: "/a/edit"),
            Desk.commit([2: Desk.thing("moved")], to: desk.database, user: " eve", note: "/b/edit"),
            Desk.commit([1: Desk.thing("again")], to: desk.database, user: " eve", note: "/a/edit"),
        ]
        _ = desk.run("refresh")
        return tids
    }

    @Test("says what would change, asks, undoes, and can itself be undone")
    func undo() throws {
        let desk = try Desk(answers: ["y", "y"])
        let tids = try history(desk)
        let outcome = desk.run("undo \(tids[1].hex)")
        let tid = desk.session.snapshot
        #expect(
            outcome.output == "committed \(tid.hex): 1 object as before — undo with: undo \(tid.hex)\n", "\(outcome)")
        #expect(desk.questions.withLock { $0 } == ["Undo this transaction on db1:8800? [y/N/diff] "])
        #expect(try desk.titles() == ["again", "second"])
        let log = desk.run("log --limit 1 --fields tid,user,description").output
        #expect(log == "\(tid.hex)\tzeoshell:mary@\(hostName())\tundo \(tids[1].hex)\n")
        #expect(desk.run("undo last").code == .done)
        #expect(try desk.titles() == ["again", "moved"])
        let journal = try desk.journal().map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(journal.compactMap { $0["event"]?.string } == ["begin", "committed", "begin", "committed"])
        #expect(journal[0]["objects"]?.elements.first?["path"]?.string == "/b")
    }

    @Test("explains: the answer first, then each object with what would change; nothing is written, reading is enough")
    func explain() throws {
        let desk = try Desk(isWritable: false, answers: nil)
        let tids = try history(desk)
        let outcome = desk.run("undo \(tids[1].hex) --explain")
        #expect(outcome.code == .done)
        #expect(outcome.output.contains("undo \(tids[1].hex)  "), "\(outcome)")
        #expect(outcome.output.contains("  eve  /b/edit\n1 object would change back; it will succeed.\n"), "\(outcome)")
        #expect(outcome.output.contains("\n- .title = 'moved'\n+ .title = 'second'\n"), "\(outcome)")
        #expect(try desk.titles() == ["again", "moved"])
        #expect(try desk.journal().isEmpty)
        let json = try JSONValue(parsing: Array(desk.run("undo \(tids[1].hex) --explain -o json").output.utf8))
        let parts = json.elements
        #expect(parts[0]["undo"]?["succeeds"] == .bool(true))
        #expect(parts[1]["outcome"]?.string == "restored")
        #expect(parts[1]["difference"]?["changes"]?.elements.first?["before"]?.string == "moved")
    }

    @Test("names what is in the way, who did it, and what can be undone together")
    func inTheWay() throws {
        let desk = try Desk()
        let tids = try history(desk)
        let explained = desk.run("undo \(tids[0].hex) --explain")
        #expect(explained.code == .negative)
        #expect(
            explained.output.contains(
                "It cannot be undone like this: later changes are in the way of 1 of 1 object.\n"), "\(explained)")
        #expect(
            explained.output.contains("/a: changed later, and the two changes cannot be told apart\n"), "\(explained)")
        #expect(explained.output.contains("    by \(tids[2].hex)  "), "\(explained)")
        let command = "undo \(tids[2].hex) \(tids[0].hex)"
        #expect(explained.output.contains("it can be undone: \(command)\n"), "\(explained)")
        let refused = desk.run("undo \(tids[0].hex) -y")
        #expect(refused.code == .conflict)
        #expect(refused.errors.contains("can: \(command)"), "\(refused)")
        #expect(try desk.titles() == ["again", "moved"])
        #expect(desk.run("\(command) -y").code == .done)
        #expect(try desk.titles() == ["first", "moved"])
    }

    @Test("without an answer, without leave to write, or with edits staged, nothing is undone")
    func refused() throws {
        let readOnly = try Desk(isWritable: false, answers: [])
        let tids = try history(readOnly)
        #expect(readOnly.run("undo \(tids[2].hex) -y").code == .refused)
        let desk = try Desk(answers: ["n"])
        let others = try history(desk)
        #expect(desk.run("undo \(others[2].hex)").code == .refused)
        try desk.stage(2, "mine")
        #expect(desk.run("undo \(others[2].hex) -y").code == .refused)
        #expect(desk.session.stagedCount == 1)
        #expect(try desk.titles() == ["again", "moved"])
        let script = try Desk(.script, answers: nil)
        let third = try history(script)
        #expect(script.run("undo \(third[2].hex)").errors.contains("(-y answers beforehand)"))
        // An undo is a transaction of its own: a script needs no begin for it.
        #expect(script.run("undo \(third[2].hex) -y").code == .done)
    }

    @Test("a production database wants its name")
    func production() throws {
        let services = "[prod]\naddress = db1:8800\nenv = production\n"
        let desk = try Desk(.script, answers: nil, services: services)
        try desk.session.connect("prod", try ConnectionOptions.parse(["--rw"]))
        let tids = try history(desk)
        #expect(desk.run("undo \(tids[2].hex) -y").code == .refused)
        #expect(desk.run("undo \(tids[2].hex) --yes-on prod").code == .done)
        #expect(try desk.titles() == ["renamed", "moved"])
    }

    @Test("a dry run goes as far as the vote; --expect counts objects")
    func dryRun() throws {
        let desk = try Desk()
        let tids = try history(desk)
        let outcome = desk.run("undo \(tids[2].hex) --dry-run")
        #expect(outcome.output == "dry run: it could be undone, 1 object; nothing was written\n", "\(outcome)")
        #expect(desk.run("undo \(tids[2].hex) -y --expect 2").code == .negative)
        #expect(try desk.titles() == ["again", "moved"])
    }

    @Test("what is no transaction, or none that is known, is said to be so")
    func unknown() throws {
        let desk = try Desk()
        #expect(desk.run("undo yesterday").code == .usage)
        #expect(desk.run("undo last").code == .data)
        let outcome = desk.run("undo 0000000000000001 --explain")
        #expect(outcome.code == .negative)
        #expect(outcome.output.contains("older than all that is known"), "\(outcome)")
        #expect(desk.run("undo 0000000000000001 -y").code == .data)
    }

    @Test("packed transactions are explained", arguments: ["undo-packed.fs", "undo-packed-nogc.fs"])
    func packed(file: String) throws {
        let look = try Look("fs/\(file)")
        let rows = look.run("log -o tsv --fields tid,status").lines.map { $0.split(separator: "\t") }
        let packed = try #require(rows.first { $0[1] == "packed" })
        let outcome = look.run("undo \(packed[0]) --explain")
        #expect(outcome.code == .negative)
        #expect(outcome.output.contains("a pack has been over it"), "\(outcome)")
    }
}

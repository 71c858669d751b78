import ArgumentParser
import Foundation
import ObjectGraph
import Pickle
import Storages
import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("Plans")
struct PlanTests {
    @Test("a plan is applied where the objects are as they were; new objects get oids of their own")
    func apply() throws {
        let desk = try Desk()
        let file = desk.state.appending(path: "plan").path
        try desk.stage(1, "planned", path: "//a")
        let new = try desk.session.workspace.newObject(Desk.thing("new"))
        #expect(desk.run("set //b/.other #\(new)").code == .done)
        let plan = desk.run("plan")
        #expect(plan.output.contains(#""changes":["- .title = 'first'","+ .title = 'planned'"]"#), "\(plan.output)")
        try plan.output.write(toFile: file, atomically: true, encoding: .utf8)
        #expect(desk.run("abort").code == .done)
        // The oid of the plan is given to somebody else meanwhile.
        try Desk.commit([new.rawValue: Desk.thing("another")], to: desk.database)
        #expect(desk.run("refresh").code == .done)
        #expect(desk.run("apply \(file)").code == .done)
        #expect(desk.run("commit -y").code == .done)
        #expect(try desk.titles() == ["planned", "second"])
        #expect(desk.run("get //b/.other/.title").output == "new\n")
        #expect(desk.run("get #\(new)/.title").output == "another\n")
        // Now they are not as they were.
        let again = desk.run("apply \(file)")
        #expect(again.code == .conflict)
        #expect(again.errors.contains("2 objects changed since the plan was made: nothing was staged"))
        #expect(desk.session.stagedCount == 0)
    }

    @Test("a file that is no plan, or cut off, is refused, and says where, what was expected and what found")
    func malformed() throws {
        let planned = try Planned()
        let (head, first, second) = (planned.lines[0], planned.lines[1], planned.lines[2])
        let oid = #""oid":"0000000000000001""#
        /// The head and the first object, with something in it replaced.
        func tampered(_ old: String, _ new: String) -> String { head + "\n" + first.replacing(old, with: new) }
        func joined(_ lines: String...) -> String { lines.joined(separator: "\n") }
        let cases: [(text: String, message: String)] = [
            ("", "expected a head and objects, found nothing"),
            ("{}", ":1: 'zeoshell_plan': expected a plan of version 1, found nothing"),
            ("nonsense", ":1: expected a line of JSON, found none"),
            ("[1]", ":1: expected a JSON object"),
            (joined(head, first), "expected 2 objects, as the head says, found 1 object"),
            (joined(head, String(first.dropLast(5))), ":2: expected a line of JSON"),
            (head.replacing(#""objects":2"#, with: #""objects":-2"#), ":1: 'objects': expected how many"),
            (head.replacing(#""snapshot""#, with: #""other""#), ":1: 'snapshot': expected 16 hexadecimal digits"),
            (tampered(oid, #""oid":"+000000000000001""#), ":2: 'oid': expected 16 hexadecimal digits"),
            (tampered(oid, #""oid":1"#), ":2: 'oid': expected 16 hexadecimal digits, found 1"),
            (tampered(oid, oid + "," + oid), ":2: expected each entry once, found 'oid' twice"),
            (tampered(#""before":""#, #""before":"*"#), ":2: 'before': expected bytes in base64"),
            (tampered(#""after":""#, #""after":"AAAA"#), ":2: 'after': expected a record of an object"),
            (tampered(#""path":"//a""#, #""path":null"#), ":2: 'path': expected a text, found null"),
            (tampered(#""changes":["#, #""changes":[7,"#), ":2: 'changes': expected texts alone"),
            (joined(head, first, first), ":3: 'oid': expected an object that no other line has"),
            (joined(head, "", second, second, second), "as line 3"),
        ]
        for (text, message) in cases {
            let outcome = try planned.apply(text + "\n")
            #expect(outcome.code == .data, "\(text): \(outcome.errors)")
            #expect(outcome.errors.contains(message), "\(text): \(outcome.errors)")
            #expect(planned.desk.session.stagedCount == 0)
        }
        #expect(planned.desk.run("plan").code == .negative)
    }

    @Test("every plan cut off anywhere, or with any byte changed, is refused or stages what it shows; nothing traps")
    func damaged() throws {
        let planned = try Planned()
        let bytes = Array(planned.text.utf8)
        var generator = SystemRandomNumberGenerator()
        for count in stride(from: 0, to: bytes.count - 1, by: 7) {
            let outcome = try planned.apply(bytes: Array(bytes[..<count]))
            #expect(outcome.code != .done, "cut after \(count)")
        }
        for index in stride(from: 0, to: bytes.count, by: 5) {
            var other = bytes
            other[index] = UInt8.random(in: .min ... .max, using: &generator)
            let outcome = try planned.apply(bytes: other)
            #expect([.done, .data, .conflict, .refused].contains(outcome.code), "\(index): \(outcome.errors)")
            #expect(planned.desk.run("abort").code == .done)
        }
    }

    @Test("what a plan says for people is what its records do, or it is refused")
    func readable() throws {
        let planned = try Planned()
        for (old, new, message) in [
            ("+ .title = 'planned'", "+ .title = 'harmless'", "found + .title = 'harmless'"),
            (#""changes":["- .title = 'first'","+ .title = 'planned'"]"#, #""changes":[]"#, "found nothing more"),
            ("app.Thing", "app.Other", ":2: 'class': expected 'app.Thing', as in 'after', found 'app.Other'"),
        ] {
            let outcome = try planned.apply(planned.text.replacing(old, with: new))
            #expect(outcome.code == .data, "\(new): \(outcome.errors)")
            #expect(outcome.errors.contains(message), "\(new): \(outcome.errors)")
        }
        let hidden = planned.lines[1].replacing(
            Base64.text(Desk.thing("planned")),
            with: Base64.text(Self.withCall(Desk.thing("planned"))))
        let outcome = try planned.apply([planned.lines[0], hidden, planned.lines[2]].joined(separator: "\n"))
        #expect(outcome.code == .data)
        #expect(outcome.errors.contains("found calls whose result nothing uses"), "\(outcome.errors)")
    }

    /// A record in front of whose state something is called, and forgotten.
    private static func withCall(_ record: [UInt8]) -> [UInt8] {
        let stop = record.firstIndex(of: UInt8(ascii: ".")) ?? 0
        return record[...stop] + Array("cos\nsystem\n(S'true'\ntR0".utf8) + record[(stop + 1)...]
    }

    @Test("a path that leads to another object than the plan says is refused")
    func paths() throws {
        let planned = try Planned()
        let outcome = try planned.apply(planned.text.replacing(#""path":"//a""#, with: #""path":"//b""#))
        #expect(outcome.code == .conflict)
        #expect(
            outcome.errors.contains(":2: 'path': expected a path of #0x01, found //b, one that leads to #0x02"),
            "\(outcome.errors)")
        #expect(planned.desk.session.stagedCount == 0)
        // Moved since: the object is the same revision, its path is another's.
        try Desk.commit(
            [0: Made.root([("a", Made.reference(2, "app.Thing")), ("b", Made.reference(1, "app.Thing"))])],
            to: planned.desk.database)
        #expect(planned.desk.run("refresh").code == .done)
        #expect(try planned.apply(planned.text).code == .conflict)
    }

    @Test("a record that is not, byte for byte, the one that was edited is another, whatever its serial says")
    func before() throws {
        let planned = try Planned()
        let text = planned.text.replacing(Base64.text(Desk.thing("first")), with: Base64.text(Desk.thing("third")))
            .replacing("- .title = 'first'", with: "- .title = 'third'")
        let outcome = try planned.apply(text)
        #expect(outcome.code == .conflict)
        #expect(outcome.errors.contains("1 object changed since the plan was made"), "\(outcome.errors)")
    }

    @Test("a new object that was left out of the plan is missed, also when its oid is another's by now")
    func leftOut() throws {
        let desk = try Desk()
        let new = try desk.session.workspace.newObject(Desk.thing("new"))
        #expect(desk.run("set //b/.other #\(new)").code == .done)
        let lines = desk.run("plan").output.split(separator: "\n").map(String.init)
        #expect(desk.run("abort").code == .done)
        let planned = Planned(desk, lines.filter { !$0.contains(new.hex.suffix(16) + #"","path":"#) })
        let text = planned.text.replacing(#""objects":2"#, with: #""objects":1"#)
        let missing = try planned.apply(text)
        #expect(missing.code == .conflict)
        #expect(missing.errors.contains("found one to \(new.path), which is in neither"), "\(missing.errors)")
        try Desk.commit([new.rawValue: Desk.thing("another")], to: desk.database)
        #expect(desk.run("refresh").code == .done)
        let younger = try planned.apply(text)
        #expect(younger.code == .conflict)
        #expect(younger.errors.contains("came into being after it"), "\(younger.errors)")
    }

    @Test("an object that is lost is made again under its own oid")
    func lost() throws {
        let desk = try Desk()
        try Desk.commit(
            [0: Made.root([("a", Made.reference(1, "app.Thing")), ("gone", Made.reference(0x63, "app.Thing"))])],
            to: desk.database)
        #expect(desk.run("refresh").code == .done)
        let oid = ObjectID(rawValue: 0x63)
        _ = try desk.session.edit(try EditOptions.parse([])) {
            try desk.session.workspace.stageAnew(Desk.thing("back"), for: oid)
            return .nothing
        }
        let planned = Planned(desk, desk.run("plan").output.split(separator: "\n").map(String.init))
        #expect(desk.run("abort").code == .done)
        #expect(try planned.apply(planned.text).code == .done)
        #expect(desk.run("commit -y").code == .done)
        #expect(desk.run("get //gone/.title").output == "back\n")
        // It is there now: making it again would take it away.
        #expect(try planned.apply(planned.text).code == .conflict)
    }

    @Test("what a plan says was typed is told as what the plan says")
    func description() throws {
        let planned = try Planned()
        #expect(try planned.apply(planned.text).code == .done)
        let lines = planned.desk.session.transaction.lines
        #expect(lines.dropLast() == ["planned: stage 1 planned", "planned: stage 2 planned"])
        #expect(lines.last?.hasPrefix("apply ") == true)
    }
}

/// A plan with two edits, as lines that can be tampered with.
private struct Planned {
    let desk: Desk
    let lines: [String]

    var text: String { lines.joined(separator: "\n") + "\n" }

    init(_ desk: Desk, _ lines: [String]) { (self.desk, self.lines) = (desk, lines) }

    init() throws {
        let desk = try Desk()
        try desk.stage(1, "planned", path: "//a")
        try desk.stage(2, "planned", path: "//b")
        self.init(desk, desk.run("plan").output.split(separator: "\n").map(String.init))
        #expect(desk.run("abort").code == .done)
    }

    func apply(_ text: String) throws -> Look.Outcome { try apply(bytes: Array(text.utf8)) }

    func apply(bytes: [UInt8]) throws -> Look.Outcome {
        let file = desk.state.appending(path: "plan").path
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return desk.run("apply \(file)")
    }
}

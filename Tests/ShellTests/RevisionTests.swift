import TestSupport
import Testing

@testable import Shell

@Suite("log PATH, show, diff")
struct RevisionTests {
    private func row(_ line: String) throws -> JSONValue { try JSONValue(parsing: Array(line.utf8)) }

    @Test("an object's log is its history as Python tells it, undos and deletions included")
    func log() throws {
        let look = try Look("fs/undo.fs")
        let objects = try #require(try SampleData.json("expected/undo.json")["undo.fs"]?["objects"])
        for object in objects.members {
            let oid = try #require(object.value["oid"]?.string)
            let rows = try look.run("log #\(oid) -o jsonl").lines.map(row)
            let history = try #require(object.value["history"]?.elements)
            #expect(rows.map { $0["tid"] } == history.map { $0["tid"] }, "\(object.key)")
            #expect(rows.map { $0["size"] } == history.map { $0["size"] }, "\(object.key)")
            let descriptions = rows.map { "b'\($0["description"]?.string ?? "")'" }
            #expect(descriptions == history.map { $0["description"]?.string })
            for (row, entry) in zip(rows, history) where entry["size"]?.int == 0 {
                #expect(row["remark"]?.string != nil)
            }
        }
        let remarks = try look.run("log #5 -o jsonl").lines.map { try row($0)["remark"] }
        #expect(remarks == [.string("deleted"), .null])
        #expect(
            try look.run("log #1 -o jsonl --limit 1").lines.map { try row($0)["remark"]?.string?.prefix(4) } == ["undo"]
        )
    }

    @Test("a log ends where asked, and what never was has none")
    func bounds() throws {
        let look = try Look("fs/undo.fs")
        #expect(look.run("log #1 --limit 2 --fields tid").lines == ["040d271cef8228cc", "040d271cef8012dd"])
        #expect(look.run("log #1@040d271ceefb0822 --fields tid --limit 1").lines == ["040d271ceefb0822"])
        #expect(look.run("log #1 --since 040d271cef8012dd --fields tid").lines.count == 2)
        #expect(look.run("log #1 --until 040d271ceef8a2ee --fields tid").lines.count == 2)
        #expect(look.run("log //a/.title --fields tid").lines.count == 7)
        #expect(look.run("log #ffff").code == .data)
    }

    @Test(
        "show tells a transaction's records as the file has them, and their paths",
        arguments: ["undo", "zope213", "zope5"])
    func show(name: String) throws {
        let look = try Look("fs/\(name).fs")
        for transaction in try #require(try SampleData.json("expected/\(name).fs.json")["transactions"]).elements {
            let tid = try #require(transaction["tid"]?.string)
            let shown = look.run("show \(tid) -o json")
            let answer = try row(shown.output)
            #expect(answer["tid"]?.string == tid)
            let records = try #require(transaction["records"]?.elements)
            #expect(answer["objects"]?.elements.map { $0["oid"] } == records.map { $0["oid"] })
            for (object, record) in zip(answer["objects"]?.elements ?? [], records) {
                guard let data = record["data"], let module = data["class"]?["module"]?.string,
                    let name = data["class"]?["name"]?.string
                else { continue }
                #expect(object["class"]?.string == "\(module).\(name)")
                #expect(object["size"] == data["len"])
            }
        }
    }

    @Test("an object that was deleted later has the path of then")
    func pathOfThen() throws {
        let look = try Look("fs/zope5.fs")
        let tid = look.run("log --limit 2 --fields tid").lines[1]
        let shown = look.run("show \(tid) --fields path").lines
        #expect(Set(shown) == ["/site", "/site/broken", "/site/deleted_later"])
    }

    @Test("the last change of an object, entry by entry")
    func lastChange() throws {
        let look = try Look("fs/zope213.fs")
        let difference = look.run("diff /site")
        #expect(difference.code == .negative)
        let lines = difference.lines
        #expect(lines[0].hasPrefix("--- /site@~1  040d271cf63c2700  2026-11-20T23:24:57.711"))
        #expect(lines[1].hasPrefix("+++ /site  040d271cf63daebb  2026"))
        #expect(
            lines.dropFirst(2).sorted() == [
                "- ._objects[13] = {'meta_type': 'Folder', 'id': 'deleted_later'}",
                "- .deleted_later = <#0x76 OFS.Folder.Folder>",
            ])
    }

    @Test("two states of an object, two objects, a value; the same is exit code 0 and no output")
    func pairs() throws {
        let look = try Look("fs/undo.fs")
        let states = look.run("diff //a@040d271ceef6ab66 //a@040d271cef8012dd")
        #expect(states.code == .negative)
        #expect(states.lines.count { $0.hasPrefix("+ ") } >= 1)
        // The undo of an undo of an undo: data and values as in the beginning.
        #expect(
            look.run("diff //a@040d271ceef8a2ee //a").code
                == (look.run("cat //a@040d271ceef8a2ee").output == look.run("cat //a").output ? .done : .negative))
        let same = look.run("diff //a //a")
        #expect(same.code == .done && same.output == "" && same.errors.contains("no difference"))
        #expect(try row(look.run("diff //a //a -o json").output)["changes"] == .array([]))
        #expect(look.run("diff //a //acct").code == .negative)
        #expect(look.run("diff //a/.title //a/.title").code == .done)
        #expect(look.run("diff //a //nope").code == .data)
        #expect(look.run("diff").code == .done)
    }

    @Test("a path with a time is compared with now")
    func sinceThen() throws {
        let look = try Look("fs/undo.fs")
        let json = try row(look.run("diff //acct@040d271ceef6ab66 -o json").output)
        #expect(json["before"]?["serial"] == .string("040d271ceef6ab66"))
        #expect(json["after"]?["serial"] == .string("040d271cef0a8add"))
        #expect(json["changes"]?.elements.first?["change"] == .string("changed"))
    }

    @Test("what was made by its only transaction is all new; what was deleted is all gone")
    func ends() throws {
        let look = try Look("fs/undo.fs")
        let made = look.run("diff #4")
        #expect(made.lines.first == "--- #4 (nothing)")
        #expect(made.lines.dropFirst(2).allSatisfy { $0.hasPrefix("+ ") } && made.lines.count > 2)
        let gone = look.run("diff #5")
        #expect(gone.lines[1] == "+++ #5 (nothing)")
        #expect(gone.lines.dropFirst(2).allSatisfy { $0.hasPrefix("- ") } && gone.lines.count > 2)
        #expect(look.run("diff #ffff").code == .data)
    }

    @Test("show --diff tells what a transaction did to each object")
    func showDifferences() throws {
        let look = try Look("fs/zope213.fs")
        let documents = try row(look.run("show 040d271cf63c2700 --diff -o json").output).elements
        #expect(documents.map { $0["path"]?.string } == ["/site", "/site/deleted_later", "/site/broken"])
        #expect(documents[0]["changes"]?.elements.contains { $0["path"] == .string(".broken") } ?? false)
        #expect(documents[1]["before"] == .null)
        #expect(look.run("show 040d271cf63c2700 --diff").output.contains("+ .title = 'class is not importable'"))
    }

    @Test("texts are compared line by line")
    func lines() {
        #expect(
            LineDifference.lines(from: "a\nb\nc\nd\ne\nf\ng\nh", to: "a\nb\nc\nd\nE\nf\ng\nh\ni")
                == ["  …", "  c", "  d", "- e", "+ E", "  f", "  g", "  h", "+ i"])
        #expect(LineDifference.lines(from: "x", to: "x\ny") == ["  x", "+ y"])
        #expect(LineDifference.lines(from: "a\nb", to: "b") == ["- a", "  b"])
        let long = (0..<5000).map(String.init)
        let changed = LineDifference.lines(
            from: long.joined(separator: "\n"), to: long.reversed().joined(separator: "\n"))
        #expect(changed.count > 5000)
    }

    @Test("a script's source is compared line by line")
    func source() throws {
        let lines = try Look("fs/zope5.fs").run("diff /site/adder /site/access_rule").lines
        let start = try #require(lines.firstIndex(of: "  ._body:"))
        #expect(lines[start + 1] == "-   return a + b")
        #expect(lines[start + 2].hasPrefix("+   "))
    }
}

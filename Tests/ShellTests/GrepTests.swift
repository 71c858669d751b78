import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("grep")
struct GrepTests {
    @Test(
        "text is found in attributes, keys, sources and values of BTrees, with the line",
        arguments: [
            ("grep 'return a [+] b' /", ["/site/adder\t._body\t1\treturn a + b"]),
            ("grep -F 'a + b' /site", ["/site/adder\t._body\t1\treturn a + b"]),
            ("grep '<p>hello' /", ["/site/dtml_method\t.raw\t2\t<p>hello</p>"]),
            ("grep -i 'THE SITE' / --fields path,attribute", ["/site\t.title"]),
            ("grep '^The Site$' /site --fields path,attribute", ["/site\t.title"]),
            ("grep -l hello /", ["/site/dtml_method"]),
            (
                "grep sub07 /site/btf/._tree --fields path,attribute",
                ["/site/btf/._tree\tsub07", "/site/btf/._tree/sub07\t.id"]
            ),
        ])
    func found(line: String, rows: [String]) throws {
        let outcome = try Look("fs/zope5.fs").run(line)
        #expect(outcome.errors == "")
        #expect(Array(outcome.lines.prefix(rows.count)) == rows, "\(outcome.output)")
        #expect(outcome.code == .done)
    }

    @Test("a key says that it is one, and in which object")
    func keys() throws {
        let rows = try Look("fs/zope5.fs").run("grep mary-id /pas_site/acl_users/users -o jsonl").lines
            .map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(rows.contains { $0["path"] == .string("/pas_site/acl_users/users") && $0["key"] == .bool(true) })
        let byValue = rows.filter { $0["path"] == .string("/pas_site/acl_users/users/._login_to_userid") }
        #expect(byValue.map { $0["key"] } == [.bool(false)])
        #expect(byValue.map { $0["attribute"] } == [.string("mary")])
    }

    @Test("each object once with -l, whatever else is in it")
    func objects() throws {
        let outcome = try Look("fs/zope5.fs").run("grep -l e /site -o jsonl")
        let paths = try outcome.lines.map { try JSONValue(parsing: Array($0.utf8))["path"]?.string ?? "" }
        #expect(paths.count > 10)
        #expect(Set(paths).count == paths.count)
    }

    @Test("nothing found is exit code 1; a bad expression is wrong usage, and -F takes it")
    func codes() throws {
        let look = try Look("fs/zope5.fs")
        #expect(look.run("grep nixda /").code == .negative)
        #expect(look.run("grep '(' /").code == .usage)
        #expect(look.run("grep -F 'nix(' /").code == .negative)
        #expect(look.run("grep").code == .usage)
        look.session.interruption.raise()
        #expect(look.run("grep x /").code == .interrupted)
    }

    @Test("binary data is named, not shown")
    func binary() throws {
        let outcome = try Look("fs/zope5.fs").run("grep GIF89a /site/logo -o jsonl")
        let row = try JSONValue(parsing: Array(try #require(outcome.lines.first).utf8))
        #expect(row["attribute"] == .string(".data") && row["text"] == .string("") && row["line"] == .null)
    }
}

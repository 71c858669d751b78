import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

@Suite("find")
struct FindTests {
    @Test(
        "every object of the site is found under the path, class and oid that Python has",
        arguments: ["zope213", "zope5"])
    func everything(site: String) throws {
        let found = try Look("fs/\(site).fs").run("find / -o jsonl")
        #expect(found.code == .done)
        var objects: [String: (JSONValue?, JSONValue?)] = [:]
        for line in found.lines {
            let row = try JSONValue(parsing: Array(line.utf8))
            objects[try #require(row["path"]?.string)] = (row["class"], row["oid"])
        }
        #expect(objects.count == found.lines.count)
        let paths = try #require(try SampleData.json("expected/\(site).site.json")["paths"])
        var count = 0
        for member in paths.members {
            // What has no oid is made anew by Zope at each access.
            guard let oid = member.value["oid"] else { continue }
            // `Products` is an attribute of the Control Panel, not in its list.
            let path = member.key == "/Control_Panel/Products" ? "/Control_Panel/.Products" : member.key
            #expect(objects[path]?.0 == member.value["class"], "\(path)")
            #expect(objects[path]?.1 == oid, "\(path)")
            count += 1
        }
        #expect(count > 60)
    }

    @Test(
        "each test finds what it should",
        arguments: [
            ("find / --class File", ["/site/big_file", "/site/small_file"]),
            ("find / --class File --class '*Image'", ["/site/big_file", "/site/logo", "/site/small_file"]),
            ("find /site --where __before_traverse__", ["/site"]),
            ("find / --class OFS.Image.File", ["/site/big_file", "/site/small_file"]),
            ("find /site --class '*.PythonScripts.*'", ["/site/access_rule", "/site/adder"]),
            ("find / --size +100k", ["/site/big_file"]),
            ("find / --size 150000", ["/site/big_file"]),
            ("find /site --class File --size -1k", ["/site/small_file"]),
            ("find / --where \"title == 'The Site'\"", ["/site"]),
            ("find / --where 'title ~ Site'", ["/site"]),
            ("find / --where '.number >= 42'", ["/site"]),
            ("find / --where '.number > 42'", []),
            ("find / --where 'title ~ Site' --where '.number == 41'", []),
            (
                "find / --name 'sub0?' --where 'id != sub03' --limit 3",
                ["/site/btf/sub00", "/site/btf/sub01", "/site/btf/sub02"]
            ),
            ("find /site/btf --name sub07", ["/site/btf/sub07"]),
            (
                "find site/btf site/page --name 's*1'",
                ["/site/btf/sub01", "/site/btf/sub11", "/site/btf/sub21", "/site/btf/sub31"]
            ),
            ("find '/*/acl_users' --class '*Folder'", ["/site/acl_users"]),
            ("find / --class Gone", ["/site/broken"]),
        ])
    func tests(line: String, paths: [String]) throws {
        let found = try Look("fs/zope5.fs").run(line + " --fields path")
        #expect(found.lines.sorted() == paths)
        #expect(found.code == (paths.isEmpty ? .negative : .done))
        #expect(found.errors.contains("nothing found") == paths.isEmpty)
        #expect(found.errors.isEmpty != paths.isEmpty)
    }

    @Test("--since finds what a transaction and those after it wrote")
    func since() throws {
        let look = try Look("fs/zope5.fs")
        let facts = try SampleData.json("expected/zope5.fs.json")
        let tid = try #require(facts["transactions"]?.elements.suffix(3).first?["tid"]?.string)
        var expected: Set<String> = []
        for member in try #require(facts["current"]).members {
            if let written = member.value["tid"]?.string, written >= tid { expected.insert(member.key) }
        }
        let found = look.run("find // --since \(tid) -o jsonl --fields oid")
        let oids = try found.lines.map { try JSONValue(parsing: Array($0.utf8))["oid"]?.string }
        // Buckets of BTrees are no objects to be found.
        #expect(!oids.isEmpty && Set(oids.compactMap(\.self)).isSubset(of: expected))
        #expect(look.run("find / --since now").code == .negative)
        #expect(look.run("find / --since ~2").code == .usage)
    }

    @Test("an object that is missing is listed as that, with who refers to it, and ends nothing")
    func missing() throws {
        let look = try Look("fs/py3-zodb6-refs.fs")
        let found = look.run("find #3f1 --fields path,oid,note")
        #expect(found.lines == ["#0x03f1\t#0x03f1\t", "#0x03f1/.body\t#0xdead\tno such object; #0x03f1 refers to it"])
        #expect(look.run("find #3f1 --where 'title == 1'").code == .negative)
        #expect(look.run("find #3f1 --size +0 --fields path").lines == ["#0x03f1"])
    }

    @Test("paths for xargs end with a NUL each, and nothing else is written")
    func nulSeparated() throws {
        #expect(
            try Look("fs/zope5.fs").run("find /site --class File -0").output == "/site/small_file\0/site/big_file\0")
    }

    @Test(
        "what makes no sense is wrong usage",
        arguments: [
            "find --size big", "find --where 'title ='", "find --where \"x == 'y\"", "find --since soon",
            "find --where 'a* == 1'",
        ])
    func usage(line: String) throws {
        let found = try Look("fs/zope5.fs").run(line)
        #expect(found.code == .usage && found.output == "" && found.errors != "")
    }

    @Test("what leads nowhere is an error before anything is shown")
    func nowhere() throws {
        let found = try Look("fs/zope5.fs").run("find /site /nope")
        #expect(found.code == .data && found.output == "")
    }

    @Test("Ctrl-C ends a search; what was found is shown")
    func interrupted() throws {
        let look = try Look("fs/zope5.fs")
        look.session.interruption.raise()
        let found = look.run("find /")
        #expect(found.code == .interrupted)
    }

    @Test(
        "sizes are read as people write them",
        arguments: [
            ("+50M", 52_428_801...Int.max), ("-1k", 0...1023), ("10", 10...10), ("2kb", 2048...2048), ("0", 0...0),
            ("+1G", 1_073_741_825...Int.max), ("3B", 3...3),
        ])
    func sizes(text: String, range: ClosedRange<Int>) {
        #expect(SizeBound(text)?.range == range)
    }

    @Test("what is no size is none", arguments: ["", "+", "M", "1x", "-0", "99999999999999999999", "9000000T", "1 k"])
    func noSizes(text: String) {
        #expect(SizeBound(text) == nil)
    }
}

@Suite("Streams of rows")
struct StreamTests {
    private static let file = SampleData.path("fs/zope5.fs")
    private let program = BuiltProgram.zeoshell

    @Test("a pipe that has had enough ends find without an error; a file gets everything")
    func targets() throws {
        let all = try program.run(["find", Self.file, "/"]).output
        #expect(all.split(separator: "\n").count > 100)
        let file = "/tmp/zeoshell-find-\(UInt64.random(in: 0 ... .max)).txt"
        let run = try program.run([
            "connect", Self.file, "-c", "find / | head -n 1", "-c", "find / > \(file)", "-c", "!cat \(file)",
            "-c", "find /site --class File --fields path >> \(file)", "-c", "!tail -n 1 \(file); rm \(file)",
        ])
        #expect(run.errors == "")
        #expect(run.status == 0)
        let first = all.prefix { $0 != "\n" } + "\n"
        #expect(run.output == first + all + "/site/big_file\n")
    }

    @Test("the reader of a search leaves early, and the search ends at once")
    func closedPipe() throws {
        let shell = BuiltProgram(url: .init(filePath: "/bin/bash"))
        let script = "set -o pipefail; \"$0\" find \"$1\" / -o jsonl | head -n 1 | wc -l"
        let run = try shell.run(["-c", script, program.url.path, Self.file])
        #expect(run.output == "1\n" && run.errors == "" && run.status == 0)
    }
}

import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("ls")
struct ListTests {
    static let sites = ["zope213", "zope5"]

    @Test("names children as Zope does, in the container's order")
    func names() throws {
        let look = try Look("fs/zope5.fs")
        #expect(
            look.run("ls").lines == [
                "acl_users", "browser_id_manager", "session_data_manager", "error_log", "virtual_hosting", "index_html",
                "site", "pas_site",
            ])
        #expect(look.run("ls //").output == "Application\n")
        #expect(look.run("ls /site/.lines_prop").output == "[0]\n[1]\n")
        #expect(look.run("ls /site/.title").output == "")
    }

    @Test("a screen shows names side by side, cut to nothing")
    func compact() throws {
        let outcome = try Look("fs/zope5.fs").run("ls", width: 60)
        #expect(
            outcome.lines == [
                "acl_users             error_log        site", "browser_id_manager    virtual_hosting  pas_site",
                "session_data_manager  index_html",
            ])
    }

    @Test("-l tells kind, size, time, oid and title, and reads every child for it; --wide tells the class too")
    func long() throws {
        let look = try Look("fs/zope5.fs")
        let lines = look.run("ls -l /site -o table").lines
        #expect(lines[0].hasPrefix("name         kind              size  time                       oid    title     "))
        #expect(lines[7] == "big_file     File             146 K  2026-11-20 23:24:59 +0000  #0x1b  Big: Pdata chain")
        #expect(look.run("ls -l /site --wide -o table").lines[7].contains("OFS.Image.File"))
        #expect(lines.count == 13)
        #expect(
            look.run("ls -ld /site/small_file -o json").output == """
                [
                {"name":"small_file","path":"/site/small_file","kind":"File","size":15,"time":"2026-11-20T23:24:59.360896Z",\
                "oid":"000000000000001a","title":"Small","note":null,"class":"OFS.Image.File","record_size":297,\
                "items":null,"content_type":"text/plain","serial":"040d271cfd45edaa"}
                ]

                """)
    }

    @Test("says of every object of a site what Zope says", arguments: sites)
    func asZope(site: String) throws {
        let paths = try #require(try SampleData.json("expected/\(site).site.json")["paths"]).members
        let look = try Look("fs/\(site).fs")
        for member in paths {
            guard let oid = member.value["oid"]?.string else { continue }
            let row = try JSONValue(parsing: Array(look.run("ls -ld \(member.key) -o jsonl").output.utf8))
            #expect(row["oid"]?.string == oid)
            #expect(row["class"]?.string == member.value["class"]?.string)
            if let title = row["title"]?.string { #expect(title == member.value["title"]?.string) }
        }
    }

    @Test("-a shows attributes as dotfiles, and values as what they are")
    func attributes() throws {
        let lines = try Look("fs/zope5.fs").run("ls -la /site -o tsv --fields name,kind,title").lines
        #expect(lines.contains(".title\ttext\t'The Site'"))
        #expect(lines.contains(".number\tint\t42"))
        #expect(lines.contains(".__ac_local_roles__\tdict\t{'admin': ['Owner'], 'mary': ['Manager', 'Owner']}"))
        #expect(lines.contains("acl_users\tUser Folder\t"))
        // A child is an item; it is not told a second time as an attribute.
        #expect(!lines.contains { $0.hasPrefix(".small_file") })
        let python2 = try Look("fs/zope213.fs").run("ls -la /site -o tsv --fields name,kind,title").lines
        #expect(python2.contains(".title\tstr\t'The Site'"))
    }

    @Test("-t puts the last written first, -S the largest")
    func order() throws {
        let look = try Look("fs/zope5.fs")
        let times = look.run("ls -lt /site -o tsv --fields serial").lines.dropFirst()
        #expect(times.count == 12)
        #expect(Array(times) == times.sorted(by: >))
        let sizes = look.run("ls -lS /site -o tsv --fields size").lines.dropFirst().compactMap { Int($0) }
        #expect(sizes.first == 150_000)
        #expect(sizes == sizes.sorted(by: >))
        #expect(look.run("ls -S /site --limit 1").output == "big_file\n")
        #expect(look.run("ls -St /site").code == .usage)
    }

    @Test("-R tells everything below by its path, each object once", arguments: sites)
    func recursive(site: String) throws {
        let look = try Look("fs/\(site).fs")
        let paths = try #require(try SampleData.json("expected/\(site).site.json")["paths"]).members
        let lines = look.run("ls -R /site").lines
        #expect(Set(lines).count == lines.count)
        for member in paths where member.key.hasPrefix("/site/") && member.value["oid"] != nil {
            #expect(lines.contains(member.key), "\(member.key)")
        }
        let all = look.run("ls -Ra // -o jsonl").lines
        #expect(all.count > lines.count)
        #expect(Set(try all.map { try JSONValue(parsing: Array($0.utf8))["oid"]?.string }).count == all.count)
    }

    @Test("a pattern lists what it matches; several paths are told by path; nothing matching is exit code 1")
    func patterns() throws {
        let look = try Look("fs/zope5.fs")
        #expect(look.run("ls /site/*_file").output == "/site/small_file\n/site/big_file\n")
        #expect(look.run("ls '/site/{logo,page}'").output == "/site/page\n/site/logo\n")
        #expect(look.run("ls /**/mary").output == "/site/acl_users/mary\n")
        #expect(look.run("ls /site/.t*").output == "/site/.title\n/site/.tokens_prop\n/site/.text_prop\n")
        #expect(look.run("ls /acl_users /pas_site").output == "/acl_users/admin\n/pas_site/acl_users\n")
        #expect(look.run("ls /site/*_file -0").output == "/site/small_file\0/site/big_file\0")
        let nothing = look.run("ls /site/*.gif")
        #expect(nothing.code == .negative)
        #expect(nothing.errors == "/site/*.gif: nothing matches\n")
        let some = look.run("ls /site/*_file /*.gif")
        #expect(some.code == .negative)
        #expect(some.lines.count == 2)
    }

    @Test("missing objects are listed as missing, with who refers to them, and end nothing")
    func missing() throws {
        let look = try Look("fs/py3-zodb6-refs.fs")
        let outcome = look.run("ls -la #3f1 -o tsv --fields name,kind,oid,note")
        #expect(
            outcome.lines == [
                "name\tkind\toid\tnote", ".title\ttext\t\t",
                ".body\tmissing\t#0xdead\tno such object; #0x03f1 refers to it",
            ])
        #expect(outcome.code == .done)
        #expect(look.run("ls -R //").code == .done)
        #expect(look.run("ls -ld #dead -o tsv --fields name,kind").output == "name\tkind\n#0xdead\tmissing\n")
        let direct = look.run("ls /legacy/.body[8]/.body")
        #expect(direct.code == .data)
        #expect(direct.errors.contains("no such object; #0x03f1 refers to it"))
    }

    @Test("an empty container says that attributes are hidden, to people alone")
    func empty() throws {
        #expect(
            try Look("fs/zope5.fs", mode: .interactive).run("ls /index_html").errors
                == "no items; -a shows attributes\n")
        #expect(try Look("fs/zope5.fs").run("ls /index_html").errors == "")
    }

    @Test(
        "every format of every sample is well-formed, and no listing fails",
        arguments: SampleData.names(in: "fs", ending: ".fs").map { "fs/\($0).fs" }
            + SampleData.names(in: "rescue", ending: ".fs").map { "rescue/\($0).fs" })
    func samples(file: String) throws {
        let look = try Look(file)
        for line in ["ls -la //", "ls -lRa //", "tree -a // -L 4", "stat '//*'", "file '//*'"] {
            let json = look.run(line + " -o json")
            #expect(json.code == .done || json.code == .negative, "\(line): \(json.errors)")
            #expect(throws: Never.self, "\(line)") { try JSONValue(parsing: Array(json.output.utf8)) }
        }
        let objects = try JSONValue(parsing: Array(look.run("ls -Ra // -o json").output.utf8)).elements
        for path in objects.compactMap({ $0["oid"]?.string }).prefix(6) {
            for command in ["cat", "get", "stat", "file", "dis"] {
                let outcome = look.run("\(command) #\(path) -o json")
                if outcome.code == .data, outcome.errors.contains("no such object"), outcome.output == "" { continue }
                #expect(outcome.code == .done, "\(command) \(path)")
                #expect(throws: Never.self, "\(command) \(path)") { try JSONValue(parsing: Array(outcome.output.utf8)) }
            }
        }
    }
}

@Suite("Text that is out for the terminal")
struct HostileTextTests {
    private static let evil = "a\u{1b}]0;x\u{7}\u{202e}\nb"

    private func look() throws -> Look {
        try Look(
            MadeStorage { oid in
                oid == 0
                    ? Made.root([(Self.evil, Made.reference(1, "app.Thing")), ("plain", Made.text(Self.evil))])
                    : Made.record("app.\u{1b}[2JThing", Made.dict([("title", Made.text(Self.evil))]))
            })
    }

    @Test(
        "never reaches it",
        arguments: [
            "ls", "ls -l", "ls -la", "ls -R", "tree", "cat #1", "get #1/.title", "get /plain", "stat #1", "file #1",
            "dis #1", "cat /nope\u{1b}[2J", "ls #1/.tit*", "cat", "ls -o csv", "ls -o json", "get /plain /plain",
        ])
    func screen(line: String) throws {
        let outcome = try look().run(line, width: 100)
        let shown = outcome.output + outcome.errors
        #expect(!shown.isEmpty)
        #expect(!shown.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\r" })
        #expect(!shown.contains("\u{202e}"))
    }

    @Test("names it as a path that leads there")
    func path() throws {
        let look = try look()
        let name = look.run("ls --limit 1").output.split(separator: "\n").first ?? ""
        #expect(name.hasPrefix("["))
        #expect(
            look.run("ls -ld '/\(name.replacing("'", with: "'\\''"))' -o tsv --fields oid").output == "oid\n#0x01\n")
    }

    @Test("is given to programs as it is")
    func pipe() throws {
        #expect(try look().run("get /plain").output == Self.evil + "\n")
        #expect(try look().run("get /plain -o raw").output == Self.evil)
    }
}

import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("cat and get")
struct ShowTests {
    @Test("cat shows a state as Python would write it, under a line that says whose it is")
    func state() throws {
        let look = try Look("fs/zope5.fs")
        let lines = look.run("cat /site").lines
        #expect(lines[0] == "# Folder (OFS.Folder.Folder) #0x0b, written 2026-11-20 23:24:59 +0000")
        #expect(lines[1] == "{")
        #expect(lines[2] == "  'id': 'site',")
        #expect(lines.contains("  '__ac_local_roles__': {'admin': ['Owner'], 'mary': ['Manager', 'Owner']},"))
        #expect(lines.contains("  'acl_users': <#0x0c OFS.userfolder.UserFolder>,"))
        #expect(lines.last == "}")
        #expect(
            look.run("cat /site/.__ac_local_roles__").output == "{'admin': ['Owner'], 'mary': ['Manager', 'Owner']}\n")
    }

    @Test("Python 2's two kinds of string are told apart")
    func python2() throws {
        let look = try Look("fs/zope213.fs")
        #expect(look.run("cat /site/.umotto").output == "u'café'\n")
        #expect(look.run("cat /site/.title").output == "'The Site'\n")
        #expect(look.run("cat /site/.umotto -o json").output == "{\"@u\":\"café\"}\n")
        #expect(look.run("cat /site/.big").output == "12345678901234567890L\n")
        #expect(try Look("fs/zope5.fs").run("cat /site/.umotto").output == "'café'\n")
    }

    @Test("scripts and templates show their source, with --state their state")
    func source() throws {
        let look = try Look("fs/zope213.fs")
        #expect(
            look.run("cat /site/adder").lines == [
                "# Script (Python) (Products.PythonScripts.PythonScript.PythonScript) #0x1a, written "
                    + "2026-11-20 23:24:57 +0000",
                "# parameters: a, b=2, *args", "return a + b",
            ])
        #expect(look.run("cat /site/adder --state").output.contains("'_body': 'return a + b\\n',"))
        #expect(look.run("cat /site/page").output.contains("tal:"))
        #expect(look.run("get /site/adder").output == "return a + b\n")
    }

    @Test("what is long is cut, unless --full")
    func cut() throws {
        let look = try Look("fs/zope5.fs")
        let short = look.run("cat /index_html --state").output
        #expect(short.contains("characters)"))
        let full = look.run("cat /index_html --state --full").output
        #expect(!full.contains("characters)"))
        #expect(full.count > short.count)
    }

    @Test("JSON is the record in the documented notation")
    func json() throws {
        let look = try Look("fs/zope5.fs")
        let record = try JSONValue(parsing: Array(look.run("cat /site/small_file -o json").output.utf8))
        #expect(record["@cls"]?.elements.map(\.string) == ["OFS.Image", "File"])
        #expect(record["@s"]?["title"]?.string == "Small")
        let two = try JSONValue(parsing: Array(look.run("cat /site/.title /site/.flag -o json").output.utf8))
        #expect(two == .array([.string("The Site"), .bool(true)]))
        #expect(look.run("cat /site/.title /site/.flag -o jsonl").output == "\"The Site\"\ntrue\n")
    }

    @Test("several are told apart on a screen")
    func several() throws {
        let look = try Look("fs/zope5.fs")
        #expect(
            look.run("cat /site/.title /site/.flag -o table").output
                == "/site/.title:\n'The Site'\n\n/site/.flag:\nTrue\n")
        #expect(look.run("cat /site/.title /site/.flag").output == "'The Site'\nTrue\n")
        #expect(look.run("cat '/site/.{title,flag}'").output == "'The Site'\nTrue\n")
    }

    @Test("get writes values as they are")
    func values() throws {
        let look = try Look("fs/zope5.fs")
        #expect(look.run("get /site/.title").output == "The Site\n")
        #expect(look.run("get /site/.title -o raw").output == "The Site")
        #expect(look.run("get /site/.number /site/.flag").output == "42\nTrue\n")
        #expect(look.run("get /site/.text_prop").output == "line 1\nline 2\n")
        #expect(look.run("get /site/.choices -o json").output == "{\"@t\":[\"red\",\"green\",\"blue\"]}\n")
        #expect(
            look.run("get /site/.title /site/.number -o csv").output
                == "path,value\r\n/site/.title,The Site\r\n/site/.number,42\r\n")
        #expect(look.run("get /site/.title /site/.number -o json").output == "[\n\"The Site\",\n42\n]\n")
        #expect(look.run("get /site/.choices[1]").output == "green\n")
    }

    @Test("get writes a file's content, byte by byte, through its chain of chunks", arguments: ["zope213", "zope5"])
    func content(site: String) throws {
        let look = try Look("fs/\(site).fs")
        let big = look.run("get /site/big_file").output
        #expect(big.utf8.count == 150_000)
        #expect(look.run("get /site/small_file").output == "small file body")
        #expect(look.run("get /site/small_file -o json").output == "{\"@b\":\"c21hbGwgZmlsZSBib2R5\"}\n")
        #expect(look.run("get /site/small_file", width: 80).output == "small file body\n")
    }

    @Test("what cannot be read is told after what can, with exit code 7")
    func failures() throws {
        let outcome = try Look("fs/py3-zodb6-refs.fs").run("cat '/legacy/.body[8]/.*'")
        #expect(outcome.output == "'dangling'\n")
        #expect(outcome.errors.contains("no such object; #0x03f1 refers to it"))
        #expect(outcome.code == .data)
    }
}

@Suite("stat, file, dis")
struct StatTests {
    @Test("stat tells what there is to tell")
    func stat() throws {
        let look = try Look("fs/zope213.fs")
        #expect(
            look.run("stat /site/big_file --history -o table").lines == [
                "path       /site/big_file", "oid        #0x1b", "kind       File", "class      OFS.Image.File",
                "title      Big: Pdata chain", "refers to  1", "record     285 B", "content    146 K",
                "type       application/octet-stream", "protocol   1", "python     2", "serial     040d271cf62c5266",
                "written    2026-11-20 23:24:57 +0000", "by         / admin", "what       content", "revisions  1",
            ])
        #expect(
            try Look("fs/zlib.fs").run("stat / --fields size,uncompressed").output == "size\t173\nuncompressed\t241\n")
        #expect(look.run("stat /site/.title --fields oid,kind,size").output == "oid\t#0x0f\nkind\tstr\nsize\t12\n")
    }

    @Test("stat counts revisions and finds who wrote an older one")
    func history() throws {
        let look = try Look("fs/zope5.fs")
        let now = look.run("stat /site --history --fields revisions").output
        #expect(now != "revisions\t1\n")
        #expect(
            look.run("stat /site@~1 --fields serial,description").output
                == "serial\t040d271cfd6f0399\ndescription\tadd deleted_later\n")
    }

    @Test("stat of several is a table")
    func several() throws {
        let lines = try Look("fs/zope5.fs").run(
            "stat /site/small_file /site/logo -o tsv --fields path,kind,content_size"
        ).lines
        #expect(lines == ["path\tkind\tcontent_size", "/site/small_file\tFile\t15", "/site/logo\tImage\t43"])
    }

    @Test(
        "file tells the protocol and the Python that wrote a record",
        arguments: [
            ("py27-zodb38", "1\t2"), ("py27-zodb5", "3\t2"), ("py3-zodb6", "3\t3"), ("zope213", "1\t2"),
            ("zope5", "3\t3"),
        ])
    func file(sample: String, answer: String) throws {
        #expect(try Look("fs/\(sample).fs").run("file // -o tsv --fields protocol,python").lines.last == answer)
    }

    @Test("dis lists both pickles, or the opcodes of one value, with offsets")
    func dis() throws {
        let look = try Look("fs/zope5.fs")
        let lines = look.run("dis /site/small_file -o tsv --fields offset,opcode,argument,pickle").lines
        #expect(lines[1] == "0\tPROTO\t3\tclass")
        #expect(lines[2] == "2\tGLOBAL\tOFS.Image File\tclass")
        #expect(lines.last?.hasSuffix("\tSTOP\t\tstate") == true)
        #expect(lines.contains { $0.hasSuffix("\tSTOP\t\tclass") })
        let value = look.run("dis /site/.motto --fields opcode,argument").lines
        #expect(value.first == "BINUNICODE\t'Plain string'")
        #expect(value.count == 2)
    }

    @Test("dis lists a record that cannot be parsed as far as it goes; nothing else shows it")
    func damaged() throws {
        let look = try Look(
            MadeStorage { oid in
                oid == 0
                    ? Made.root([("bad", Made.reference(1, "app.Thing"))])
                    : Array(Made.record("app.Thing", Made.dict([("title", Made.text("x"))])).dropLast(4)) + [
                        0xff, 0x2e,
                    ]
            })
        let outcome = look.run("dis /bad --fields opcode")
        #expect(outcome.lines.first == "PROTO")
        #expect(outcome.code == .data)
        #expect(outcome.errors.contains("offset"))
        for command in ["cat", "get", "stat", "file", "ls"] {
            let outcome = look.run("\(command) /bad")
            #expect(outcome.code == .data, "\(command)")
            #expect(outcome.output == "")
        }
        #expect(look.run("ls -l / -o tsv --fields name,kind").output == "name\tkind\nbad\tdamaged\n")
        #expect(look.run("dis #77").code == .data)
    }
}

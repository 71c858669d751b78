import Testing

@testable import Shell

@Suite("Words of a line")
struct WordsTests {
    private func words(_ text: String) throws -> [String] { try Words.split(text).words }

    @Test(
        "are split as a shell splits them",
        arguments: [
            ("ls -l  /Plone ", ["ls", "-l", "/Plone"]), ("cat 'a b' \"c d\"", ["cat", "a b", "c d"]),
            ("cat a\\ b", ["cat", "a b"]), ("cat x'y z'\"w\"", ["cat", "xy zw"]), ("get ''", ["get", ""]),
            ("grep \"a\\\"b\\\\c\\d\"", ["grep", "a\"b\\c\\d"]), ("grep 'a\\b'", ["grep", "a\\b"]), ("", []),
            ("   ", []),
            ("cat ä/ö\u{a0}x", ["cat", "ä/ö", "x"]), ("echo \\|", ["echo", "|"]),
        ])
    func splitting(text: String, expected: [String]) throws {
        #expect(try words(text) == expected)
    }

    @Test(
        "hold oids that begin with #, while # and a space begin a comment",
        arguments: [
            ("cat #1a2b", ["cat", "#1a2b"]), ("cat #0x1a #d:42", ["cat", "#0x1a", "#d:42"]), ("# a comment", []),
            ("#", []),
            ("#!/usr/bin/zeoshell", []), ("ls / # and so on", ["ls", "/"]), ("ls a#b", ["ls", "a#b"]),
            ("ls /x #", ["ls", "/x"]),
            ("#1a2b", ["#1a2b"]),
        ])
    func comments(text: String, expected: [String]) throws {
        #expect(try words(text) == expected)
    }

    @Test(
        "keep what is in brackets as it stands",
        arguments: [
            ("cat /f/[\"a b\"]", ["cat", "/f/[\"a b\"]"]), ("cat /f/[(1, 2)]/x", ["cat", "/f/[(1, 2)]/x"]),
            ("cat [b\"\\x00]\"]", ["cat", "[b\"\\x00]\"]"]), ("grep a[ b", ["grep", "a[", "b"]),
            ("grep \"[a-z] x\"", ["grep", "[a-z] x"]),
        ])
    func brackets(text: String, expected: [String]) throws {
        #expect(try words(text) == expected)
    }

    @Test("may hold any number of brackets that nobody closes, and are split in the time that reading them takes")
    func openBrackets() throws {
        // From each bracket to the end of the line it would be minutes.
        for text in ["[", "a[(", "['x', ["] {
            let count = 200_000 / text.count
            let word = String(repeating: text, count: count).replacing(" ", with: "")
            #expect(try words("set /x \(word)").last?.count == word.replacing("'", with: "").count)
        }
        let closed = String(repeating: "[", count: 1000) + "a b" + String(repeating: "]", count: 998)
        #expect(try words(closed) == [closed])
        #expect(try words("[ [a b] [c d").count == 4)
    }

    @Test("end at a pipe, whose other side is the system's")
    func pipes() throws {
        let line = try Words.split("ls /x | grep 'a|b' | head -3 ")
        #expect(line.words == ["ls", "/x"])
        #expect(line.pipe == "grep 'a|b' | head -3")
        #expect(throws: SyntaxError.self) { try Words.split("| head") }
        #expect(throws: SyntaxError.self) { try Words.split("ls |") }
    }

    @Test("may be followed by a file for the output")
    func redirection() throws {
        #expect(try Words.split("ls > 'my file'").redirection == .init(path: "my file", appends: false))
        let line = try Words.split("log --limit 3>>all.txt")
        #expect(line.words == ["log", "--limit", "3"])
        #expect(line.redirection == .init(path: "all.txt", appends: true))
        #expect(throws: SyntaxError.self) { try Words.split("ls >") }
        #expect(throws: SyntaxError.self) { try Words.split("ls > | cat") }
    }

    @Test("are none when the line is the system's")
    func system() throws {
        let line = try Words.split("  !ls | wc -l > x # y")
        #expect(line.system == "ls | wc -l > x # y")
        #expect(line.words == [])
        #expect(try Words.split("\\! ls").system == "ls")
    }

    @Test("have variables replaced, not split again, and not in single quotes")
    func variables() throws {
        let variable: (String) -> String? = { ["site": "/my site", "n_1": "7"][$0] }
        #expect(
            try Words.split("ls $site/news '$site' \"$site x\"", variable: variable).words == [
                "ls", "/my site/news", "$site", "/my site x",
            ])
        #expect(try Words.split("log ${n_1}0 $ 5$", variable: variable).words == ["log", "70", "$", "5$"])
        #expect(throws: SyntaxError(problem: "no variable named 'nope'", offset: 3)) {
            try Words.split("ls $nope", variable: variable)
        }
        #expect(throws: SyntaxError.self) { try Words.split("ls ${site", variable: variable) }
    }

    @Test("keep psql's backslash at the start of a line")
    func psql() throws {
        #expect(try words("\\d /Plone") == ["\\d", "/Plone"])
        #expect(try words("\\? ") == ["\\?"])
    }

    @Test("with a quote left open are an error that says where")
    func openQuotes() {
        #expect(throws: SyntaxError(problem: "the ' is not closed", offset: 4)) { try Words.split("cat 'x") }
        #expect(throws: SyntaxError(problem: "the \" is not closed", offset: 4)) { try Words.split("cat \"x\\\"") }
    }

    @Test("go on in the next line after a single backslash")
    func continuation() {
        #expect(Words.continues("ls \\"))
        #expect(!Words.continues("ls \\\\"))
        #expect(Words.continues("ls \\\\\\"))
        #expect(!Words.continues("ls"))
    }

    @Test(
        "that completion quotes are read back as they were",
        arguments: [
            "plain", "a b", "it's", "say \"hi\"", "back\\slash", "a|b>c$d", "# x", "#1a", "!x", "#", "ä ö",
            "/f/[\"a b\"]/c d",
            "[(1, 2)]",
        ])
    func quoting(text: String) throws {
        #expect(try words("cat " + WordQuoting.escaped(text)) == ["cat", text])
        guard !text.contains("[") else { return }
        #expect(try words("cat \"" + WordQuoting.inside(text, "\"") + "\"") == ["cat", text])
        #expect(try words("cat '" + WordQuoting.inside(text, "'") + "'") == ["cat", text])
    }
}

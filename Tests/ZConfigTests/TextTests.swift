import TestSupport
import Testing
import ZConfig

@Suite("Configuration texts")
struct TextTests {
    private static let judge = JudgeScript("zconfig_judge.py")

    @Test(
        "the odd corners of the syntax are read, or refused at the same line, as ZConfig does",
        .enabled(if: !PythonPeer.all.filter(\.isReady).isEmpty, "needs Pythons with ZConfig: run `make peers`"),
        arguments: PythonPeer.all.filter(\.isReady))
    func corners(peer: PythonPeer) throws {
        let cases = Self.corners + (peer == .zeo5Python2 ? [] : Self.cornersOfPython3)
        for (one, answer) in zip(cases, try Self.judge.answers(peer, "texts", cases)) {
            let difference = one.difference(from: answer)
            #expect(difference == nil, "\(one)")
        }
    }

    @Test(
        "random texts and includes are read, or refused at the same line, as ZConfig does",
        .enabled(if: !PythonPeer.all.filter(\.isReady).isEmpty, "needs Pythons with ZConfig: run `make peers`"),
        arguments: PythonPeer.all.filter(\.isReady))
    func random(peer: PythonPeer) throws {
        var texts = RandomText(seed: 20_030_814, isASCII: peer == .zeo5Python2)
        let cases = (0..<800).map { _ in texts.next() }
        let answers = try Self.judge.answers(peer, "texts", cases)
        for (one, answer) in zip(cases, answers) {
            let difference = one.difference(from: answer)
            #expect(difference == nil, "\(one)")
        }
        // The test would say nothing if nearly all of them were refused, or none.
        let refused = answers.count { $0["error"] != nil }
        #expect((80...720).contains(refused))
    }

    @Test("a section, a key and an import know the file and the line they stand in")
    func locations() throws {
        let document = try TextCase(
            "%define home /srv\n<zeo>\n  address 8100\n</zeo>\n%include sub/storages.conf\n",
            [
                "top/sub/storages.conf":
                    "%import zc.zlibstorage\n\n<filestorage Main>\n  path $HOME/Data.fs\n</filestorage>\n"
            ]
        ).parsed()
        #expect(document.imports.map { "\($0.location) \($0.package)" } == ["top/sub/storages.conf:1 zc.zlibstorage"])
        let storage = try #require(document.root.sections.last)
        #expect(storage.type == "filestorage")
        #expect(storage.name == "main")
        #expect(storage.location.description == "top/sub/storages.conf:3")
        #expect(storage.keys.map(\.value) == ["/srv/Data.fs"])
        #expect(storage.keys.map(\.location.description) == ["top/sub/storages.conf:4"])
    }

    @Test(
        "an error says file, line, what was expected and what was found",
        arguments: [
            (
                "<zeo>\n  address 1\n</ze>\n",
                "top/main.conf:3: expected </zeo> for the section opened at top/main.conf:1, found </ze>"
            ),
            (
                "<zeo>\n  address 1\n",
                "top/main.conf:2: expected </zeo> for the section opened at top/main.conf:1, found the end of the file"
            ),
            ("\n<zeo a b>\n", "top/main.conf:2: expected <type> or <type name>, found '<zeo a b>'"),
            ("key $gone/x", "top/main.conf:1: 'gone' is not defined; a %define above would do it, in '$gone/x'"),
            ("key $(GONE)", "top/main.conf:1: the environment variable 'GONE' is not set, in '$(GONE)'"),
            (
                "key 5$",
                "top/main.conf:1: expected a name, '{', '(' or another '$' after '$' (a '$' itself is written '$$'), in '5$'"
            ),
            ("%defin x y", "top/main.conf:1: expected %define, %import or %include, found '%defin x y'"),
            ("%define x y\n%define X z", "top/main.conf:2: 'x' is defined as 'y' and cannot become 'z'"),
            ("%include gone.conf", "top/main.conf:1: cannot read top/gone.conf: No such file or directory"),
            (
                "%include http://example.org/zeo.conf",
                "top/main.conf:1: %include http://example.org/zeo.conf: expected the path of a file; other addresses are not supported"
            ),
            ("<a x/>\n<b x/>", "top/main.conf:2: a second section is called 'x'; the first is at top/main.conf:1"),
        ])
    func messages(text: String, message: String) {
        var found: ConfigurationError?
        do throws(ConfigurationError) { _ = try TextCase(text).parsed() } catch { found = error }
        #expect(found?.description == message)
    }

    @Test("files that include each other are refused, and so is one that never ends")
    func cycles() {
        let circle = TextCase("%include one.conf", ["top/one.conf": "%include ../top/main.conf"])
        #expect(
            throws: ConfigurationError(
                .cycle(["top/main.conf", "top/one.conf", "top/main.conf"]),
                at: SourceLocation(file: "top/one.conf", line: 1))
        ) { try circle.parsed() }
        // As by way of a symbolic link to its own directory: every path is another.
        let endless = ConfigurationHost(
            readFile: { _ throws(UnreadableFile) in Array("%include here/again.conf".utf8) }, variable: { _ in nil },
            homeDirectory: { _ in nil }, isDirectory: { _ in false }, exists: { _ in false })
        #expect(throws: ConfigurationError.self) { try ConfigurationDocument(path: "zeo.conf", host: endless) }
    }

    @Test("no bytes make the parser trap, and sections nested without end are refused")
    func hostile() throws {
        let host = TextCase("").host
        var random = RandomNumbers(seed: 4)
        let alphabet = Array("<>/%$(){} \n\r\tab#define include x".utf8) + [0, 0x80, 0xc3, 0xa0, 0xff]
        for _ in 0..<3000 {
            let bytes = (0..<random.below(60)).map { _ in alphabet[random.below(alphabet.count)] }
            _ = try? ConfigurationDocument(bytes, path: "x.conf", host: host)
        }
        let nested = Array(String(repeating: "<a>\n", count: 100_000).utf8)
        #expect(throws: ConfigurationError.self) { try ConfigurationDocument(nested, path: "x.conf", host: host) }
        #expect(
            throws: ConfigurationError(.notUTF8, at: SourceLocation(file: "x.conf", line: 2))
        ) { try ConfigurationDocument([0x61, 0x0a, 0xff], path: "x.conf", host: host) }
    }

    @Test("what is right in a wrong configuration can be had all the same")
    func lenient() throws {
        let text = TextCase(
            """
            %define dir /srv
            </surplus>
            <zeo>
              pid-filename $dir/zeo.pid
              address $nothing
              <ssl>
              %include gone.conf
            </zeo>
            <a one>
            <b
            <c two
            key of one
            """)
        let root = try ConfigurationDocument(passingOverErrorsIn: text.main, host: text.host).root
        #expect(root.sections.map(\.type) == ["zeo", "a"])
        let zeo = root.sections[0]
        #expect(zeo.sections.map(\.type) == ["ssl"])
        #expect(zeo.keys.map(\.key) == ["pid-filename"] && zeo.keys.first?.value == "/srv/zeo.pid")
        let missing = TextCase("")
        #expect(throws: ConfigurationError.self) {
            try ConfigurationDocument(passingOverErrorsIn: "gone.conf", host: missing.host)
        }
        // Every path is another, and each file names two.
        let endless = ConfigurationHost(
            readFile: { _ throws(UnreadableFile) in Array("%include a/x.conf\n%include b/x.conf\nkey value".utf8) },
            variable: { _ in nil }, homeDirectory: { _ in nil }, isDirectory: { _ in false }, exists: { _ in false })
        let keys = try ConfigurationDocument(passingOverErrorsIn: "zeo.conf", host: endless).root.keys
        #expect(keys.count > 10)
        var random = RandomNumbers(seed: 5)
        let alphabet = Array("<>/%$(){} \n\r\tab#define include x".utf8)
        for _ in 0..<1000 {
            let bytes = (0..<random.below(60)).map { _ in alphabet[random.below(alphabet.count)] }
            let text = TextCase(String(decoding: bytes, as: UTF8.self))
            _ = try ConfigurationDocument(passingOverErrorsIn: text.main, host: text.host)
        }
    }

    private static let corners: [TextCase] =
        [
            "", "\n\n", "# only a comment", "key", "key value # part of the value", "  key \t value  ", "key(value)",
            "key (value)",
            "(key", ")", "KEY one\nkey two\nKEY three", "9key v", "key <a>", "<a", "<", "<>", "< a>", "<a >", "<a n >",
            "<a n m>",
            "<a(x)>", "<a/>", "<a />", "<a/ >", "<a n/>", "<a n />", "</a>", "<a></a>", "<a>\n</a>", "<A>\n</a>",
            "<a>\n</A >",
            "<a>\n</ a>", "<a>\n</b>", "<a>\n<b>\n</a>\n</b>", "<a>", "</", "</>", "<a>\n</", "<a>\n</a", "<a/>\n<a/>",
            "<a n/>\n<a n/>", "<a n/>\n<b N/>", "<a n>\n<a n/>\n</a>", "<a *>\n</a>", "<a +/>", "<a $x/>", "<c/>",
            "<a/b>\n</a/b>",
            "%", "% define x y", "%define", "%define x", "%define x\nk $x.", "%define x y\nk $x $X ${x} ${X}",
            "%define x y z\nk $x",
            "%define 1 y", "%define a.b y", "%define x y\n%define x y", "%define x y\n%define x z",
            "%define x y\n%define X y",
            "%define x y\n%define z $x\n%define z $x", "%define x y\n%define z $x\n%define z y", "%define x $x",
            "%DEFINE x y",
            "%define(x y", "%import", "%import zc.zlibstorage", "%import $x", "%define x y\n%import $x", "%include",
            "%other x",
            "k $", "k $$", "k $$$", "k $$$$x", "k $ x", "k ${", "k ${x", "k ${x }", "k ${}", "k $(", "k $(X", "k $()",
            "k $(ZCONFIG_TEST)", "k $(zconfig_test)", "k $(ZCONFIG_EMPTY).", "k ${ZCONFIG_TEST}",
            "%define x $(ZCONFIG_TEST)\nk $x",
            "%define x $$y\n%define y z\nk $x", "k $x-y", "%define x 1\nk $x-y$x.z$x/$x$x", "$x value",
            "<a>\nk v\n</a>\nk w",
            "\r\n<a>\r\nk v\r\n</a>\r\n", "k v\rl w", "k\u{b}v", "k\u{c}", "%define x \u{b}y\nk $x", ">", "k >", "=x",
            "a=b", "\"k\" v",
        ].map { TextCase($0) } + [
            TextCase("%include one.conf\nk $x", ["top/one.conf": "%define x y"]),
            TextCase("%define x y\n%include one.conf", ["top/one.conf": "k $x"]),
            TextCase("%define x one\n%include $x.conf", ["top/one.conf": "k v"]),
            TextCase("<a>\n%include one.conf\n</a>", ["top/one.conf": "k v\n<b n/>"]),
            TextCase("<a>\n%include one.conf\n</a>", ["top/one.conf": "</a>\n<a>"]),
            TextCase("%include one.conf\n</a>", ["top/one.conf": "<a>"]),
            TextCase("%include sub/one.conf", ["top/sub/one.conf": "%include two.conf", "top/sub/two.conf": "k v"]),
            TextCase("%include ../other/one.conf", ["other/one.conf": "k v"]),
            TextCase("%include ./sub/../one.conf", ["top/one.conf": "k v"]),
            TextCase("%include a%20b.conf", ["top/a b.conf": "k v"]),
            TextCase("%include a b.conf", ["top/a b.conf": "k v"]),
            TextCase("%include one.conf#x", ["top/one.conf": "k v"]),
            TextCase("%include one.conf\n%include one.conf", ["top/one.conf": "k v"]),
            TextCase("%include gone.conf"), TextCase("%include sub"), TextCase("%include main.conf"),
            TextCase("%include one.conf", ["top/one.conf": "\n<a\n"]),
        ]

    private static let cornersOfPython3: [TextCase] = [
        "k\u{a0}v", "k \u{2003}v\u{3000}", "<a\u{a0}n/>", "\u{feff}k v", "k caf\u{e9}", "caf\u{e9} v", "<a CAF\u{c9}/>",
        "k v\u{85}l w",
        "%define x \u{1c}y\nk $x", "k \u{1f600}", "%define caf\u{e9} y", "k $caf\u{e9}", "k\u{2028}v",
    ].map { TextCase($0) }
}

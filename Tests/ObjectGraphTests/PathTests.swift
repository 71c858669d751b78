import Pickle
import TestSupport
import Testing
import ZODB

@testable import ObjectGraph

@Suite("Paths")
struct PathTests {
    @Test(
        "every form is read, and its plainest form is the same path",
        arguments: [
            ("/", "/"), ("//", "//"), ("/Plone/news", "/Plone/news"), ("//Application", "//Application"),
            ("#0x1a2b", "#0x1a2b"), ("#1a2b", "#0x1a2b"), ("#0", "#0x00"), ("#d:42", "#0x2a"),
            ("#0x12/.title", "#0x12/.title"), ("#0x12[3]", "#0x12[3]"), ("name", "name"), (".title", ".title"),
            ("a/b/", "a/b"), ("a//b", "a/b"), (".", "."), ("./a", "a"), ("..", ".."), ("../x", "../x"), ("-", "-"),
            ("/x/.attr[key][0]".replacing("key", with: "'key'"), "/x/.attr['key'][0]"),
            (#"/x["a/b"]"#, "/x['a/b']"), (#"/["a/b"]/c"#, "/['a/b']/c"), ("[(1, 'x')]", "[(1, 'x')]"),
            (#"[b"\x00"]"#, #"[b'\x00']"#), ("[-1]", "[-1]"), ("[None]", "[None]"), ("[#3]", "[#3]"),
            (#"x/.["a b/c"]"#, "x/.['a b/c']"), ("*.html", "*.html"), ("/**/x?", "/**/x?"), ("{a,b}/.t*", "{a,b}/.t*"),
            ("/Plone@yesterday", "/Plone@yesterday"), ("/a@2026-10-01T10:00", "/a@2026-10-01T10:00"),
            ("x@~3", "x@~3"), ("/@2h", "/@2h"), (#"/["a@b"]"#, "/['a@b']"), (#"/["a@b"]@2h"#, "/['a@b']@2h"),
            ("/index.html", "/index.html"), ("/Virtual Host Monster", "/Virtual Host Monster"),
            (#"[u"\xe9"]"#, "[u'é']"), ("-@2h", "-@2h"), ("*@b/", "*@b/"), ("*@b/@2h", "*@b/@2h"),
            ("a@b/c", "['a@b']/c"),
        ])
    func forms(text: String, plain: String) throws {
        let path = try ObjectPath(parsing: text)
        #expect(path.description == plain)
        #expect(try ObjectPath(parsing: plain) == path || plain.contains("u'") || plain.contains("['a@b']/c"))
    }

    @Test(
        "what cannot be a path says why",
        arguments: [
            "#zz", "#d:x", "[abc]", "['x", "[1", "x@", "x@~", "x@~y", "['a']b", "[#x]", ".[3]", "[(1,]2",
        ])
    func errors(text: String) {
        #expect(throws: PathSyntaxError.self) { try ObjectPath(parsing: text) }
    }

    @Test("no bytes make the parser trap, and what it reads it reads again")
    func fuzz() {
        var random = SeededGenerator(seed: 1)
        let pieces = [
            "/", "//", "#", "0x1", "[", "]", "'", "\"", "\\", "(", ",", ")", "@", "~", "*", "**", "?", "{", "}",
            ".", "..", "-", "a", "é", "u'", "b'", "1", "e", "L", "0x", " ", "\n", "None", "\u{202e}", "[#1]", "_", "+",
        ]
        for _ in 0..<10_000 {
            let text = (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces.randomElement() ?? "" }.joined()
            guard let path = try? ObjectPath(parsing: text) else { continue }
            let plain = path.description
            let again = try? ObjectPath(parsing: plain)
            #expect(again?.description == plain, "\(text.debugDescription) → \(plain)")
        }
    }

    @Test(
        "names that mean something in a path, or do not print, are quoted",
        arguments: [
            "a/b", "a@b", "*", ".hidden", "..", "#1", "-", "", "a[b", "tab\there", "{x}", " lead", "trail ",
            "\u{202e}rtl",
            "back\\slash", "quo'te\"s/",
        ])
    func quoting(name: String) throws {
        let component = Component(itemKey: .text(Array(name.utf8)))
        #expect(component.description.hasPrefix("["))
        let path = try ObjectPath(parsing: "/x" + component.description)
        guard case .child(.key(let key))? = path.steps.last else {
            Issue.record("\(path) ends in no key")
            return
        }
        #expect(key.matches(.text(Array(name.utf8))))
    }

    @Test(
        "patterns match as in a shell",
        arguments: [
            ("*", "anything", true), ("*.html", "index.html", true), ("*.html", "html", false), ("a?c", "abc", true),
            ("a?c", "ac", false), ("{a,b}*", "beta", true), ("{a,b}*", "gamma", false), ("x{1,{2,3}}", "x3", true),
            ("*a*b*c*", "xaybzc", true), ("*a*b*c*", "xaybz", false), ("**", "x", true), ("{}", "", true),
        ])
    func globs(pattern: String, name: String, matches: Bool) throws {
        #expect(try #require(GlobPattern(pattern)).matches(name) == matches)
    }

    @Test("a pattern that backtracks badly elsewhere takes no time here")
    func globBomb() throws {
        let pattern = try #require(GlobPattern(String(repeating: "*a", count: 50) + "b"))
        #expect(!pattern.matches(String(repeating: "a", count: 2000)))
        #expect(GlobPattern(String(repeating: "{a,b}", count: 40)) == nil)
    }
}

@Suite("Resolving paths")
struct ResolverTests {
    @Test("/ is the application, // the root, app/ the application too")
    func origins() throws {
        let resolver = PathResolver(try Samples.workspace("fs/zope5.fs"))
        #expect(try resolver.resolve("/").node.oid == ObjectID(rawValue: 1))
        #expect(try resolver.resolve("//").node.oid == .root)
        #expect(try resolver.resolve("//Application").node.oid == ObjectID(rawValue: 1))
        #expect(try resolver.resolve("app/site").description == "/site")
        #expect(try resolver.resolve("app").description == "/")
        let plain = PathResolver(try Samples.workspace("fs/py3-zodb6.fs"))
        #expect(try plain.resolve("/").node.oid == .root)
    }

    @Test("items come before attributes; a dot means the attribute")
    func order() throws {
        let resolver = PathResolver(try Samples.workspace("fs/zope5.fs"))
        #expect(try resolver.resolve("/site/title").node.kind == .attribute)
        #expect(try resolver.resolve("/site/title").description == "/site/.title")
        #expect(try resolver.resolve("/site/page").node.kind == .item)
        #expect(try resolver.resolve("/site/.page").node.kind == .attribute)
        #expect(try resolver.resolve("/site/.page").node.oid == resolver.resolve("/site/page").node.oid)
    }

    @Test("values inside a record are reached by keys, whatever they are")
    func values() throws {
        let workspace = try Samples.workspace("rescue/access-rule-zope213.fs")
        let resolver = PathResolver(workspace)
        let hook = try resolver.resolve("/.__before_traverse__[(1, 'AccessRule')]/.name")
        #expect(
            try workspace.subject(of: hook.node).document.text(workspace.subject(of: hook.node).slot) == "'site_rule'")
        let listed = try resolver.resolve("/.__before_publishing_traverse__/._list[0]/.name")
        #expect(try workspace.subject(of: listed.node).value == workspace.subject(of: hook.node).value)
        let last = try resolver.resolve("/.__before_publishing_traverse__/._list[-1]")
        #expect(last.node.isObject)
        #expect(last.description == "/.__before_publishing_traverse__/._list[2]")
    }

    @Test("what is not there is an error that names the step and where it failed")
    func notFound() throws {
        let resolver = PathResolver(try Samples.workspace("fs/zope5.fs"))
        let error = #expect(throws: PathError.self) { try resolver.resolve("/site/nothing/more") }
        guard case .notFound(.name("nothing"), let place)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(place.description == "/site")
        #expect(throws: PathError.self) { try resolver.resolve("/s*") }
        #expect(throws: PathError.self) { try resolver.resolve("-") }
        #expect(throws: PathError.self) { try resolver.resolve("/@yesterday") }
    }

    @Test(".. goes back the way one came, up to the root; from a bare oid by the stored parent")
    func parents() throws {
        var resolver = PathResolver(try Samples.workspace("fs/zope5.fs"))
        resolver.current = try resolver.resolve("/site/btf/sub01")
        #expect(try resolver.resolve("..").description == "/site/btf")
        #expect(try resolver.resolve("../..").description == "/site")
        #expect(try resolver.resolve("../../../..").description == "//")
        #expect(try resolver.resolve("../../../../..").description == "//")
        #expect(try resolver.resolve("../sub02/.id").description == "/site/btf/sub02/.id")
        #expect(throws: PathError.self) { try resolver.resolve("#0x0b/..") }
        #expect(try resolver.resolve("#0x0b/page/..").description == "#0x0b")

        let stored = HandmadeStorage([
            0: PickleMaker.root([("a", PickleMaker.reference(1, "app.Thing"))]),
            1: PickleMaker.record("app.Thing", PickleMaker.attributes([("b", PickleMaker.reference(2, "app.Thing"))])),
            2: PickleMaker.record(
                "app.Thing", PickleMaker.attributes([("__parent__", PickleMaker.reference(1, "app.Thing"))])),
        ])
        let other = PathResolver(try Workspace(stored))
        #expect(try other.resolve("#2/..").description == "#0x01")
        #expect(try other.resolve("/a/.b/..").description == "/a")
    }

    @Test("patterns give every place once, in listing order")
    func patterns() throws {
        let resolver = PathResolver(try Samples.workspace("fs/zope5.fs"))
        func expand(_ path: String) throws -> [String] { try resolver.expand(path).rest().map(\.description) }
        #expect(try expand("/site/btf/sub0*") == (0..<10).map { "/site/btf/sub0\($0)" })
        #expect(try expand("/site/{page,logo}") == ["/site/page", "/site/logo"])
        #expect(
            try expand("/site/btf/sub?0") == [
                "/site/btf/sub00", "/site/btf/sub10", "/site/btf/sub20", "/site/btf/sub30",
            ])
        #expect(try expand("/site/.t*").contains("/site/.title"))
        #expect(try expand("/*/page") == ["/site/page"])
        let all = try expand("/**")
        #expect(all.first == "/")
        #expect(Set(all).count == all.count)
        #expect(all.contains("/site/btf/sub39"))
        #expect(all.contains("/site/acl_users/mary"))
        #expect(try expand("/**/sub01") == ["/site/btf/sub01"])
        // As one: every more would multiply the ways, hours of them long before this many.
        #expect(try expand("/" + Array(repeating: "**", count: 200).joined(separator: "/")) == all)
        #expect(try expand("/nothing*").isEmpty)
        #expect(try expand("/site/page") == ["/site/page"])
    }

    @Test("a path with a time leads into that snapshot, and so does everything below it")
    func times() throws {
        let workspace = try Samples.workspace("fs/zope5.fs")
        let facts = try SampleData.json("expected/zope5.fs.json")
        let transactions = facts["transactions"]?.elements ?? []
        // The last transaction deleted `deleted_later`, the one before added it.
        let added = try #require(transactions.dropLast().last?["tid"]?.string.flatMap { UInt64($0, radix: 16) })
        let resolver = PathResolver(workspace) { (text) throws(PathError) in
            guard let tid = UInt64(text, radix: 16) else { throw .when(text, reason: "no tid") }
            return TransactionID(rawValue: tid)
        }
        let hex = TransactionID(rawValue: added).hex
        let place = try resolver.resolve("/site/deleted_later@\(hex)")
        #expect(place.at == TransactionID(rawValue: added))
        #expect(try workspace.facts(of: place.node).className?.name == "Folder")
        #expect(try resolver.resolve("/site@\(hex)").parent?.at == TransactionID(rawValue: added))
        #expect(throws: PathError.self) { try resolver.resolve("/site/deleted_later") }
        #expect(
            try workspace.items(of: try resolver.resolve("/site@~1").node).rest().map(\.label).contains("deleted_later")
        )
        #expect(
            try !workspace.items(of: try resolver.resolve("/site@~0").node).rest().map(\.label).contains(
                "deleted_later"))
        #expect(throws: PathError.self) { try resolver.resolve("/site@~500") }
        // A value inside the record is found again in the older record.
        #expect(try resolver.resolve("/site/.title@~2").at < workspace.at)
    }
}

@Suite("A time in front of a path")
struct LeadingTimeTests {
    @Test(
        "means the same as behind it",
        arguments: [
            ("@yesterday:/a/b", "/a/b@yesterday"), ("@2026-10-01T10:00:/a", "/a@2026-10-01T10:00"),
            ("@2h:#1a2b/.x", "#0x1a2b/.x@2h"), ("@~3://x", "//x@~3"), ("@040d271ce85dac99:/", "/@040d271ce85dac99"),
        ])
    func leading(text: String, same: String) throws {
        #expect(try ObjectPath(parsing: text) == ObjectPath(parsing: same))
    }

    @Test("is one too many with another behind, or empty", arguments: ["@1h:/a@2h", "@:/a"])
    func wrong(text: String) {
        #expect(throws: PathSyntaxError.self) { try ObjectPath(parsing: text) }
    }
}

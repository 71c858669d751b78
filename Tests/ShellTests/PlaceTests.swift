import Testing
import ZODB

@testable import Shell

@Suite("Going about")
struct PlaceTests {
    @Test("cd goes down, up, back, to an oid and to the root; pwd tells where that is")
    func directions() throws {
        let look = try Look("fs/zope5.fs")
        func path() -> String { look.run("pwd --fields path").output }
        #expect(path() == "path\t/\n")
        #expect(look.run("cd site/btf").output == "")
        #expect(path() == "path\t/site/btf\n")
        #expect(look.run("pwd --fields oid").output == "oid\t#0x1f\n")
        _ = look.run("cd ..")
        #expect(path() == "path\t/site\n")
        _ = look.run("cd -")
        #expect(path() == "path\t/site/btf\n")
        _ = look.run("cd -")
        #expect(path() == "path\t/site\n")
        _ = look.run("cd .__ac_local_roles__")
        #expect(path() == "path\t/site/.__ac_local_roles__\n")
        #expect(look.run("ls").output == "admin\nmary\n")
        _ = look.run("cd #c")
        #expect(path() == "path\t#0x0c\n")
        _ = look.run("cd //")
        #expect(path() == "path\t//\n")
        _ = look.run("cd app/site")
        #expect(path() == "path\t/site\n")
        _ = look.run("cd")
        #expect(path() == "path\t/\n")
        #expect(look.session.path == "/")
    }

    @Test(
        "what leads nowhere says which step failed and what to try, and leaves us where we were",
        arguments: [
            ("cd /nope", "/nope: / has no item or attribute nope (ls / lists", ExitCode.data),
            ("cd /site/nope", "/site/nope: /site has no item or attribute nope (ls -a /site lists", .data),
            ("cd /site/.nope", "/site has no attribute .nope", .data),
            ("ls app.acl_users.admin", "did you mean /acl_users/admin ?", .data),
            ("cd #ffff", "#ffff: no such object", .data),
            ("cd /site@zz", "/site@zz: 'zz' is no point in time", .usage),
            ("cd /site@2001-01-01", "did not exist at", .data),
            ("cd /x[", "(see 'help paths')", .usage),
            ("cd #zz", "is no object id", .usage),
            ("cd /*", "here one is needed", .usage),
            ("cd -", "there is no place before this one", .usage),
            ("cat /site/*x*y", "/site/*x*y: nothing matches", .negative),
            ("cat /site@~1/.title", "(a time stands at the end: PATH@WHEN)", .data),
            ("cat", "", .done),
        ])
    func nowhere(line: String, message: String, code: ExitCode) throws {
        let look = try Look("fs/zope5.fs")
        let outcome = look.run(line)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(outcome.code == code)
        #expect(code == .done || outcome.output == "")
        #expect(look.session.path == "/")
    }

    @Test("an operand that leads nowhere is an error before anything is shown")
    func allOrNothing() throws {
        let outcome = try Look("fs/zope5.fs").run("cat /site /nope")
        #expect(outcome.output == "")
        #expect(outcome.code == .data)
    }

    @Test("weak references and those into other databases are named, not followed")
    func unfollowed() throws {
        let look = try Look("fs/py3-zodb6-refs.fs")
        let weak = look.run("cat /weak/.title")
        #expect(
            weak.errors.contains(
                "/weak is a weak reference, to 0x02; it is not followed by itself (go there by oid: #0x02)"))
        #expect(weak.code == .data)
        #expect(look.run("ls /cross_m/x").errors.contains("a reference into another database 'other'"))
        #expect(look.run("cat /cross_m").output == "<elsewhere #0x01 appclasses.Document in database 'other'>\n")
    }
}

@Suite("The past")
struct PastTests {
    private static let beforeDeletion = "040d271cfd6f0399"

    @Test("PATH@WHEN shows the object as it was; nothing else changes")
    func path() throws {
        let look = try Look("fs/zope5.fs")
        #expect(!look.run("ls /site").lines.contains("deleted_later"))
        #expect(look.run("ls /site@\(Self.beforeDeletion)").lines.contains("deleted_later"))
        #expect(look.run("ls /site@~1").lines.contains("deleted_later"))
        #expect(look.run("get /site/deleted_later/.id@~0").code == .data)
        #expect(look.run("get /site/deleted_later/.id@\(Self.beforeDeletion)").output == "deleted_later\n")
        #expect(look.run("ls /site@2h").code == .done)
        #expect(look.session.past == nil)
    }

    @Test("cd PATH@WHEN goes to the past; paths are read there until cd @now, cd - or refresh")
    func session() throws {
        let look = try Look("fs/zope5.fs")
        func seesDeleted() -> Bool { look.run("ls /site").lines.contains("deleted_later") }
        _ = look.run("cd /site@\(Self.beforeDeletion)")
        #expect(look.session.past?.hex == Self.beforeDeletion)
        #expect(seesDeleted())
        #expect(look.run("ls").lines.contains("deleted_later"))
        #expect(look.run("pwd --fields path,at,past").output == "path\t/site\nat\t\(Self.beforeDeletion)\npast\ttrue\n")
        // A time in a path is one of the whole history, also later than the past looked at.
        #expect(!look.run("ls .@now").lines.contains("deleted_later"))
        _ = look.run("cd ..")
        #expect(look.session.past != nil)
        _ = look.run("cd @now")
        #expect(look.session.past == nil)
        #expect(!seesDeleted())
        _ = look.run("cd -")
        #expect(seesDeleted())
        _ = look.run("refresh")
        #expect(look.session.past == nil)
        #expect(!seesDeleted())
    }

    @Test("a place that the present has no more is left for the one above it")
    func vanished() throws {
        let look = try Look("fs/zope5.fs")
        _ = look.run("cd /site/deleted_later@\(Self.beforeDeletion)")
        #expect(look.session.path == "/site/deleted_later")
        _ = look.run("refresh")
        #expect(look.run("pwd --fields path").output == "path\t/site\n")
    }

    @Test("before the beginning there is nothing, and that is said")
    func tooEarly() throws {
        let outcome = try Look("fs/zope5.fs").run("ls /site@040d271cfcd01500")
        #expect(outcome.code == .data)
        #expect(outcome.errors.contains("/ has no item or attribute site"))
    }
}

@Suite("Completing paths")
struct PathCompletionTests {
    private func complete(_ look: Look, _ typed: String) -> [String] {
        look.session.completePath?(typed, 200).names.map(\.path) ?? []
    }

    @Test("offers children by how they begin, from anywhere")
    func names() throws {
        let look = try Look("fs/zope5.fs")
        #expect(complete(look, "/si") == ["/site"])
        #expect(complete(look, "si") == ["site"])
        #expect(complete(look, "//A") == ["//Application"])
        #expect(complete(look, "#b/small") == ["#b/small_file"])
        #expect(complete(look, "/site/btf/sub0").count == 10)
        #expect(complete(look, "/site/.__ac_l") == ["/site/.__ac_local_roles__"])
        #expect(complete(look, "/site/.__ac_local_roles__/m") == ["/site/.__ac_local_roles__/mary"])
        #expect(complete(look, "/site/acl_users/").count == 8)
        #expect(complete(look, "/site/..") == ["/site/../"])
        _ = look.run("cd site")
        #expect(complete(look, "dtml_") == ["dtml_method", "dtml_doc"])
        #expect(complete(look, "../pa") == ["../pas_site"])
    }

    @Test("offers keys in brackets as they must be typed")
    func keys() throws {
        let look = try Look("fs/py3-zodb6-btrees.fs")
        let all = complete(look, "/IOBTree-many[")
        #expect(!all.isEmpty)
        for path in all { #expect(look.run("ls -d '\(path)'").code == .done) }
    }

    @Test("says what goes on after a slash, and ends what does not")
    func containers() throws {
        let look = try Look("fs/zope5.fs")
        func candidate(_ typed: String) -> Session.PathCandidate? { look.session.completePath?(typed, 200).names.first }
        #expect(candidate("/si")?.isContainer == true)
        #expect(candidate("/si")?.note == "Folder")
        #expect(candidate("/index")?.isContainer == false)
        #expect(candidate("/site/.tit")?.isContainer == false)
        #expect(candidate("/site/.__ac_l")?.isContainer == true)
    }

    @Test(
        "offers nothing where nothing can be known",
        arguments: ["#1", "/site@", "/si*", "/nope/x", "/site[0]", "/x[[", "/site/.title/", "/weak/x", "/{", "[", "/["])
    func nothing(typed: String) throws {
        #expect(complete(try Look("fs/zope5.fs"), typed).isEmpty)
    }

    @Test("offers attributes of what has no items")
    func attributes() throws {
        #expect(complete(try Look("fs/zope5.fs"), "/index_html/").contains("/index_html/.title"))
    }

    @Test("stops at the limit, and says so")
    func limit() throws {
        let look = try Look("fs/zope5.fs")
        let found = look.session.completePath?("/site/btf/", 7)
        #expect(found?.names.count == 7)
        #expect(found?.isPartial == true)
    }
}

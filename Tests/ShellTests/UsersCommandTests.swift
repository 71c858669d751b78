import TestSupport
import Testing

@testable import Shell

@Suite("users")
struct UsersCommandTests {
    private func rows(_ file: String, _ line: String = "users / -o jsonl") throws -> [JSONValue] {
        try Look(file).run(line).lines.map { try JSONValue(parsing: Array($0.utf8)) }
    }

    @Test(
        "every user folder's users, with roles, domains and how the password is kept", arguments: ["zope213", "zope5"])
    func site(name: String) throws {
        let users = try rows("fs/\(name).fs")
        func user(_ name: String, _ folder: String) -> JSONValue? {
            users.first { $0["user"]?.string == name && $0["path"]?.string == folder }
        }
        let facts = try SampleData.json("expected/\(name).site.json")
        for member in try #require(facts["passwords"]).members {
            let stored = try #require(member.value.string)
            let scheme = stored.hasPrefix("{") ? String(stored.dropFirst().prefix { $0 != "}" }) : "clear text"
            #expect(user(member.key, "/site/acl_users")?["password"] == .string(scheme), "\(member.key)")
        }
        #expect(users.count { $0["path"] == .string("/site/acl_users") } == facts["passwords"]?.members.count)
        #expect(user("mary", "/site/acl_users")?["roles"] == .array([.string("Manager")]))
        #expect(user("bob", "/site/acl_users")?["domains"] == .array([.string("*.example.com")]))
        #expect(user("admin", "/acl_users")?["roles"] == .array([.string("Manager")]))
        let pluggable = user("mary", "/pas_site/acl_users")
        #expect(pluggable?["id"] == .string("mary-id"))
        #expect(pluggable?["roles"] == .array([.string("Manager")]))
        #expect(pluggable?["password"] == .string("SSHA"))
    }

    @Test("no password is ever shown", arguments: ["zope213", "zope5"])
    func secrets(name: String) throws {
        let look = try Look("fs/\(name).fs")
        let facts = try SampleData.json("expected/\(name).site.json")
        for format in OutputFormat.allCases {
            let output = look.run("users / -o \(format.rawValue)").output
            for member in try #require(facts["passwords"]).members {
                #expect(!output.contains(member.value.string ?? "?"))
            }
        }
    }

    @Test("the sites in trouble have their users", arguments: ["access-rule", "lost-password"], ["zope213", "zope5"])
    func rescue(trouble: String, zope: String) throws {
        let users = try rows("rescue/\(trouble)-\(zope).fs")
        #expect(users.contains { $0["path"] == .string("/acl_users") && $0["roles"] == .array([.string("Manager")]) })
        #expect(users.allSatisfy { $0["password"]?.string != nil })
    }

    @Test("only those below a path; none is exit code 1")
    func below() throws {
        let look = try Look("fs/zope5.fs")
        #expect(Set(look.run("users /pas_site --fields path").lines) == ["/pas_site/acl_users"])
        #expect(look.run("users /pas_site/acl_users --fields user").lines.contains("mary"))
        #expect(look.run("users /site/btf").code == .negative)
    }
}

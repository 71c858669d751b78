import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Rescue: what is found")
struct RescueTests {
    private static let now = Date().timeIntervalSince1970

    private func findings(
        _ emergency: Emergency, _ path: String, at place: String = "/", recursive: Bool = false,
        user: String? = nil, gone: Set<String> = []
    ) throws -> [Finding] {
        let workspace = try Workspace(FileStorage(path))
        var scope = RescueScope(try PathResolver(workspace).resolve(place), now: Self.now)
        (scope.isRecursive, scope.user, scope.goneClasses) = (recursive, user, gone)
        return try workspace.findings(of: emergency, in: scope).rest()
    }

    private func all(_ path: String) throws -> [Emergency: [Finding]] {
        var result: [Emergency: [Finding]] = [:]
        for emergency in Emergency.allCases {
            let found = try findings(emergency, path, recursive: true)
            if !found.isEmpty { result[emergency] = found }
        }
        return result
    }

    // MARK: The samples

    @Test("the access rule is found, and where it leads: nowhere", arguments: ["zope213", "zope5"])
    func accessRule(site: String) throws {
        let found = try findings(.accessRule, SampleData.path("rescue/access-rule-\(site).fs"))
        #expect(found.count == 1)
        let finding = try #require(found.first)
        #expect(finding.isCertain && finding.place.description == "/")
        #expect(finding.what.contains("'AccessRule'") && finding.what.contains("'site_rule'"))
        #expect(finding.consequence.contains("there is no /newsite"))
        guard case .removeHooks(let hooks, let place)? = finding.remedy?.steps.first else {
            Issue.record("no remedy")
            return
        }
        #expect(hooks == [.registered(priority: 1, handle: "AccessRule")])
        #expect(place.description == "/")
    }

    @Test(
        "a site whose manager's password is lost is not broken: the managers are named",
        arguments: ["zope213", "zope5"])
    func lostPassword(site: String) throws {
        let found = try all(SampleData.path("rescue/lost-password-\(site).fs"))
        #expect(Array(found.keys) == [.password])
        let finding = try #require(found[.password]?.first)
        #expect(finding.what == "managers: admin (SSHA)")
        #expect(!finding.isCertain && finding.remedy == nil)
    }

    @Test("nothing is certain in a healthy site", arguments: ["zope213", "zope5"])
    func healthy(site: String) throws {
        for (emergency, found) in try all(SampleData.path("fs/\(site).fs")) {
            // Its map of hosts leads to a folder that the site does not have.
            for finding in found where emergency != .virtualHosts {
                #expect(!finding.isCertain, "\(finding.what): \(finding.consequence)")
            }
        }
    }

    @Test("a rule below the place asked for is shown, and left alone", arguments: ["zope213", "zope5"])
    func ruleBelow(site: String) throws {
        let path = SampleData.path("fs/\(site).fs")
        let below = try findings(.accessRule, path)
        let count = site == "zope213" ? 2 : 1
        #expect(below.map(\.place.description) == Array(repeating: "/site", count: count))
        #expect(below.allSatisfy { !$0.isCertain })
        #expect(below[0].what.contains("'AccessRule': 'access_rule'"))
        #expect(below.last?.what.contains(site == "zope213" ? "'SiteRoot'" : "'AccessRule'") ?? false)
        #expect(try findings(.accessRule, path, at: "/site").allSatisfy { $0.isCertain })
    }

    @Test("a class said to be gone is looked for", arguments: ["zope213", "zope5"])
    func goneClass(site: String) throws {
        let path = SampleData.path("fs/\(site).fs")
        #expect(try findings(.brokenObjects, path, at: "/site").isEmpty)
        let workspace = try Workspace(FileStorage(path))
        let broken = try PathResolver(workspace).resolve("/site/broken")
        let name = try #require(try workspace.subject(of: broken.node).className).description
        let found = try findings(.brokenObjects, path, at: "/site", gone: [name])
        #expect(found.count == 1 && found[0].what.contains(name) && found[0].isCertain)
    }

    // MARK: Sites that Zope broke

    /// For each site: the emergency, whether it is certain, and words that the findings have, in order.
    static let expectations: [(String, Emergency, [(certain: Bool, words: String)])] = [
        ("no-manager", .noManager, [(true, "none of 3 users has the role Manager")]),
        ("no-user", .noManager, [(true, "there is no user")]),
        ("no-plugin-manager", .noManager, [(false, "none of 2 users")]),
        ("lost-hook", .accessRule, [(true, "hook 'SessionDataManager' is an object that cannot be read")]),
        ("other-user-folder", .userFolder, [(true, "'__allow_groups__' leads to another object")]),
        ("lost-user-folder", .userFolder, [(true, "the user folder /acl_users cannot be read")]),
        ("lost-user-table", .userFolder, [(true, "the table of users cannot be read")]),
        ("lost-user", .userFolder, [(true, "user 'bob' cannot be read")]),
        ("lost-plugin", .userFolder, [(true, "plugin 'more_users' is activated as IAuthenticationPlugin")]),
        (
            "permissions", .permissions,
            [(true, "'View management screens' is given to nobody"), (true, "'View' is given to only Owner")]
        ),
        (
            "virtual-hosts", .virtualHosts,
            [
                (true, "'shop.example.com' is mapped to /shop"), (true, "'blog.example.com:8080' is mapped to /blog"),
                (true, "'*.example.org' is mapped to /shop"),
            ]
        ),
        (
            "lost-object", .brokenObjects,
            [(true, "press (OFS.Folder.Folder) cannot be read"), (true, ".extra (OFS.Folder.Folder) cannot be read")]
        ),
        (
            "metadata", .folders,
            [
                (true, "'ghost' is listed, and there is no such object"),
                (true, "'acl_users' is listed more than once"),
                (false, "'hidden' (OFS.Folder.Folder) is there, and not in the list"),
                (true, "the counter says 7, and there are 300 objects"), (true, "'nobody' as a"),
                (true, "is not in the index"),
            ]
        ),
        (
            "locks", .locks,
            [
                (true, "locked by admin, last renewed 400 days ago"), (false, "locked by admin"),
                (false, "expired, last renewed"),
            ]
        ),
    ]

    @Test(
        "what Zope broke is found, and nothing else",
        .enabled(if: PythonPeer.zope5.isReady, Comment(rawValue: PythonPeer.zope5.reason)),
        arguments: expectations.map(\.0))
    func broken(name: String) throws {
        let (_, emergency, expected) = try #require(Self.expectations.first { $0.0 == name })
        var found = try all(try BrokenSites.path(name))
        let own = found.removeValue(forKey: emergency) ?? []
        #expect(own.count == expected.count, "\(own.map(\.what))")
        for (finding, wanted) in zip(own, expected) {
            #expect(finding.what.contains(wanted.words), "\(finding.what)")
            #expect(finding.isCertain == wanted.certain, "\(finding.what)")
            #expect(!finding.consequence.isEmpty)
        }
        for (other, findings) in found {
            // A lost part of the user folder is a lost object as well, and leaves no manager.
            if name.hasPrefix("lost-"), other == .brokenObjects || other == .noManager { continue }
            #expect(findings.allSatisfy { !$0.isCertain }, "\(other): \(findings.map(\.what))")
        }
    }

    @Test(
        "a pluggable user folder that works is not in trouble",
        .enabled(if: PythonPeer.zope5.isReady, Comment(rawValue: PythonPeer.zope5.reason)))
    func pluggable() throws {
        let found = try all(try BrokenSites.path("pluggable"))
        #expect(Array(found.keys) == [.password])
        #expect(found[.password]?.first?.what == "managers: admin (SSHA)")
    }
}

@Suite("Passwords as Zope keeps them")
struct PasswordHashTests {
    @Test("with the salt of a stored password the same string comes out", arguments: ["zope213", "zope5"])
    func stored(site: String) throws {
        let passwords = try #require(try SampleData.json("expected/\(site).site.json")["passwords"])
        for (name, secret) in [("mary", "mary-pw"), ("bob", "bob-pw"), ("u_ssha", "secret")] {
            let stored = try #require(passwords[name]?.string)
            let decoded = try #require(Self.bytes(base64: stored.dropFirst("{SSHA}".count)))
            #expect(PasswordHash(Array(secret.utf8), salt: Array(decoded[20...])).text == stored)
            #expect(PasswordHash(Array("wrong".utf8), salt: Array(decoded[20...])).text != stored)
        }
    }

    @Test("each has a salt of its own, and the length that Zope's have")
    func salts() {
        let hashes = (0..<20).map { _ in PasswordHash(Array("pw".utf8)).text }
        #expect(Set(hashes).count == 20)
        #expect(hashes.allSatisfy { $0.utf8.count == 42 && $0.hasPrefix("{SSHA}") })
    }

    private static func bytes(base64 text: Substring) -> [UInt8]? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bits = 0
        var count = 0
        var bytes: [UInt8] = []
        for character in text.utf8 where character != UInt8(ascii: "=") {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = (bits << 6 | value) & 0xff_ffff
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(bits >> count & 0xff))
            }
        }
        return bytes
    }
}

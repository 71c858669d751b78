import Foundation
import TestSupport
import Testing

/// A running Zope in trouble, and the program at its ZEO server.
@Suite("A live Zope site, rescued while it runs", .serialized, .needs(.zope5))
struct LiveRescueTests {
    // MARK: The access rule

    @Test(
        "locked by an access rule, it opens without a restart",
        arguments: [
            ("by rescue", ["rescue access-rule"]),
            ("by hand", SiteInTrouble.accessRuleByHand),
            (
                "by hand, the path quoted",
                [
                    "cd /", "rm \"/.__before_publishing_traverse__/._list[0]\"",
                    "rm \"/.__before_traverse__[(1, 'AccessRule')]\"",
                ]
            ),
        ])
    func accessRule(way: String, lines: [String]) throws {
        let site = try ZopeSite(serving: SampleData.path("rescue/access-rule-zope5.fs"))
        try SiteInTrouble(site).judgeAccessRule(lines)
    }

    @Test("a manager whose password is lost logs in with a new one", arguments: [true, false])
    func password(fromFile: Bool) throws {
        let site = try ZopeSite(serving: SampleData.path("rescue/lost-password-zope5.fs"))
        try SiteInTrouble(site).judgePassword(fromFile: fromFile)
    }

    // MARK: Other emergencies

    struct Case: CustomTestStringConvertible {
        var name: String
        var path: String
        var host: String?
        var isAdmin: Bool
        var before: Int
        var line: String

        var testDescription: String { "\(name): \(path)" }
    }

    static let cases = [
        Case(
            name: "other-user-folder", path: "/manage_main", isAdmin: true, before: 401, line: "rescue user-folder -y"),
        Case(name: "lost-plugin", path: "/manage_main", isAdmin: true, before: 401, line: "rescue user-folder -y"),
        Case(name: "permissions", path: "/manage_main", isAdmin: true, before: 401, line: "rescue permissions"),
        Case(
            name: "virtual-hosts", path: "/", host: "shop.example.com", isAdmin: false, before: 404,
            line: "rescue virtual-hosts"),
        Case(name: "lost-object", path: "/manage_main", isAdmin: true, before: 500, line: "rescue broken-objects"),
        Case(name: "metadata", path: "/manage_main", isAdmin: true, before: 500, line: "rescue folder-metadata"),
    ]

    @Test("what Zope refused before, it serves after the rescue", arguments: cases)
    func cured(_ example: Case) throws {
        let site = try ZopeSite(serving: try BrokenSites.path(example.name))
        let user = example.isAdmin ? BrokenSites.admin : nil
        #expect(try site.get(example.path, as: user, host: example.host).status == example.before)
        let outcome = try SiteInTrouble(site).zeoshell([example.line])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(try site.status(example.path, as: user, host: example.host, becomes: 200) == 200)
    }

    @Test("a Zope that could not start for want of its user folder starts, and lets a new manager in")
    func start() throws {
        let site = try ZopeSite(serving: try BrokenSites.path("lost-user-folder"), startsZope: false)
        #expect(throws: PythonFailure.self) { try site.start() }
        let outcome = try SiteInTrouble(site).zeoshell(
            ["rescue user-folder -y", "passwd rescuer --create --role Manager --password-fd 0 -y"], input: "rescue-pw")
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        try site.start()
        #expect(try site.get("/manage_main", as: (name: "rescuer", password: "rescue-pw")).status == 200)
        #expect(try site.get("/manage_main", as: SiteInTrouble.admin).status == 401)
    }
}

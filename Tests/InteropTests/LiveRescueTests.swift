import Foundation
import TestSupport
import Testing

/// A running Zope in trouble, and the program at its ZEO server.
@Suite("A live Zope site, rescued while it runs", .serialized, .needs(.zope5))
struct LiveRescueTests {
    private let admin = (name: "admin", password: "rescue-pw")

    private func zeoshell(
        _ site: ZopeSite, _ lines: [String], input: String? = ""
    ) throws -> BuiltProgram.Outcome {
        var arguments = ["connect", "127.0.0.1:\(site.serverPort)", "--rw", "--timeout", "60", "-c", "begin"]
        for line in lines { arguments += ["-c", line] }
        return try BuiltProgram.zeoshell.run(arguments + ["-c", "commit -y"], input: input)
    }

    // MARK: The access rule

    @Test(
        "locked by an access rule, it opens without a restart",
        arguments: [
            ("by rescue", ["rescue access-rule"]),
            (
                "by hand",
                [
                    "unset /.__before_traverse__[(1,'AccessRule')]",
                    "unset /.__before_publishing_traverse__/._list[0]",
                ]
            ),
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
        #expect(try site.get("/").status == 404)
        #expect(try site.get("/manage_main").status == 404)
        let process = site.processID
        let outcome = try zeoshell(site, lines)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try site.status("/", becomes: 200) == 200)
        #expect(try site.get("/manage_main").status == 401)
        #expect(site.isRunning && site.processID == process)
        // The table and the list agree; the other hooks are there, in order; the script stays.
        let hooks = try site.server.client(
            """
            app = root['Application']
            print(sorted(key[1] for key in app.__before_traverse__))
            print([getattr(hook, 'name', hook.__class__.__name__) for hook in app.__before_publishing_traverse__._list])
            print('site_rule' in app.objectIds(), app.site_rule._body.count('newsite'))
            """)
        #expect(
            hooks == """
                ['SessionDataManager', 'Virtual Host Monster']
                ['virtual_hosting', 'SessionDataManagerTraverser']
                True 2

                """)
    }

    // MARK: The password

    /// Where the password comes from: the lines, and what standard input holds.
    static let sources: [(name: String, line: String, input: String?)] = [
        ("a file", "passwd admin --password-file FILE -y", ""),
        ("a descriptor", "passwd admin --password-fd 0 -y", "rescue-pw\n"),
    ]

    @Test("a manager whose password is lost logs in with a new one", arguments: sources.map(\.name))
    func password(source: String) throws {
        let (_, line, input) = try #require(Self.sources.first { $0.name == source })
        let site = try ZopeSite(serving: SampleData.path("rescue/lost-password-zope5.fs"))
        #expect(try site.get("/manage_main", as: admin).status == 401)
        let others =
            "print({n: (vars(u), u._p_serial) for n, u in root['Application'].acl_users.data.items() if n != 'admin'})"
        let before = try site.server.client(others)
        let file = site.server.folder.appending(path: "password")
        try "rescue-pw\n".write(to: file, atomically: true, encoding: .utf8)
        let process = site.processID
        let outcome = try zeoshell(site, [line.replacing("FILE", with: file.path)], input: input)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try site.status("/manage_main", as: admin, becomes: 200) == 200)
        #expect(try site.get("/manage_main", as: (name: "admin", password: "rescue-p")).status == 401)
        #expect(try site.get("/manage_main", as: (name: "carol", password: "rescue-pw")).status == 401)
        #expect(site.isRunning && site.processID == process)
        #expect(try site.server.client(others) == before)
        // The clear text is nowhere in the database, and nowhere in what the program said.
        let data = try Data(contentsOf: site.server.folder.appending(path: "1.fs"))
        #expect(data.range(of: Data("rescue-pw".utf8)) == nil)
        #expect(!outcome.output.contains("rescue-pw") && !outcome.errors.contains("rescue-pw"))
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
        let outcome = try zeoshell(site, [example.line])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        #expect(try site.status(example.path, as: user, host: example.host, becomes: 200) == 200)
    }

    @Test("a Zope that could not start for want of its user folder starts, and lets a new manager in")
    func start() throws {
        let site = try ZopeSite(serving: try BrokenSites.path("lost-user-folder"), startsZope: false)
        #expect(throws: PythonFailure.self) { try site.start() }
        let outcome = try zeoshell(
            site,
            ["rescue user-folder -y", "passwd rescuer --create --role Manager --password-fd 0 -y"], input: "rescue-pw")
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
        try site.start()
        #expect(try site.get("/manage_main", as: (name: "rescuer", password: "rescue-pw")).status == 200)
        #expect(try site.get("/manage_main", as: admin).status == 401)
    }
}

import Foundation
import TestSupport
import Testing

/// The emergencies of the old sites: a running Zope 2.13 on Python 2.7, at the ZEO server of its own ZODB3 3.10.
@Suite("A live Zope 2.13, rescued while it runs", .serialized, .needs(.zope213), .onlyInFull)
struct OldLiveRescueTests {
    private let admin = (name: "admin", password: "rescue-pw")

    private func site(_ name: String) throws -> ZopeSite {
        try ZopeSite(serving: SampleData.path("rescue/\(name)-zope213.fs"), by: .zope213, zope: .zope213)
    }

    private func zeoshell(
        _ site: ZopeSite, _ lines: [String], input: String? = ""
    ) throws -> BuiltProgram.Outcome {
        var arguments = ["connect", "127.0.0.1:\(site.serverPort)", "--rw", "--timeout", "60", "-c", "begin"]
        for line in lines { arguments += ["-c", line] }
        return try BuiltProgram.zeoshell.run(arguments + ["-c", "commit -y"], input: input)
    }

    @Test("the server is what these sites have")
    func server() throws {
        let server = try PythonServer(.zope213, serving: ["1": SampleData.path("rescue/access-rule-zope213.fs")])
        guard case .port(let port) = server.address else { throw PythonFailure(text: "no port") }
        let outcome = try BuiltProgram.zeoshell.run(["server", "127.0.0.1:\(port)", "-o", "json", "--timeout", "60"])
        let facts = try JSONValue(parsing: Array(outcome.output.utf8))
        #expect(facts["dialect"]?.string == "Z3101" && facts["python"]?.int == 2, "\(outcome.output)\(outcome.errors)")
    }

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
        ])
    func accessRule(way: String, lines: [String]) throws {
        let site = try site("access-rule")
        #expect(try site.get("/").status == 404)
        #expect(try site.get("/manage_main").status == 404)
        let process = site.processID
        let outcome = try zeoshell(site, lines)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try site.status("/", becomes: 200) == 200)
        // Open to visitors; what is for managers is asked a password for, no longer missing.
        #expect(try site.get("/manage_main").status == 401)
        #expect(site.isRunning && site.processID == process)
        // The table and the list agree; the other hooks are there, in order; the script stays.
        let hooks = try site.server.client(
            """
            import Zope2
            app = root['Application']
            print(sorted(key[1] for key in app.__before_traverse__))
            print([getattr(hook, 'name', hook.__class__.__name__) for hook in app.__before_publishing_traverse__._list])
            print('site_rule' in app.objectIds())
            """)
        #expect(
            hooks == """
                ['SessionDataManager', 'Virtual Host Monster']
                ['virtual_hosting', 'SessionDataManagerTraverser']
                True

                """)
    }

    @Test(
        "a manager whose password is lost logs in with a new one", arguments: [true, false])
    func password(fromFile: Bool) throws {
        let site = try site("lost-password")
        #expect(try site.get("/").status == 200)
        #expect(try site.get("/manage_main", as: admin).status == 401)
        let others =
            "import Zope2; print(sorted((n, u.__, u._p_serial) for n, u in root['Application'].acl_users.data.items() if n != 'admin'))"
        let before = try site.server.client(others)
        let file = site.server.folder.appending(path: "password")
        try "rescue-pw\n".write(to: file, atomically: true, encoding: .utf8)
        let process = site.processID
        let outcome = try zeoshell(
            site, ["passwd admin \(fromFile ? "--password-file \(file.path)" : "--password-fd 0") -y"],
            input: fromFile ? "" : "rescue-pw\n")
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
}

import Foundation
import TestSupport
import Testing

/// A running Zope with one of the sample sites in trouble, and what is asked of any rescue of it, whatever its age.
struct SiteInTrouble {
    static let admin = (name: "admin", password: "rescue-pw")

    let site: ZopeSite
    /// What Python's client has to import first.
    private let imports: String

    init(_ site: ZopeSite, imports: String = "") { (self.site, self.imports) = (site, imports) }

    /// Runs the lines at the site's server, and commits.
    func zeoshell(_ lines: [String], input: String? = "") throws -> BuiltProgram.Outcome {
        var arguments = ["connect", "127.0.0.1:\(site.serverPort)", "--rw", "--timeout", "60", "-c", "begin"]
        for line in lines { arguments += ["-c", line] }
        return try BuiltProgram.zeoshell.run(arguments + ["-c", "commit -y"], input: input)
    }

    static let accessRuleByHand = [
        "unset /.__before_traverse__[(1,'AccessRule')]", "unset /.__before_publishing_traverse__/._list[0]",
    ]

    /// Nobody gets in for an access rule; with these lines everybody does, without a restart.
    func judgeAccessRule(_ lines: [String]) throws {
        #expect(try site.get("/").status == 404)
        #expect(try site.get("/manage_main").status == 404)
        let script = "\(imports)\nprint(root['Application'].site_rule._body)"
        let before = try site.server.client(script)
        let process = site.processID
        let outcome = try zeoshell(lines)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try site.status("/", becomes: 200) == 200)
        // Open to visitors; what is for managers is asked a password for, no longer missing.
        #expect(try site.get("/manage_main").status == 401)
        #expect(site.isRunning && site.processID == process)
        #expect(before.contains("newsite"))
        #expect(try site.server.client(script) == before)
        // The table and the list agree; the other hooks are there, in order; the script stays.
        let hooks = try site.server.client(
            """
            \(imports)
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

    /// The manager's password is lost; a new one lets in, and nothing else has changed.
    func judgePassword(fromFile: Bool) throws {
        #expect(try site.get("/manage_main", as: Self.admin).status == 401)
        let others = """
            \(imports)
            users = root['Application'].acl_users.data.items()
            for name, user in sorted(users):
                if name != 'admin': print(name, user.__, sorted(vars(user).items()), user._p_serial)
            """
        let before = try site.server.client(others)
        let file = site.server.folder.appending(path: "password")
        try "rescue-pw\n".write(to: file, atomically: true, encoding: .utf8)
        let process = site.processID
        let outcome = try zeoshell(
            ["passwd admin \(fromFile ? "--password-file \(file.path)" : "--password-fd 0") -y"],
            input: fromFile ? "" : "rescue-pw\n")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try site.status("/manage_main", as: Self.admin, becomes: 200) == 200)
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

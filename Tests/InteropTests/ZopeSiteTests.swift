import Foundation
import TestSupport
import Testing

/// The two emergencies as they are, and Python's own cure of each: what ours is compared with.
@Suite("A live Zope site in trouble", .needs(.zope5))
struct ZopeSiteTests {
    private let admin = (name: "admin", password: "admin")

    @Test("locked by an access rule, it opens while it runs when Python takes the rule away")
    func accessRule() throws {
        let site = try ZopeSite(serving: SampleData.path("rescue/access-rule-zope5.fs"))
        #expect(try site.get("/").status == 404)
        #expect(try site.get("/manage_main", as: admin).status == 404)
        let process = site.processID
        try site.server.client(
            """
            from ZPublisher.BeforeTraverse import unregisterBeforeTraverse
            unregisterBeforeTraverse(root['Application'], 'AccessRule')
            transaction.commit()
            """)
        #expect(try site.status("/", becomes: 200) == 200)
        // Open to visitors; what is for managers is asked a password for, no longer missing.
        #expect(try site.get("/manage_main").status == 401)
        #expect(site.isRunning && site.processID == process)
    }

    @Test("with a lost password, it lets the manager in while it runs when Python sets a new one")
    func lostPassword() throws {
        let site = try ZopeSite(serving: SampleData.path("rescue/lost-password-zope5.fs"))
        let new = (name: "admin", password: "rescue-pw")
        #expect(try site.get("/").status == 200)
        #expect(try site.get("/manage_main", as: new).status == 401)
        let process = site.processID
        try site.server.client(
            """
            root['Application'].acl_users._doChangeUser('admin', 'rescue-pw', ['Manager'], [])
            transaction.commit()
            """)
        #expect(try site.status("/manage_main", as: new, becomes: 200) == 200)
        #expect(try site.get("/manage_main", as: admin).status == 401)
        #expect(site.isRunning && site.processID == process)
    }
}

import Foundation
import TestSupport
import Testing

/// The emergencies of the old sites: a running Zope 2.13 on Python 2.7, at the ZEO server of its own ZODB3 3.10.
@Suite("A live Zope 2.13, rescued while it runs", .serialized, .needs(.zope213), .onlyInFull)
struct OldLiveRescueTests {
    private func site(_ name: String) throws -> SiteInTrouble {
        SiteInTrouble(
            try ZopeSite(serving: SampleData.path("rescue/\(name)-zope213.fs"), by: .zope213, zope: .zope213),
            imports: "import Zope2")
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
            ("by hand", SiteInTrouble.accessRuleByHand),
        ])
    func accessRule(way: String, lines: [String]) throws { try site("access-rule").judgeAccessRule(lines) }

    @Test("a manager whose password is lost logs in with a new one", arguments: [true, false])
    func password(fromFile: Bool) throws {
        let trouble = try site("lost-password")
        #expect(try trouble.site.get("/").status == 200)
        try trouble.judgePassword(fromFile: fromFile)
    }
}

import Testing

@testable import ZEOClient

@Suite("Names of servers and of tunnels")
struct TrustTests {
    @Test("a certificate is for the names and addresses in it, and for no others")
    func names() {
        let names = ServerNames(
            hosts: ["db1.example.org", "*.Example.net", "*.org", "a*.example.com", "x.*.com"],
            addresses: [[10, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
        for host in [
            "db1.example.org", "DB1.EXAMPLE.ORG", "db1.example.org.", "www.example.net", "10.0.0.1", "::1", "0:0::1",
        ] {
            #expect(names.include(host), "\(host)")
        }
        for host in [
            "", ".", "example.org", "db2.example.org", "db1.example.org.evil", "a.b.example.net", "example.net",
            ".example.net", "zope.org", "ab.example.com", "x.y.com", "10.0.0.2", "010.0.0.1", "10.0.0", "::2",
        ] { #expect(!names.include(host), "\(host)") }
        #expect(names.texts.suffix(2) == ["10.0.0.1", "::1"])
        #expect(!ServerNames().include("db1"))
        #expect(ServerNames(hosts: ["a\u{1b}[31m\n"]).texts == ["a?[31m?"])
    }

    @Test("a host for ssh is a name, perhaps with a user and a port, and never an option")
    func tunnels() throws {
        for (text, destination, port) in [
            ("db1", "db1", nil), ("zope@db1.example.org", "zope@db1.example.org", nil),
            ("zope@db1:2222", "zope@db1", 2222),
            ("[::1]:22", "::1", 22), ("zope@[fe80::1%eth0]", "zope@fe80::1%eth0", nil), ("::1", "::1", nil),
            ("a@b@db1", "a@b@db1", nil),
        ] as [(String, String, Int?)] {
            let tunnel = try Tunnel(text)
            #expect((tunnel.destination, tunnel.port, tunnel.mayAsk) == (destination, port, false), "\(text)")
        }
        for text in [
            "", "@", "zope@", "@db1", "-oProxyCommand=x", "zope@-oProxyCommand=x", "-l@db1", "db1:", "db1:0",
            "db1:65536",
            "db1:ssh", "[::1", "[::1]22", "db 1", "db1\n", "zo pe@db1", "ssh://db1", "db1/x",
        ] { #expect(throws: TunnelError.self, "\(text)") { try Tunnel(text) } }
    }

    @Test("the end of a certificate is told in UTC")
    func dates() {
        #expect(TLSProblem.date(0) == "1970-01-01 00:00:00 UTC")
        #expect(TLSProblem.date(1_795_827_723) == "2026-11-28 01:02:03 UTC")
        #expect(TLSProblem.date(.max) == "\(Int.max)")
    }
}

import Foundation
import Storages
import TestSupport
import Testing

/// Real Zopes say what the databases of a zope.conf are.
@Suite("Configurations of sites, judged by Zope")
struct ZopeJudgeTests {
    private static let judge = JudgeScript("zopeconf_judge.py")

    /// What we make of a file, in the judge's words.
    private static func databases(_ path: String) throws -> [[String: JSONValue]] {
        try StorageConfiguration(path) { _ in nil }.databases.map { database in
            var answer: [String: JSONValue] = [
                "name": .string(database.name), "mounts": .array(database.mountPoints.map { .string($0) }),
            ]
            guard case .storage(let storage) = database.content else { return answer }
            let set = Dictionary(uniqueKeysWithValues: storage.settings.map { ($0.name, $0.value) })
            switch storage.place {
            case .file(let path): answer["path"] = .string(path)
            case .servers(let servers):
                answer["servers"] = .array(servers.map { .string($0) })
                answer["storage"] = .string(set["storage"] ?? "1")
                answer["read_only_fallback"] = .bool(set["read-only-fallback"] == "yes")
            }
            answer["read_only"] = .bool(storage.readOnlyAt != nil)
            for (ours, theirs) in [
                ("blob-dir", "blob_dir"), ("username", "username"), ("password", "password"), ("realm", "realm"),
                ("timeout", "wait_timeout"), ("cert", "ssl_certificate"), ("key", "ssl_key"),
                ("ca", "ssl_authenticate"),
                ("server-name", "ssl_server_hostname"),
            ] where set[ours] != nil {
                answer[theirs] = set[ours].map { .string($0) }
            }
            if set["tls"] != nil {
                answer["ssl_check_hostname"] = .string(set["no-check-hostname"] == "yes" ? "False" : "True")
            }
            return answer
        }
    }

    private func compare(_ peer: PythonPeer, _ paths: [String]) throws -> Int {
        var count = 0
        for (path, answer) in zip(paths, try Self.judge.answers(peer, "databases", paths)) {
            guard case .array(let theirs)? = answer["databases"] else {
                Issue.record("\(path): \(answer)")
                continue
            }
            let ours = try Self.databases(path)
            #expect(theirs.count == ours.count, "\(path)")
            for (their, our) in zip(theirs, ours) {
                guard case .object(let members) = their else { continue }
                var wanted = Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value) })
                // What they are made of, of which nothing can be opened here.
                for key in ["demo", "kind"] { wanted[key] = nil }
                #expect(wanted == our, "\(path)")
                count += 1
            }
        }
        return count
    }

    @Test(
        "the databases of files for Zope 5 are what it makes of them",
        .enabled(if: PythonPeer.zope5.isReady, "\(PythonPeer.zope5.reason)"))
    func zope5() throws {
        let site = try ConfiguredSite()
        let paths = try ["plone-6.conf", "several.conf", "tls-zope-5.conf"].map(site.file)
        #expect(try compare(.zope5, paths) == 6)
    }

    @Test("and of files for Zope 2", .enabled(if: PythonPeer.zope213.isReady, "\(PythonPeer.zope213.reason)"))
    func zope2() throws {
        let site = try ConfiguredSite()
        let paths = try ["zope-2.7.conf", "plone-4-client.conf", "plone-6.conf", "several.conf"].map(site.file)
            .map(Self.withoutMachine)
        #expect(try compare(.zope213, paths) == 9)
    }

    /// A copy without what a machine may lack, or only other releases of Zope 2 know, and which says nothing of databases.
    private static func withoutMachine(_ path: String) throws -> String {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).filter { !$0.hasPrefix("locale ") && !$0.hasPrefix("zeo-client-name ") }
        let copy = path + ".judged"
        try lines.joined(separator: "\n").write(toFile: copy, atomically: true, encoding: .utf8)
        return copy
    }

    @Test(
        "an instance that mkwsgiinstance makes leads to its Data.fs",
        .enabled(if: PythonPeer.zope5.isReady, "\(PythonPeer.zope5.reason)"))
    func instance() throws {
        let site = try ConfiguredSite()
        let folder = site.root.appending(path: "instance").path
        try PythonPeer.zope5.run(
            "import sys; from Zope2.utilities.mkwsgiinstance import main; sys.argv[1:] = sys.argv[1:]; main()",
            ["-d", folder, "-u", "admin:admin"])
        let path = folder + "/etc/zope.conf"
        let found = try ConfigurationAddress(path: path).resolved { _ in nil }
        #expect(found.storage.place == .file(folder + "/var/Data.fs"))
        #expect(found.database.mountPoints == ["/"])
        _ = try compare(.zope5, [path])
    }
}

import Foundation
import ObjectGraph
import Pickle
import Storages
import TestSupport
import Testing
import ZODB

@testable import Shell

/// A copy of a sample that may be written to.
private final class Copy {
    let look: Look
    let folder = FileManager.default.temporaryDirectory.appending(path: "rescue-\(UUID().uuidString)")

    /// - Parameter answers: what is typed when asked; nil when nobody can be asked.
    init(_ sample: String, answers: [String]? = []) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "site.fs").path
        try FileManager.default.copyItem(atPath: SampleData.path(sample), toPath: file)
        look = try Look(
            StorageAddress(parsing: file), .interactive, options: OpeningOptions(isWritable: true)
        ) { try openStorage($0, options: $1, interruption: $2) { _ in } }
        guard let answers else { return }
        var rest = answers
        func next(_ question: String) -> String? { rest.isEmpty ? nil : rest.removeFirst() }
        look.session.questions = Questions(next, secretly: next)
    }

    deinit {
        look.session.close()
        try? FileManager.default.removeItem(at: folder)
    }

    func run(_ line: String) -> Look.Outcome { look.run(line) }

    /// The staged record of an object.
    func staged(_ oid: UInt64) throws -> [UInt8] {
        try #require(try look.session.workspace.stagedObject(ObjectID(rawValue: oid))).record.document.source
    }
}

@Suite("rescue")
struct RescueCommandTests {
    @Test("alone it lists the emergencies and says which there are", arguments: ["zope213", "zope5"])
    func overview(site: String) throws {
        let outcome = try Look("rescue/access-rule-\(site).fs").run("rescue -o jsonl")
        #expect(outcome.code == .negative)
        let rows = try outcome.lines.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(rows.compactMap { $0["emergency"]?.string } == Emergency.allCases.map(\.rawValue))
        #expect(rows.compactMap { $0["found"]?.string }.prefix(3) == ["yes", "perhaps", "no"])
        #expect(rows[0]["path"] == .string("/") && rows[0]["certain"]?.int == 1)
        let quiet = try Look("rescue/lost-password-\(site).fs").run("rescue --fields emergency,found")
        #expect(quiet.code == .done)
        #expect(!quiet.output.contains("yes"))
        #expect(quiet.errors.contains("nothing is certainly wrong at /"))
    }

    @Test("to explain stages nothing; a read-only session explains and refuses", arguments: ["zope213", "zope5"])
    func explain(site: String) throws {
        let copy = try Copy("rescue/access-rule-\(site).fs")
        let explained = copy.run("rescue access-rule --explain")
        #expect(explained.code == .negative)
        #expect(explained.output.contains("there is no /newsite"))
        #expect(copy.look.session.stagedCount == 0)
        let refused = try Look("rescue/access-rule-\(site).fs").run("rescue access-rule")
        #expect(refused.code == .refused)
        #expect(refused.output.contains("there is no /newsite"))
        #expect(refused.errors.contains("start with --rw"))
        #expect(copy.run("rescue locks").code == .done)
    }

    @Test(
        "the access rule goes out of the table and of the list, by rescue as by hand", arguments: ["zope213", "zope5"])
    func accessRule(site: String) throws {
        let copy = try Copy("rescue/access-rule-\(site).fs")
        let outcome = copy.run("rescue access-rule")
        #expect(outcome.code == .done)
        #expect(outcome.output.contains("  staged    take hook 'AccessRule' out of the table and of the list"))
        #expect(copy.run("status --fields path").output == "/\n")
        let byRescue = try copy.staged(1)
        #expect(copy.run("get /.__before_publishing_traverse__/._list").output.contains("virtual_hosting"))
        #expect(!copy.run("get /.__before_publishing_traverse__/._list").output.contains("site_rule"))
        #expect(!copy.run("get /.__before_traverse__").output.contains("AccessRule"))
        #expect(copy.run("rescue access-rule").output.isEmpty)
        #expect(copy.run("abort").code == .done)
        #expect(copy.run("unset /.__before_traverse__[(1,'AccessRule')]").code == .done)
        #expect(copy.run("unset /.__before_publishing_traverse__/._list[0]").code == .done)
        #expect(try copy.staged(1) == byRescue)
        #expect(copy.run("commit -y").code == .done)
        #expect(copy.run("rescue --fields emergency,found").output.hasPrefix("access-rule\tno\n"))
    }

    @Test("an unknown emergency is told with those there are; a path alone is where to look")
    func words() throws {
        let look = try Look("fs/zope5.fs")
        let unknown = look.run("rescue acces-rule")
        #expect(unknown.code == .usage && unknown.errors.contains("access-rule, password, no-manager"))
        #expect(look.run("rescue access-rule / /site").code == .usage)
        #expect(look.run("rescue /site --fields emergency,found").output.hasPrefix("access-rule\tyes\n"))
        #expect(look.run("rescue --fields emergency,found").output.hasPrefix("access-rule\tperhaps\n"))
    }

    @Test("a finding as JSON has every part")
    func json() throws {
        let look = try Look("rescue/access-rule-zope5.fs")
        let lines = look.run("rescue access-rule --explain -o jsonl").lines
        let finding = try JSONValue(parsing: Array(try #require(lines.last).utf8))
        #expect(finding["emergency"]?.string == "access-rule" && finding["path"]?.string == "/")
        #expect(finding["certain"] == .bool(true) && finding["staged"] == .bool(false))
        #expect(finding["cure"]?.string?.isEmpty == false)
    }
}

@Suite("passwd")
struct PasswdCommandTests {
    private func stored(_ copy: Copy, _ path: String) -> String { copy.run("get \(path)").output }

    @Test("a typed password is staged as a salted hash, and in the kind of string that its Python reads")
    func typed() throws {
        for (site, kind) in [("zope213", "str"), ("zope5", "bytes")] {
            let copy = try Copy("rescue/lost-password-\(site).fs", answers: ["new-pw", "new-pw", "y"])
            let before = stored(copy, "/acl_users/admin/.__")
            let outcome = copy.run("passwd admin")
            #expect(outcome.code == .done, "\(outcome.errors)")
            #expect(outcome.errors.contains("staged: set a new password for admin in /acl_users"))
            let after = stored(copy, "/acl_users/admin/.__")
            #expect(after != before && after.contains("{SSHA}") && !after.contains("new-pw"))
            #expect(copy.look.session.stagedCount == 1)
            let value = try copy.look.session.read(try copy.look.session.place("/acl_users/admin/.__"))
            #expect(value.value.kindWord == kind)
        }
    }

    @Test("a PluggableAuthService keeps the passwords of its users in a BTree", arguments: ["zope213", "zope5"])
    func pluggable(site: String) throws {
        let copy = try Copy("fs/\(site).fs", answers: ["new-pw", "new-pw", "y"])
        let path = "/pas_site/acl_users/users/._user_passwords/bob-id"
        let before = stored(copy, path)
        let outcome = copy.run("passwd bob --folder /pas_site --role Manager")
        #expect(outcome.code == .done, "\(outcome.errors)")
        #expect(stored(copy, path) != before && stored(copy, path).contains("{SSHA}"))
        let users = copy.run("users /pas_site --fields user,roles").output
        #expect(users.contains("bob\tManager\n") && users.contains("mary\tManager\n"))
    }

    @Test("a new user has the roles given, and can be found at once", arguments: ["zope213", "zope5"])
    func create(site: String) throws {
        for folder in ["/", "/pas_site"] {
            let copy = try Copy("fs/\(site).fs", answers: ["new-pw", "new-pw", "y"])
            let outcome = copy.run("passwd rescuer --create --role Manager --folder \(folder)")
            #expect(outcome.code == .done, "\(outcome.errors)")
            let users = copy.run("users \(folder) --fields user,roles,password,id").output
            #expect(users.contains("rescuer\tManager\tSSHA\trescuer\n"))
        }
    }

    @Test("what is refused stages nothing")
    func refusals() throws {
        let sample = "rescue/lost-password-zope5.fs"
        let differing = try Copy(sample, answers: ["one", "two"])
        #expect(differing.run("passwd admin").code == .refused)
        let empty = try Copy(sample, answers: ["", ""])
        #expect(empty.run("passwd admin").code == .refused)
        let nobody = try Copy(sample, answers: nil)
        #expect(nobody.run("passwd admin").code == .refused)
        #expect(nobody.run("passwd nemo").code == .data)
        #expect(nobody.run("passwd admin --create").code == .refused)
        #expect(nobody.run("passwd admin --folder /members").code == .data)
        #expect(nobody.run("passwd admin --password-fd 1 -y").code == .usage)
        #expect(nobody.run("passwd admin --password-fd 0 --password-file x").code == .usage)
        let file = nobody.folder.appending(path: "secret")
        for content in [Data("one\ntwo\n".utf8), Data([0xff, 10]), Data("\n".utf8)] {
            try content.write(to: file)
            #expect(nobody.run("passwd admin --password-file '\(file.path)' -y").code == .refused)
        }
        #expect(nobody.run("passwd admin --password-file '\(file.path)-not' -y").code == .environment)
        for copy in [differing, empty, nobody] { #expect(copy.look.session.stagedCount == 0) }
        #expect(try Look(sample).run("passwd admin").code == .refused)
    }

    @Test("who is no manager is told so")
    func roles() throws {
        let copy = try Copy("rescue/lost-password-zope5.fs", answers: ["new-pw", "new-pw", "y"])
        #expect(copy.run("passwd carol").errors.contains("the user has the roles Member, not Manager"))
    }
}

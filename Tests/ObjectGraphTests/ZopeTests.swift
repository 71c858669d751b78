import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("What Zope keeps in its objects")
struct ZopeTests {
    static let sites = ["zope213", "zope5"]

    private func users(_ path: String, _ file: String) throws -> [UserEntry] {
        let workspace = try Samples.workspace(file)
        let folder = try #require(try workspace.userFolder(at: try PathResolver(workspace).resolve(path)))
        return try workspace.users(of: folder).rest()
    }

    @Test("the users of a classic user folder, with roles and password schemes", arguments: sites)
    func classicUsers(site: String) throws {
        let users = try users("/site", "fs/\(site).fs")
        let expected = try #require(try SampleData.json("expected/\(site).site.json")["passwords"]).members
        #expect(Set(users.map(\.id)) == Set(expected.map(\.key)))
        for user in users {
            let stored = try #require(expected.first { $0.key == user.id }?.value.string)
            let scheme: UserEntry.PasswordScheme =
                stored.hasPrefix("{") ? .named(String(stored.dropFirst().prefix { $0 != "}" })) : .clearText
            #expect(user.passwordScheme == scheme)
            #expect(user.folder.description == "/site/acl_users")
            #expect(user.place.description == "/site/acl_users/\(user.id)")
            #expect(user.password?.description == "/site/acl_users/\(user.id)/.__")
        }
        let bob = try #require(users.first { $0.id == "bob" })
        #expect(bob.roles == ["Editor", "Owner"])
        #expect(bob.domains == ["*.example.com"])
        #expect(bob.login == "bob")
    }

    @Test("the users of a PluggableAuthService, with what its role manager gives them", arguments: sites)
    func pluggableUsers(site: String) throws {
        let users = try users("/pas_site/acl_users", "fs/\(site).fs").sorted { $0.id < $1.id }
        #expect(users.map(\.id) == ["bob-id", "mary-id"])
        #expect(users.map(\.login) == ["bob", "mary"])
        #expect(users.map(\.roles) == [[], ["Manager"]])
        #expect(users.map(\.passwordScheme) == [.named("SSHA"), .named("SSHA")])
        #expect(users[1].place.description == "/pas_site/acl_users/users/mary-id")
    }

    @Test("a listing of a user manager shows logins, never passwords", arguments: sites)
    func noPasswords(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let place = try PathResolver(workspace).resolve("/pas_site/acl_users/users/mary-id")
        let subject = try workspace.subject(of: place.node)
        #expect(subject.document.displayText(subject.slot) == "mary")
    }

    @Test("every user folder of a site is found", arguments: sites)
    func userFolders(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let folders = try workspace.userFolders(below: PathResolver(workspace).resolve("/")).rest()
        #expect(Set(folders.map(\.place.description)) == ["/acl_users", "/site/acl_users", "/pas_site/acl_users"])
    }

    @Test("the lost password: who there is, and where the password stands", arguments: sites)
    func lostPassword(site: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path("rescue/lost-password-\(site).fs")))
        try facts.lostPassword("lost-password-\(site)")
        #expect(facts.checked > 12)
        #expect(facts.differences.isEmpty)
    }

    @Test("the access rule: which hooks there are, and which of them are called", arguments: sites)
    func accessRule(site: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path("rescue/access-rule-\(site).fs")))
        try facts.accessRule("access-rule-\(site)")
        #expect(facts.checked > 10)
        #expect(facts.differences.isEmpty)
    }

    @Test("a file has its content's size and bytes, however it is kept", arguments: sites)
    func files(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        let big = try #require(try workspace.content(of: try resolver.resolve("/site/big_file").node))
        #expect(big.size == 150_000)
        #expect(big.mediaType == "application/octet-stream")
        #expect(try big.measuredSize() == 150_000)
        let bytes = try big.chunks().rest().joined()
        let expected = (0..<25_000).map { number in
            String(repeating: "0", count: 6 - String(number).count) + String(number)
        }
        #expect(Array(bytes) == Array(expected.joined().utf8))
        let small = try #require(try workspace.content(of: try resolver.resolve("/site/small_file").node))
        #expect(try Array(small.chunks().rest().joined()) == Array("small file body".utf8))
        #expect(small.mediaType == "text/plain")
        #expect(try workspace.content(of: try resolver.resolve("/site/page").node) == nil)
        let facts = try workspace.facts(of: try resolver.resolve("/site/big_file").node)
        #expect(facts.contentSize == 150_000 && facts.kind == "File" && facts.title == "Big: Pdata chain")
    }

    @Test("scripts and templates show the source that was typed", arguments: sites)
    func sources(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        func source(_ path: String) throws -> SourceText? { try workspace.source(of: try resolver.resolve(path).node) }
        let script = try #require(try source("/site/adder"))
        #expect(script.language == .python && script.parameters == "a, b=2, *args" && script.text == "return a + b\n")
        #expect(try source("/site/dtml_method")?.text == "<dtml-var title>\n<p>hello</p>\n")
        #expect(try source("/site/dtml_doc")?.language == .dtml)
        let page = try #require(try source("/site/page"))
        #expect(page.language == .pageTemplate)
        #expect(
            page.text
                == (site == "zope5" ? "<p tal:content=\"here/title\">café</p>" : "<p tal:content=\"here/title\">x</p>"))
        #expect(try source("/site/small_file") == nil)
        #expect(try source("/site") == nil)
    }

    @Test("properties come with their types and values", arguments: sites)
    func properties(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let subject = try workspace.subject(of: try PathResolver(workspace).resolve("/site").node)
        let properties = workspace.properties(of: subject)
        let types = Dictionary(uniqueKeysWithValues: properties.map { ($0.id, $0.type) })
        #expect(types["motto"] == "string" && types["number"] == "int" && types["when"] == "date")
        #expect(types["lines_prop"] == "lines" && types["flag"] == "boolean" && types["ratio"] == "float")
        #expect(properties.first { $0.id == "colour" }?.selectVariable == "choices")
        let motto = try #require(properties.first { $0.id == "motto" }?.value)
        let value = try workspace.subject(of: motto)
        #expect(value.document.displayText(value.slot) == "Plain string")
    }

    @Test("owner, local roles, roles and permissions are read off", arguments: sites)
    func security(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        let folder = try workspace.subject(of: try resolver.resolve("/site").node).security
        #expect(folder.localRoles.contains(.init(user: "mary", roles: ["Manager", "Owner"])))
        #expect(folder.definedRoles.contains("Editor"))
        #expect(
            folder.permissions.contains(.init(name: "View", roles: ["Authenticated", "Manager"], isAcquired: false)))
        #expect(try workspace.subject(of: try resolver.resolve("/site/adder").node).security.proxyRoles == ["Manager"])
    }

    @Test("a BTreeFolder knows its size from its Length", arguments: sites)
    func folderCount(site: String) throws {
        let storage = CountingStorage(try FileStorage(SampleData.path("fs/\(site).fs")))
        let workspace = try Workspace(storage)
        let subject = try workspace.subject(of: try PathResolver(workspace).resolve("/site/btf").node)
        storage.forget()
        #expect(try workspace.knownCount(of: subject) == 40)
        #expect(storage.loads.oids.count == 1)
        #expect(try workspace.count(itemsOf: subject) == 40)
    }

    @Test("annotations, locks and a class that is gone are walked like anything else", arguments: sites)
    func oddities(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        let rating = try resolver.resolve("/site/page/.__annotations__/sample.annotation/rating")
        #expect(try workspace.subject(of: rating.node).value == .integer(PickleInteger(5)))
        let lock = try resolver.resolve("/site/page/._dav_writelocks/opaquelocktoken:0000-sample/._token")
        #expect(lock.node.kind == .attribute)
        let broken = try resolver.resolve("/site/broken/.payload[1]")
        #expect(try workspace.subject(of: broken.node).value == .integer(PickleInteger(2)))
    }

    @Test("a blob's content is read through the storage, with its size known before", arguments: ["bushy", "lawn"])
    func blobs(layout: String) throws {
        let options = FileStorage.Options(blobDirectory: SampleData.path("blobs/\(layout)/blobs"))
        let workspace = try Workspace(FileStorage(SampleData.path("blobs/\(layout)/Data.fs"), options: options))
        var found = 0
        let root = try workspace.items(of: .object(.root, at: workspace.at))
        while let node = try root.next() {
            guard node.className?.name == "Blob" else { continue }
            let content = try #require(try workspace.content(of: node))
            #expect(content.blob == node.oid)
            guard let size = content.size else { continue }
            #expect(try content.measuredSize() == size)
            found += 1
        }
        #expect(found > 2)
    }
}

import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Zope sites")
struct SiteTests {
    static let sites = ["zope213", "zope5"]

    @Test("every path of the site leads to the object that Zope finds there", arguments: sites)
    func everyPath(site: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path("fs/\(site).fs")))
        try facts.paths(site)
        #expect(facts.checked > 240)
        #expect(facts.differences.isEmpty)
    }

    @Test("a listing has the children that Zope lists, in the same order", arguments: sites)
    func listings(site: String) throws {
        let workspace = try Samples.workspace("fs/\(site).fs")
        let resolver = PathResolver(workspace)
        let paths = try #require(try SampleData.json("expected/\(site).site.json")["paths"]).members
        for member in paths where member.value["oid"] != nil {
            let children = paths.filter { child in
                child.key != "/" && child.value["oid"] != nil && child.key.hasPrefix(member.key)
                    && !child.key.dropFirst(member.key == "/" ? 1 : member.key.count + 1).contains("/")
                    && (member.key == "/" || child.key.hasPrefix(member.key + "/"))
            }
            let place = try resolver.resolve(member.key)
            let items = try workspace.items(of: place.node).rest().filter { $0.component != nil && $0.isObject }
            let labels = Set(items.map(\.label))
            // Control_Panel's products are in no list: they are attributes.
            if member.key == "/Control_Panel" { continue }
            for child in children {
                let name = String(child.key.split(separator: "/").last ?? "")
                #expect(labels.contains(name), "\(child.key)")
            }
        }
    }

    @Test(
        "what a walk finds, its path finds again",
        arguments: sites.map { "fs/\($0).fs" } + [
            "rescue/access-rule-zope213.fs", "rescue/access-rule-zope5.fs", "rescue/lost-password-zope213.fs",
            "rescue/lost-password-zope5.fs", "fs/py27-zodb38.fs", "fs/py3-zodb6.fs", "fs/py27-zodb310-refs.fs",
            "fs/py3-zodb6-refs.fs",
        ])
    func roundTrip(file: String) throws {
        let workspace = try Samples.workspace(file)
        let resolver = PathResolver(workspace)
        var options = Walk.Options()
        (options.attributes, options.values) = (true, !file.hasPrefix("rescue"))
        let start = try resolver.resolve("//")
        let walk = Walk(workspace, from: start, options)
        var count = 0
        while let place = try walk.next() {
            count += 1
            let again = try resolver.resolve(place.description)
            #expect(again.node.target == place.node.target, "\(place)")
            #expect(try ObjectPath(parsing: place.description).description == place.description)
            guard place.node.problem == nil, let subject = try? workspace.subject(of: place.node) else { continue }
            let children = try workspace.children(of: subject)
            let fromHere = PathResolver(workspace, current: place)
            while let child = try children.next() {
                #expect(try fromHere.resolve(child.label).node.target == child.target, "\(place) \(child.label)")
            }
        }
        #expect(count > 15)
    }
}

import TestSupport
import Testing
import ZEOClient

/// What Python says of the samples, checked as `SampleFacts` checks the files themselves, but through a server.
///
/// Bytes, serials, log and history are `SampleChecks`' part.
private struct LiveFacts {
    let server: PythonServer
    let names: Set<String>
    private var covered: Set<String> = []

    init(_ peer: PythonPeer, magic: String, messagePack: Bool = false) throws {
        let paths = try SampleChecks.servable(magic: magic, by: peer)
        names = Set(paths.keys)
        server = try PythonServer(peer, serving: paths, messagePack: messagePack)
    }

    private mutating func each(
        _ all: [String], atLeast least: Int, _ check: (inout SampleFacts, String) throws -> Void
    ) throws {
        for name in all where names.contains(name) {
            let storage = try server.connect(name)
            defer { storage.close() }
            var facts = SampleFacts(storage)
            try check(&facts, name)
            #expect(facts.checked >= least, "\(name)")
            #expect(facts.differences.isEmpty, "\(name)")
            covered.insert(name)
        }
    }

    /// - Parameter samples: some of the names that must have been among those checked.
    mutating func everything(including samples: [String]) throws {
        try each(SampleFacts.decoded, atLeast: 6) { facts, name in try facts.states(name) }
        try each(SampleFacts.referring, atLeast: 10) { facts, name in try facts.references(name) }
        try each(SampleFacts.trees, atLeast: 600) { facts, name in try facts.btrees(name) }
        try each(SampleFacts.sites, atLeast: 240) { facts, name in
            try facts.paths(name)
            try facts.passwords(name)
        }
        let rescue = SampleData.names(in: "rescue", ending: ".fs")
        try each(rescue.filter { $0.hasPrefix("lost-password") }, atLeast: 12) { facts, name in
            try facts.lostPassword(name)
        }
        try each(rescue.filter { $0.hasPrefix("access-rule") }, atLeast: 10) { facts, name in
            try facts.accessRule(name)
        }
        #expect(covered.isSuperset(of: samples))
    }
}

@Suite("Every fact of the samples, served live", .serialized)
struct LiveFactsTests {
    private static let python3 = [
        "access-rule-zope5", "lost-password-zope5", "py3-zodb6", "py3-zodb6-btrees", "py3-zodb6-refs", "zope5",
    ]
    private static let python2 = [
        "access-rule-zope213", "lost-password-zope213", "py27-zodb38", "py27-zodb38-btrees", "py27-zodb310",
        "py27-zodb310-refs", "py27-zodb5", "py27-zodb5-refs", "zope213",
    ]

    @Test("by ZEO 6.2 with pickle, is what Python says", .needs(.zeo6))
    func zeo6Pickle() throws {
        var facts = try LiveFacts(.zeo6, magic: "FS30")
        try facts.everything(including: Self.python3)
    }

    @Test("by ZEO 6.2 with msgpack, is what Python says", .needs(.zeo6))
    func zeo6MessagePack() throws {
        var facts = try LiveFacts(.zeo6, magic: "FS30", messagePack: true)
        try facts.everything(including: Self.python3)
    }

    @Test("by ZEO 5.4.1, is what Python says", .needs(.zeo5))
    func zeo5() throws {
        var facts = try LiveFacts(.zeo5, magic: "FS30")
        try facts.everything(including: Self.python3)
    }

    @Test("by ZEO 5.4.1 on Python 2.7, is what Python says", .needs(.zeo5Python2))
    func zeo5Python2() throws { try Self.python2Facts(.zeo5Python2) }

    static func python2Facts(_ peer: PythonPeer) throws {
        var facts = try LiveFacts(peer, magic: "FS21")
        try facts.everything(including: python2.filter { peer == .zeo5Python2 || !$0.hasPrefix("py27-zodb5") })
    }
}

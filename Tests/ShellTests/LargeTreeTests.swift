import Synchronization
import Testing
import ZODB

@testable import Shell

@Suite("A BTree of 300,000 keys")
struct LargeTreeTests {
    @Test("is listed from its beginning without being read to its end, and without its values")
    func firstPage() throws {
        let storage = LargeTree.storage()
        let outcome = try Look(storage).run("ls /tree --limit 100")
        #expect(outcome.lines.count == 100)
        #expect(outcome.lines.first == "key000000")
        #expect(outcome.lines.last == "key000099")
        // The root, the tree, one inner node, four buckets; a few more may be read ahead.
        #expect(storage.loads < 60, "\(storage.loads) loads")
    }

    @Test("a screen gets its first thousand keys, and says that there are more")
    func screen() throws {
        let storage = LargeTree.storage()
        let outcome = try Look(storage).run("ls -l /tree", width: 100)
        #expect(outcome.lines.count == 1001)
        #expect(outcome.lines[1000].contains("key000999"))
        #expect(outcome.lines[1000].contains("thing 999"))
        #expect(storage.loads < 1200, "\(storage.loads) loads")
    }

    @Test("one key is found by reading one way down")
    func find() throws {
        let storage = LargeTree.storage()
        #expect(try Look(storage).run("get /tree/key299999/.title").output == "thing 299999\n")
        #expect(storage.loads < 10, "\(storage.loads) loads")
    }

    @Test("completion reads only the stretch that begins as typed")
    func completion() throws {
        let storage = LargeTree.storage()
        let look = try Look(storage)
        let found = look.session.completePath?("/tree/key29999", 200)
        #expect(found?.names.map(\.name) == (299_990...299_999).map { LargeTree.key($0) })
        #expect(found?.isPartial == false)
        #expect(storage.loads < 20, "\(storage.loads) loads")
        let many = look.session.completePath?("/tree/key2", 200)
        #expect(many?.names.count == 200)
        #expect(many?.names.first?.path == "/tree/key200000")
        #expect(many?.isPartial == true)
        #expect(storage.loads < 80, "\(storage.loads) loads")
    }

    @Test("completion that runs out of time gives what it has")
    func deadline() throws {
        let storage = LargeTree.storage(interruptsAt: 8)
        let look = try Look(storage)
        storage.interruption.withLock { $0 = look.session.interruption }
        let found = look.session.completePath?("/tree/key2", 200)
        #expect(found?.isPartial == true)
        #expect(storage.loads < 12)
        look.session.interruption.clear()
        #expect(look.run("ls /tree --limit 1").output == "key000000\n")
    }

    @Test("Ctrl-C ends a listing; what was found is shown")
    func interruption() throws {
        let storage = LargeTree.storage(interruptsAt: 100)
        let look = try Look(storage)
        storage.interruption.withLock { $0 = look.session.interruption }
        let outcome = look.run("ls /tree")
        #expect(outcome.code == .interrupted)
        #expect(outcome.lines.count > 100)
        #expect(outcome.lines.count < 10_000)
    }

    @Test("its keys are counted when that is asked for")
    func count() throws {
        let storage = LargeTree.storage(count: 9000)
        let look = try Look(storage)
        #expect(look.run("stat /tree --fields items").code == .usage)
        #expect(storage.loads < 5)
        #expect(look.run("stat --count /tree --fields items").output == "items\t9000\n")
    }

    @Test("a tree drawn of it stops at the first hundred children")
    func tree() throws {
        let outcome = try Look(LargeTree.storage()).run("tree -L 2")
        #expect(outcome.lines.count == 103)
        #expect(outcome.lines.last?.hasPrefix("    └── …") == true)
    }
}

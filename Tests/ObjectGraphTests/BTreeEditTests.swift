import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("BTrees edited by their states", .serialized)
struct BTreeEditTests {
    /// Every tree of every family, with what it should hold, is checked as of every transaction by BTrees itself.
    private static let judge = """
        import BTrees.check
        from BTrees.check import check
        from ZODB.utils import p64, u64
        for line in open(sys.argv[2]):
            wanted = json.loads(line)
            at = db.open(before=p64(int(wanted['tid']) + 1))
            trees = at.root()['trees']
            for name, items in wanted['trees'].items():
                tree = trees[name]
                where = '%s as of %x' % (name, int(wanted['tid']))
                check(tree)
                tree._check()
                def plain(x):
                    if name.startswith('fs'):
                        return binascii.hexlify(x).decode()
                    # Text keys are `str` in Python 2.
                    return x.decode('utf-8') if isinstance(x, str) and sys.version_info[0] == 2 else x
                if hasattr(tree, 'items'):
                    found = [[plain(k), plain(v)] for k, v in tree.items()]
                    one = [[plain(k), plain(tree[k])] for k in list(tree.keys())]
                else:
                    found = [plain(k) for k in tree.keys()]
                    one = [plain(k) for k in list(tree) if k in tree]
                assert found == items, '%s: %r is not %r' % (where, found[:9], items[:9])
                assert one == items, where
                assert len(tree) == len(items), where
            at.close()
        print('fine')
        """

    private static let families = [
        "OO", "OI", "OL", "OU", "OQ", "IO", "II", "IF", "IU", "LO", "LL", "LF", "LQ", "UO", "UU", "UF", "UI", "QO",
        "QQ", "QF", "QL", "fs",
    ]

    private static let maker = """
        from BTrees.OOBTree import OOBTree
        import importlib
        root['trees'] = trees = OOBTree()
        for f in '\(families.joined(separator: " "))'.split():
            m = importlib.import_module('BTrees.%sBTree' % f)
            trees[f + 'BTree'] = getattr(m, f + 'BTree')()
            trees[f + 'TreeSet'] = getattr(m, f + 'TreeSet')()
        """

    /// What a tree should hold, kept beside it.
    private struct Model {
        var name: String
        var isSet: Bool { name.hasSuffix("Set") }
        var family: String { String(name.prefix(2)) }
        var items: [Key: String] = [:]

        /// JSON as Python compares it.
        var json: String {
            let sorted = items.keys.sorted()
            return "[" + sorted.map { isSet ? $0.json : "[\($0.json), \(items[$0] ?? "")]" }.joined(separator: ", ")
                + "]"
        }
    }

    private enum Key: Hashable, Comparable {
        case number(Int)
        case text(String)
        case bytes([UInt8])

        static func < (left: Key, right: Key) -> Bool {
            switch (left, right) {
            case (.number(let a), .number(let b)): a < b
            case (.text(let a), .text(let b)): Array(a.utf8).lexicographicallyPrecedes(Array(b.utf8))
            case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
            default: false
            }
        }

        var json: String {
            switch self {
            case .number(let value): "\(value)"
            case .text(let text): "\"\(text)\""
            case .bytes(let bytes):
                "\"\(bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())\""
            }
        }

        var component: Component {
            switch self {
            case .number(let value): .key(.integer(PickleInteger(Int64(value))))
            case .text(let text): .name(text)
            case .bytes(let bytes): .key(.bytes(bytes))
            }
        }
    }

    private struct Generator {
        var random: SeededGenerator

        mutating func key(_ family: String, spread: Int) -> Key {
            let number = Int.random(in: 0..<spread, using: &random)
            switch family.first {
            case "O": return .text("k\(number)" + (number % 7 == 0 ? "é" : ""))
            case "I", "L": return .number(number - spread / 2)
            case "f": return .bytes([UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)])
            default: return .number(number)
            }
        }

        mutating func value(_ family: String) -> (PickleValue, String) {
            let number = Int.random(in: 0..<1000, using: &random)
            if family == "fs" {
                let bytes = (0..<6).map { _ in UInt8.random(in: 0...255, using: &random) }
                return (.bytes(bytes), Key.bytes(bytes).json)
            }
            switch family.last {
            case "O": return number % 2 == 0 ? (.text("v\(number)"), "\"v\(number)\"") : (.integer(number), "\(number)")
            case "F": return (.float(Double(number) / 4), "\(Double(number) / 4)")
            default: return (.integer(number), "\(number)")
            }
        }
    }

    private func run(_ peer: PythonPeer, rounds: Int, operations: Int, spread: Int, small: Bool, seed: UInt64) throws {
        print("BTree edits: \(peer), seed \(seed)")
        let file = try EditedFile(peer, Self.maker)
        defer { file.remove() }
        var generator = Generator(random: SeededGenerator(seed: seed))
        var models = Self.families.flatMap { [Model(name: $0 + "BTree"), Model(name: $0 + "TreeSet")] }
        var lines = ""
        let storage = try file.open()
        let workspace = try Workspace(storage)
        for round in 0..<rounds {
            // Growing, then shrinking, then both.
            let inserting = [9, 9, 5, 1, 5, 0][round * 6 / rounds]
            for index in models.indices {
                let name = models[index].name
                for _ in 0..<operations {
                    let key = generator.key(models[index].family, spread: spread)
                    let place = try workspace.edited("//trees/\(name)")
                    var editor = try #require(
                        BTreeEditor(try workspace.editedSubject(of: place), in: workspace, at: place))
                    if small { editor.family.limit(leaf: 3, interior: 3) }
                    if Int.random(in: 0..<10, using: &generator.random) < inserting {
                        let (value, json) = generator.value(models[index].family)
                        let isNew = try editor.set(key.component, to: value)
                        #expect(isNew == (models[index].items[key] == nil))
                        models[index].items[key] = json
                    } else {
                        // Most keys named at random are not there.
                        let key = Bool.random(using: &generator.random) ? models[index].items.keys.min() ?? key : key
                        let isThere = try editor.remove(key.component)
                        #expect(isThere == (models[index].items.removeValue(forKey: key) != nil))
                    }
                }
            }
            guard workspace.hasStagedChanges else { continue }
            let tid = try #require(try workspace.commit(TransactionMetadata()).tid)
            let trees = models.map { "\"\($0.name)\": \($0.json)" }.joined(separator: ", ")
            lines += "{\"tid\": \(tid.rawValue), \"trees\": {\(trees)}}\n"
        }
        storage.close()
        let list = file.path + ".expected"
        try Data(lines.utf8).write(to: URL(filePath: list))
        #expect(try file.python(Self.judge, [list]) == "fine\n")
    }

    @Test(
        "random changes leave trees that BTrees finds in order, small nodes",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func small3() throws { try run(.zeo6, rounds: 18, operations: 8, spread: 60, small: true, seed: Self.seed) }

    @Test(
        "random changes leave trees that BTrees finds in order, small nodes, Python 2",
        .enabled(if: PythonPeer.zeo5Python2.isReady, "\(PythonPeer.zeo5Python2.reason)"))
    func small2() throws { try run(.zeo5Python2, rounds: 18, operations: 8, spread: 60, small: true, seed: Self.seed) }

    @Test(
        "random changes leave trees that BTrees finds in order, nodes as large as its own",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func large() throws { try run(.zeo6, rounds: 6, operations: 60, spread: 300, small: false, seed: Self.seed) }

    /// What shares a value inside a tree's own record would be two values in two leaves.
    private static let sharing = """
        from BTrees.OOBTree import OOBTree
        root['tree'] = tree = OOBTree()
        shared = ['shared']
        for n in range(30):
            tree['k%02d' % n] = shared if n in (3, 27) else n
        """

    @Test(
        "a tree whose values share a list is not split inside its record",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func shared() throws {
        let file = try EditedFile(.zeo6, Self.sharing)
        defer { file.remove() }
        try file.edit { workspace in
            try workspace.set(.name("new"), of: try workspace.edited("//tree"), to: .integer(1))
        }
        let check = """
            from BTrees.check import check
            tree = root['tree']
            check(tree)
            tree._check()
            assert tree['k03'] is tree['k27'] and len(tree) == 31
            tree['x'] = 2
            transaction.commit()
            check(tree)
            print('fine')
            """
        #expect(try file.python(check) == "fine\n")
    }

    private static let seed = UInt64.random(in: 0..<1_000_000)
}

import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

@Suite("Differences between revisions")
struct DiffTests {
    private func record(_ code: [UInt8]) throws -> ObjectRecord {
        try ObjectRecord(
            Revision(data: code, serial: HandmadeStorage.tid, next: nil), oid: ObjectID(rawValue: 1))
    }

    private func changes(_ old: [UInt8], _ new: [UInt8]) throws -> [String] {
        RecordDiff(from: try record(old), to: try record(new)).changes.map { "\($0.kind) \($0.path)" }
    }

    private func thing(_ attributes: [(String, [UInt8])]) -> [UInt8] {
        PickleMaker.record("app.Thing", PickleMaker.attributes(attributes))
    }

    private func numbers(_ values: Int...) -> [UInt8] { PickleMaker.list(values.map { PickleMaker.int($0) }) }

    @Test("attributes, keys and elements added, removed and changed are told by their paths")
    func kinds() throws {
        let old = thing([
            ("title", PickleMaker.text("a")), ("gone", PickleMaker.none), ("same", PickleMaker.int(1)),
            ("map", PickleMaker.attributes([("k", PickleMaker.int(1)), ("x/y", PickleMaker.int(2))])),
            ("hook", PickleMaker.instance("app.Hook", PickleMaker.attributes([("name", PickleMaker.text("old"))]))),
        ])
        let new = thing([
            ("title", PickleMaker.text("b")), ("same", PickleMaker.int(1)), ("more", PickleMaker.int(3)),
            ("map", PickleMaker.attributes([("k", PickleMaker.int(5)), ("n", PickleMaker.int(2))])),
            ("hook", PickleMaker.instance("app.Hook", PickleMaker.attributes([("name", PickleMaker.text("new"))]))),
        ])
        #expect(
            try changes(old, new) == [
                "changed .title", "added .more", "changed .map/k", "added .map/n", "removed .map['x/y']",
                "changed .hook/.name", "removed .gone",
            ])
        #expect(try changes(old, old).isEmpty)
    }

    @Test("an element put into a list is one change, not a shift of all behind it")
    func lists() throws {
        func list(_ list: [UInt8]) -> [UInt8] { thing([("l", list)]) }
        #expect(try changes(list(numbers(1, 2, 3)), list(numbers(1, 9, 2, 3))) == ["added .l[1]"])
        #expect(try changes(list(numbers(1, 2, 3)), list(numbers(1, 3))) == ["removed .l[1]"])
        #expect(try changes(list(numbers(1, 2, 3)), list(numbers(1, 7, 3))) == ["changed .l[1]"])
        #expect(try changes(list(numbers()), list(numbers(1, 2))) == ["added .l[0]", "added .l[1]"])
    }

    @Test("types count: text and bytes, a list and a tuple, one class and another")
    func types() throws {
        func value(_ code: [UInt8]) -> [UInt8] { thing([("v", code)]) }
        let pairs = [
            (PickleMaker.text("x"), PickleMaker.native("x")), (PickleMaker.text("x"), PickleMaker.bytes([120])),
            (PickleMaker.list([]), PickleMaker.tuple([])), (PickleMaker.int(1), PickleMaker.float("1.0")),
            (PickleMaker.instance("a.A", PickleMaker.none), PickleMaker.instance("a.B", PickleMaker.none)),
            (PickleMaker.reference(1, "a.A"), PickleMaker.reference(2, "a.A")),
        ]
        for (old, new) in pairs { #expect(try changes(value(old), value(new)) == ["changed .v"]) }
    }

    @Test("a pickle that says the same with other opcodes has no differences")
    func spelling() throws {
        let state = PickleMaker.attributes([("a", PickleMaker.int(1)), ("b", PickleMaker.int(2))])
        let other = Array("}X\u{1}\0\0\0bK\u{2}sX\u{1}\0\0\0aK\u{1}s".unicodeScalars.map { UInt8($0.value) })
        #expect(
            try changes(PickleMaker.record("app.Thing", state), PickleMaker.record("app.Thing", other)).isEmpty)
    }

    @Test("every revision in the samples differs from the one before where Python's decoded states differ")
    func samples() throws {
        let storage = try FileStorage(SampleData.path("fs/undo.fs"))
        let workspace = try Workspace(storage)
        var compared = 0
        let records = try storage.currentRecords(from: .root)
        while let current = try records.next() {
            let revisions = try storage.history(of: current.oid, limit: 100).filter { $0.size > 0 }
            for (new, old) in zip(revisions, revisions.dropFirst()) {
                let diff = RecordDiff(
                    from: try workspace.object(current.oid, at: old.transaction.tid),
                    to: try workspace.object(current.oid, at: new.transaction.tid))
                let text = { (record: ObjectRecord) in CanonicalValue.of(record.stateSlot, in: record.document) }
                let (before, after) = (try #require(diff.old), try #require(diff.new))
                #expect(diff.changes.isEmpty == (text(before).difference(from: text(after)) == nil))
                compared += 1
            }
        }
        #expect(compared > 5)
    }

    @Test("cycles and depth end the comparison of nothing")
    func hostile() throws {
        // A list that contains itself: EMPTY_LIST BINPUT 9 BINGET 9 APPEND.
        let ring = Array("]q".utf8) + [9] + Array("h".utf8) + [9] + Array("a".utf8)
        #expect(try changes(thing([("v", ring)]), thing([("v", ring)])).isEmpty)
        let longer = Array("]q".utf8) + [9] + Array("h".utf8) + [9] + Array("ah".utf8) + [9] + Array("a".utf8)
        #expect(try !changes(thing([("v", ring)]), thing([("v", longer)])).isEmpty)
        let deep =
            [UInt8](repeating: UInt8(ascii: "("), count: 100_000) + [UInt8(ascii: "N")]
            + [UInt8](repeating: UInt8(ascii: "t"), count: 100_000)
        #expect(try changes(thing([("v", deep)]), thing([("v", deep)])).isEmpty)
    }
}

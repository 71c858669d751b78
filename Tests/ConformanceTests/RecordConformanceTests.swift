import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Every record of every sample, read by us and by Python.
@Suite("Every sample record")
struct RecordConformanceTests {
    static let files: [String] =
        SampleData.names(in: "fs", ending: ".fs").map { "fs/\($0).fs" }
        + SampleData.names(in: "rescue", ending: ".fs").map { "rescue/\($0).fs" }

    static func file(_ name: String) -> String {
        files.first { $0.hasSuffix("/\(name).fs") } ?? "fs/\(name).fs"
    }

    @Test("there are samples of every generation")
    func coverage() {
        #expect(SampleFacts.decoded.count >= 17)
        #expect(SampleFacts.referring.count >= 3)
        for name in ["zope213", "zope5", "py27-zodb38", "py3-zodb6", "access-rule-zope213", "lost-password-zope5"] {
            #expect(SampleFacts.decoded.contains(name))
        }
    }

    @Test("class and state of every current object are what Python reads", arguments: SampleFacts.decoded)
    func states(name: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path(Self.file(name))))
        try facts.states(name)
        #expect(facts.checked > 0)
        #expect(facts.differences.isEmpty)
    }

    @Test(
        "the references of a record are those that ZODB's pack follows, in order", arguments: SampleFacts.referring)
    func references(name: String) throws {
        var facts = SampleFacts(try FileStorage(SampleData.path(Self.file(name))))
        try facts.references(name)
        #expect(facts.checked > 10)
        #expect(facts.differences.isEmpty)
    }

    @Test("the fast scanner agrees with the document on every record ever written", arguments: files)
    func scanner(file: String) throws {
        var walk = try FileStorage(SampleData.path(file)).scanner()
        var pickles = ReferenceScanner()
        var (records, complete) = (0, 0)
        while try walk.next() {
            let oid = walk.oid
            try walk.withData { (data) throws(StorageError) in
                let bytes = data.withUnsafeBytes { [UInt8]($0) }
                let outcome = data.withUnsafeBytes { pickles.scan(record: $0) }
                let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
                records += 1
                guard outcome == .complete else { return }
                complete += 1
                let expected = record.document.references.filter { $0.kind == .strong }.map(\.oid.rawValue)
                #expect(pickles.references == expected, "\(file) \(oid)")
            }
        }
        // What the scanner calls odd is exact but slow: the exception, in compressed records alone more than that.
        #expect(records > 0)
        if file != "fs/zlib.fs" { #expect(complete * 10 >= records * 9) }
    }

    @Test("every record prints as text and as JSON that parses", arguments: files)
    func rendering(file: String) throws {
        var walk = try FileStorage(SampleData.path(file)).scanner()
        while try walk.next() {
            let oid = walk.oid
            let bytes = try walk.withData { (data) throws(StorageError) in data.withUnsafeBytes { [UInt8]($0) } }
            guard let bytes else { continue }
            let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
            let text = record.document.text(record.stateSlot)
            #expect(
                text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) })
            var json = JSONText()
            record.writeJSON(isPython2: record.document.generation == .python2, to: &json)
            let value = try JSONValue(parsing: json.bytes)
            #expect(value["@cls"] != nil && value["@s"] != nil)
        }
    }
}

import Foundation
import Pickle
import TestSupport
import Testing

/// Pickles made by every pickler there is (`corpus/generate.py`), with what Python reads in them.
struct CorpusPickle: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    /// What Python reads; nil where its canonical form has no word for it (sets by opcode, bytearrays).
    let value: JSONValue?

    var testDescription: String { name }

    static let all: [CorpusPickle] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus/corpus.jsonl")
        guard let data = try? Data(contentsOf: file) else { return [] }
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let row = try? JSONValue(parsing: line).elements, row.count == 3, let name = row[0].string,
                let text = row[1].string, let bytes = bytes(hex: text)
            else { return nil }
            return CorpusPickle(name: name, bytes: bytes, value: row[2] == .null ? nil : row[2])
        }
    }()

    static func bytes(hex: String) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }
}

@Suite("Pickles by every Python")
struct CorpusTests {
    @Test("the corpus covers every protocol of every pickler")
    func coverage() {
        let kinds = Set(CorpusPickle.all.map { $0.name.split(separator: " ").prefix(2).joined(separator: " ") })
        for protocolNumber in 0...5 { #expect(kinds.contains("pickle/3 p\(protocolNumber)")) }
        for protocolNumber in 0...2 { #expect(kinds.contains("cPickle/2 p\(protocolNumber)")) }
        #expect(kinds.contains("zodbpickle.pickle/2 p3") && kinds.contains("zodbpickle.binary 3"))
        #expect(CorpusPickle.all.count > 300)
    }

    @Test("read as Python reads them", arguments: CorpusPickle.all)
    func values(_ sample: CorpusPickle) throws {
        let document = try PickleDocument(sample.bytes)
        #expect(document.end == sample.bytes.count)
        let slot = document.roots[0]
        #expect(slot.range.upperBound == sample.bytes.count - 1)
        if let expected = sample.value {
            #expect(CanonicalValue.of(slot, in: document).difference(from: expected) == nil)
        }
    }

    @Test("print as text and as JSON that parses", arguments: CorpusPickle.all)
    func rendering(_ sample: CorpusPickle) throws {
        let document = try PickleDocument(sample.bytes)
        var printer = PickleText(document) { _ in "reference" }
        let text = printer.text(document.roots[0])
        #expect(!text.isEmpty)
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) })
        var json = JSONText()
        var writer = PickleJSON(document, isPython2: false) { _, _ in false }
        writer.write(document.roots[0], to: &json)
        _ = try JSONValue(parsing: json.bytes)
    }

    @Test("every truncation is an error with an offset inside, none traps", arguments: CorpusPickle.all)
    func truncation(_ sample: CorpusPickle) {
        for count in stride(from: 0, to: sample.bytes.count, by: max(1, sample.bytes.count / 150)) {
            #expect { try PickleDocument(Array(sample.bytes.prefix(count))) } throws: { error in
                guard let error = error as? PickleError else { return false }
                return error.offset >= 0 && error.offset <= count
            }
        }
    }

    @Test("the listing covers every byte", arguments: CorpusPickle.all)
    func disassembly(_ sample: CorpusPickle) {
        var listing = Disassembly(sample.bytes)
        var offset = 0
        var last = ""
        while let line = listing.next() {
            #expect(line.offset == offset)
            offset += line.length
            last = line.name
        }
        #expect(offset == sample.bytes.count)
        #expect(last == "STOP")
    }
}

import Testing
import ZODB

@Suite("Records by class")
struct ClassTallyTests {
    private func add(_ text: String, _ tally: inout ClassTally) {
        let bytes = Array(text.utf8)
        bytes.withUnsafeBytes { tally.add($0.bytes, size: bytes.count) }
    }

    @Test("the class is found behind PROTO and MARKs, in the legacy pair, and counted with its bytes")
    func forms() {
        var tally = ClassTally()
        add("cfoo\nBar\nq\u{1}.N.", &tally)
        add("(cfoo\nBar\nq\u{1}NtN.N.", &tally)
        add("((U\u{3}fooq\u{1}U\u{3}Bartq\u{2}Nt.N.", &tally)
        add("cother\nClass\n.N.", &tally)
        add("not a pickle", &tally)
        #expect(Set(tally.result.map(\.className)) == ["foo.Bar", "other.Class", nil])
        #expect(tally.result.first { $0.className == "foo.Bar" }?.records == 3)
        #expect(tally.result.first { $0.className == nil }?.bytes == 12)
    }

    @Test("any number of classes keeps them apart")
    func many() {
        var tally = ClassTally()
        for round in 0..<2 {
            for index in 0..<3000 { add("cmodule\nClass\(index)\n.N.", &tally) }
            #expect(tally.result.count == 3000)
            #expect(tally.result.allSatisfy { $0.records == round + 1 })
        }
    }
}

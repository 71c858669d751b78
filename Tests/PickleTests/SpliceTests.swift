import Testing

@testable import Pickle

/// Records in which an edit goes wrong if the splicer forgets something: what each of its rules is for.
struct TrapRecord: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// The opcodes of the state; its class pickle is `c m C q0`.
    let state: [UInt8]
    /// The rules without which it goes wrong: each of them alone.
    let rules: [Splicer.Rules]
    let edit: @Sendable (inout PickleEdit, [UInt8: PickleDocument.Slot]) throws -> Void
    /// The state afterwards, as text.
    let expected: String
    /// The bytes of the state afterwards, where they are worth saying.
    var bytes: [UInt8]?
    var version = 3
    var classVersion: Int?

    var source: [UInt8] {
        pickle(0x80, classVersion ?? version, "cm\nC\nq", 0, ".", 0x80, version) + state + pickle(".")
    }

    func edited(_ rules: Splicer.Rules = .all) throws -> PickleDocument {
        let document = try PickleDocument(source, .record)
        guard case .dict(let entries) = document[document.roots[1]] else { throw PickleEditError.noSuchKey }
        var values: [UInt8: PickleDocument.Slot] = [:]
        for entry in entries {
            if let name = document.stringBytes(entry.key)?.first { values[name] = entry.value }
        }
        var edit = PickleEdit(document, style: .python3)
        try self.edit(&edit, values)
        return try edit.finish(rules: rules)
    }

    /// The state as text that tells shared values apart from equal ones: a number for each value that is met again.
    static func text(_ document: PickleDocument) -> String {
        var numbers: [PickleDocument.NodeID: Int] = [:]
        func render(_ slot: PickleDocument.Slot) -> String {
            if let number = numbers[slot.node] { return "*\(number)" }
            let value = document[slot]
            switch value {
            case .none: return "None"
            case .integer(let value): return "\(value)"
            case .text(let bytes):
                return bytes.count > 20 ? "text" : String(decoding: bytes, as: UTF8.self)
            case .bytes(let bytes): return "b\(bytes.last ?? 0)"
            case .global(let name): return name.name
            default: break
            }
            numbers[slot.node] = numbers.count + 1
            switch value {
            case .list(let items): return "[" + items.map(render).joined(separator: " ") + "]"
            case .tuple(let items): return "(" + items.map(render).joined(separator: " ") + ")"
            case .dict(let entries):
                return "{" + entries.map { render($0.key) + ":" + render($0.value) }.joined(separator: " ") + "}"
            case .persistentID(let id): return "@" + render(id)
            case .instance(let instance):
                return "I" + instance.arguments.map(render).joined() + "/"
                    + instance.states.map(render).joined(separator: "/")
            default: return "?"
            }
        }
        return render(document.roots[1])
    }

    static func x(_ letter: String) -> [UInt8] { pickle("X", 1, 0, 0, 0, letter) }
    static func oid(_ number: UInt8) -> [UInt8] { pickle("C", 8, 0, 0, 0, 0, 0, 0, 0) + [number] }

    static let all: [TrapRecord] = {
        let (a, b, c, d, z, u) = (x("a"), x("b"), x("c"), x("d"), x("z"), x("u"))
        let none: @Sendable (inout PickleEdit, [UInt8: PickleDocument.Slot]) throws -> Void = { edit, slots in
            try edit.replace(slots[UInt8(ascii: "a")]!, with: .none)
        }
        let q = { (n: Int) in pickle("q", n) }
        let h = { (n: Int) in pickle("h", n) }
        var records: [TrapRecord] = []
        // The state GETs the class from the class pickle's memo.
        records.append(
            TrapRecord(
                testDescription: "the memo of the class pickle",
                state: pickle("}q", 1, "(") + a + oid(5) + q(2) + h(0) + pickle(0x86, "q", 3, "Q") + b + h(2) + h(0)
                    + pickle(0x86, "q", 4, "Qu"),
                rules: [.keepUsed], edit: none, expected: "{a:None b:@(b5 C)}",
                bytes: pickle("}q", 1, "(") + a + pickle("N") + b + oid(5) + q(2) + h(0) + pickle(0x86, "q", 4, "Qu")))
        records.append(
            TrapRecord(
                testDescription: "a class that the state uses is given to the record anew",
                state: pickle("}q", 1, "(") + b + oid(5) + h(0) + pickle(0x86, "Q") + a + pickle("Nu"),
                rules: [.keepUsed],
                edit: { edit, _ in try edit.replaceClass(with: GlobalName(module: "m", name: "D")) },
                expected: "{b:@(b5 C) a:None}"))
        records.append(
            TrapRecord(
                testDescription: "one reference defines the oid of the next",
                state: pickle("}q", 1, "(") + a + oid(5) + q(3) + pickle("cm\nA\nq", 4, 0x86, "q", 5, "Q") + b
                    + pickle("]q", 6) + h(3) + h(4) + pickle(0x86, "q", 7, "Qau"),
                rules: [.keepUsed],
                edit: { edit, _ in try edit.removeEntry(.text("a"), from: edit.document.roots[1]) },
                expected: "{b:[@(b5 A)]}"))
        records.append(
            TrapRecord(
                testDescription: "inner used before outer",
                state: pickle("}q", 1, "(") + a + pickle("]q", 2) + z + q(3) + pickle("a") + b + h(3) + c + h(2)
                    + pickle("u"),
                rules: [.keepUsed, .exactFirstUse], edit: none, expected: "{a:None b:z c:[z]}"))
        records.append(
            TrapRecord(
                testDescription: "a needed definition needs another",
                state: pickle("}q", 1, "(") + a + pickle("](") + z + q(3) + h(3) + pickle(0x85, "q", 4, "e") + b + h(4)
                    + pickle("u"),
                rules: [.keepUsed, .closure], edit: none, expected: "{a:None b:(z)}"))
        records.append(
            TrapRecord(
                testDescription: "a needed definition needs another, which is used later as well",
                state: pickle("}q", 1, "(") + a + pickle("](") + z + q(3) + h(3) + pickle(0x85, "q", 4, "e") + b + h(4)
                    + c + h(3) + pickle("u"),
                rules: [.keepUsed, .noOtherKept], edit: none, expected: "{a:None b:(z) c:z}"))
        records.append(
            TrapRecord(
                testDescription: "recursive tuple, POP",
                state: pickle("}q", 1, "(") + a + pickle("]q", 2) + h(2) + pickle(0x85, "q", 3, "a0") + h(3) + b + h(3)
                    + pickle("u"),
                rules: [.keepUsed], edit: none, expected: "{a:None b:([*2])}"))
        records.append(
            TrapRecord(
                testDescription: "cycle through the edited container",
                state: pickle("}q", 1, "(") + a + pickle("]q", 2) + h(1) + pickle("a") + b + h(2) + pickle("u"),
                rules: [.keepUsed], edit: none, expected: "{a:None b:[*1]}"))
        records.append(
            TrapRecord(
                testDescription: "a number PUT twice",
                state: pickle("}q", 1, "(") + a + pickle("]q", 2) + z + q(3) + pickle("a") + b + pickle("]q", 3) + c
                    + h(2) + d + h(3) + pickle("u"),
                rules: [.keepUsed, .noSecondPut], edit: none, expected: "{a:None b:[] c:[z] d:*2}"))
        records.append(
            TrapRecord(
                testDescription: "a number that the moved value uses is PUT again",
                state: pickle("}q", 1, "(") + u + pickle("]q", 3) + a + pickle("]q", 2) + h(3) + pickle("a") + b
                    + pickle("}q", 3) + c + h(2) + d + h(3) + pickle("u"),
                rules: [.keepUsed, .noSecondPut], edit: none, expected: "{u:[] a:None b:{} c:[*2] d:*3}"))
        records.append(
            TrapRecord(
                testDescription: "a shared reference",
                state: pickle("}q", 1, "(") + a + oid(5) + q(2) + h(0) + pickle(0x86, "q", 3, "Qq", 5) + b + h(5)
                    + pickle("u"),
                rules: [.keepUsed], edit: none, expected: "{a:None b:@(b5 C)}"))
        records.append(
            TrapRecord(
                testDescription: "a value changed through a GET",
                state: pickle("}q", 1, "(") + b + pickle("]q", 2) + a + h(2) + pickle("K", 7, "au"),
                rules: [.remoteSteps], edit: none, expected: "{b:[7] a:None}"))
        records.append(
            TrapRecord(
                testDescription: "a value made and changed in the part that goes, and used after it",
                state: pickle("}q", 1, "(") + a + pickle("(]q", 2) + h(2) + pickle("K", 7, "at") + b + h(2)
                    + pickle("u"),
                rules: [.keepUsed, .remoteSteps], edit: none, expected: "{a:None b:[7]}"))
        let large = pickle("X", 0x70, 0x11, 1, 0) + [UInt8](repeating: 97, count: 70_000)
        records.append(
            TrapRecord(
                testDescription: "implicit numbers: what goes leaves a number behind",
                state: pickle("}", 0x94, "(") + a + pickle("]", 0x94) + z + pickle(0x94, "a") + b + pickle("]", 0x94)
                    + c
                    + h(4) + pickle("u"),
                rules: [.keepNumbers], edit: none, expected: "{a:None b:[] c:*2}", version: 4))
        records.append(
            TrapRecord(
                testDescription: "implicit numbers, a shared list, frames and a large text",
                state: pickle("}", 0x94, "(") + a + pickle("]", 0x94) + large + pickle(0x94, "a") + b + h(2) + c
                    + h(3) + pickle("u"),
                rules: [.keepUsed], edit: none, expected: "{a:None b:[text] c:text}", version: 4))
        let framed = pickle("}", 0x94, "(") + a + pickle("N") + b + pickle("]", 0x94, "u.")
        records.append(
            TrapRecord(
                testDescription: "frames",
                state: pickle(0x95, framed.count, 0, 0, 0, 0, 0, 0, 0) + framed.dropLast(),
                rules: [.dropFrames],
                edit: { edit, slots in try edit.removeEntry(.text("a"), from: edit.document.roots[1]) },
                expected: "{b:[]}", bytes: pickle("}", 0x94, "(") + b + pickle("]", 0x94, "u"), version: 4))
        records.append(
            TrapRecord(
                testDescription: "frames in the second pickle only",
                state: pickle(0x95, framed.count - 2, 0, 0, 0, 0, 0, 0, 0) + framed.dropLast().filter { $0 != 0x94 },
                rules: [.dropFrames],
                edit: { edit, slots in try edit.removeEntry(.text("a"), from: edit.document.roots[1]) },
                expected: "{b:[]}", bytes: pickle("}(") + b + pickle("]u"), version: 4, classVersion: 3))
        return records
    }()
}

@Suite("Splices")
struct SpliceTests {
    @Test("every trap is stepped around", arguments: TrapRecord.all)
    func traps(_ record: TrapRecord) throws {
        let edited = try record.edited()
        #expect(TrapRecord.text(edited) == record.expected)
        if let bytes = record.bytes {
            let state = edited.source[(edited.roots[0].range.upperBound + 3)...].dropLast()
            #expect(Array(state) == bytes)
        }
    }

    @Test("each rule is needed by its record", arguments: TrapRecord.all)
    func rules(_ record: TrapRecord) throws {
        #expect(!record.rules.isEmpty)
        for rule in record.rules {
            let edited = try? record.edited(Splicer.Rules.all.subtracting(rule))
            let isRight = edited.map { TrapRecord.text($0) == record.expected && $0.hasFramesThatFit }
            #expect(isRight != true, "without \(rule.rawValue)")
        }
    }
}

extension PickleDocument {
    /// Python refuses a frame that ends inside an opcode or behind the pickle; our parser does not look.
    fileprivate var hasFramesThatFit: Bool {
        guard let map = try? MemoMap(self) else { return false }
        return map.frames.allSatisfy { at in
            let length = Int(source[at + 1])
            return at + 9 + length == source.count
        }
    }
}

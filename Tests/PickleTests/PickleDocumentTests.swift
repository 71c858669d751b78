import Pickle
import Testing

/// Pickles written out by hand, one opcode after the other.
func pickle(_ parts: Any...) -> [UInt8] {
    parts.flatMap { part -> [UInt8] in
        switch part {
        case let text as String: Array(text.utf8)
        case let byte as Int: [UInt8(byte)]
        default: []
        }
    }
}

@Suite("Pickle document")
struct PickleDocumentTests {
    @Test("a shared value is one node in two slots, each with its own bytes")
    func sharing() throws {
        // x = [1]; (x, x)
        let document = try PickleDocument(pickle("]q", 0, "K", 1, "ah", 0, 0x86, "."))
        guard case .tuple(let items) = document[document.roots[0]] else { return #expect(Bool(false)) }
        #expect(document.isSame(items[0], items[1]))
        #expect(items[0].range != items[1].range)
    }

    @Test("a list that contains itself is a cycle, not an endless walk")
    func cycle() throws {
        let document = try PickleDocument(pickle("]q", 0, "h", 0, "a."))
        guard case .list(let items) = document[document.roots[0]] else { return #expect(Bool(false)) }
        #expect(items.count == 1)
        #expect(document.isSame(items[0], document.roots[0]))
        #expect(document.roots[0].range == 0..<6)
    }

    @Test("popped bytes belong to the value that follows them")
    func deadPrefix() throws {
        // N, popped; then the number 1
        let document = try PickleDocument(pickle("N0K", 1, "."))
        #expect(document.roots[0].range == 0..<4)
        #expect(document[document.roots[0]] == .integer(PickleInteger(1)))
    }

    @Test("the state pickle of a record uses the memo of its class pickle")
    func sharedMemo() throws {
        let source = pickle(0x80, 3, "cm\nC\nq", 0, ".", 0x80, 3, "}h", 0, "K", 7, "s.")
        let document = try PickleDocument(source, .record)
        guard case .dict(let entries) = document[document.roots[1]] else { return #expect(Bool(false)) }
        #expect(document[entries[0].key] == .global(GlobalName(module: "m", name: "C")))
        #expect(throws: PickleError.self) { try PickleDocument(Array(source[8...])) }
    }

    @Test("string kinds, integers and floats keep their type and their bits")
    func kinds() throws {
        let source = pickle("(U", 1, "aX", 1, 0, 0, 0, "aC", 1, "aI01\nI5\nL5L\nG", 0x80, 0, 0, 0, 0, 0, 0, 0, "t.")
        let document = try PickleDocument(source)
        guard case .tuple(let items) = document[document.roots[0]] else { return #expect(Bool(false)) }
        #expect(document[items[0]] == .nativeString([97]))
        #expect(document[items[1]] == .text([97]))
        #expect(document[items[2]] == .bytes([97]))
        #expect(document[items[3]] == .bool(true))
        #expect(document[items[4]] == .integer(PickleInteger(5)))
        #expect(document[items[5]] == .integer(PickleInteger(5, isLong: true)))
        guard case .float(let zero) = document[items[6]] else { return #expect(Bool(false)) }
        #expect(zero.sign == .minus && zero == 0)
    }

    @Test(
        "integers of any size print as Python prints them",
        arguments: [
            ([], "0"), ([0xff], "-1"), ([0, 0x80], "-32768"), ([0xff, 0x7f], "32767"),
            ([0, 0, 0, 0, 0, 0, 0, 0x80, 0], "9223372036854775808"),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0xff], "-18446744073709551616"),
            ([0, 0, 0, 0x40, 0xea, 0xed, 0x74, 0x46, 0xd0, 0x9c, 0x2c, 0x9f, 0x0c], "1000000000000000000000000000000"),
        ])
    func bigIntegers(bytes: [UInt8], text: String) {
        let value = PickleInteger(twosComplement: bytes, isLong: true)
        #expect(value.description == text)
        let parsed = PickleInteger(decimal: Array(text.utf8), isLong: true)
        #expect(parsed == value)
    }

    @Test(
        "what is wrong is said with its offset",
        arguments: [
            (pickle("N"), PickleError.Reason.truncated(needed: 1, available: 0), 1),
            (pickle("X", 0xff, 0xff, 0xff, 0x7f, "a."), .truncated(needed: 0x7fff_ffff, available: 2), 0),
            (pickle(0xff, "."), .unknownOpcode(0xff), 0),
            (pickle("h", 5, "."), .undefinedMemo(5), 0),
            (pickle("R."), .stackUnderflow(.reduce), 0),
            (pickle("N(R."), .stackUnderflow(.reduce), 2),
            (pickle("t."), .missingMark(.tuple), 0),
            (pickle("K", 1, "Nb."), .wrongTarget(.build), 3),
            (pickle("}(NNNu."), .unpairedItems(.setItems), 5),
            (pickle("NN."), .unfinished(items: 2, marks: 0), 2),
            (pickle("(N."), .unfinished(items: 1, marks: 1), 2),
            (pickle(0x80, 6, "N."), .unsupportedProtocol(6), 0),
            (pickle("Iab\n."), .invalidArgument(.int, "'ab'"), 0),
            (pickle("S'a\n."), .invalidArgument(.string, "''a'"), 0),
            (pickle("Np-1\n."), .invalidArgument(.put, "'-1'"), 1),
        ])
    func errors(source: [UInt8], reason: PickleError.Reason, offset: Int) {
        #expect { try PickleDocument(source) } throws: { error in
            guard let error = error as? PickleError else { return false }
            return error.reason == reason && error.offset == offset
        }
    }
}

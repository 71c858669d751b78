import Pickle
import TestSupport
import Testing

@Suite("Pickle edits")
struct PickleEditTests {
    /// A record whose state is a value, as Python's picklers write it: everything memoized, here by the list of its PUTs.
    static func record(_ state: PickleValue, _ style: PickleStyle = .python3) throws -> PickleDocument {
        try PickleDocument(try PickleEncoder.record(class: .global("m", "C"), state: state, style), .record)
    }

    static func state(_ document: PickleDocument) throws -> PickleValue {
        try PickleValue(document.roots[1], in: document)
    }

    static func dict(_ pairs: (PickleValue, PickleValue)...) -> PickleValue {
        .dict(pairs.map { PickleValue.Entry(key: $0.0, value: $0.1) })
    }

    static let sample = dict(
        (.text("title"), .text("Home")), (.text("list"), .list([.integer(1), .integer(2), .integer(3)])),
        (.text("pair"), .tuple([.integer(1), .none])), (.text("none"), .none))

    private func edited(
        _ document: PickleDocument, _ body: (inout PickleEdit) throws -> Void
    ) throws -> PickleDocument {
        var edit = PickleEdit(document)
        try body(&edit)
        return try edit.finish()
    }

    private func value(_ name: String, in document: PickleDocument) throws -> PickleDocument.Slot {
        guard case .dict(let entries) = document[document.roots[1]],
            let entry = entries.first(where: { document.stringBytes($0.key) == Array(name.utf8) })
        else { throw PickleEditError.noSuchKey }
        return entry.value
    }

    @Test("an equal value is no edit, and without edits every byte stays")
    func noEdit() throws {
        for style in [PickleStyle.python3, .python2, .zodbpickle2] {
            let name = { (text: String) in style.name(text) }
            let document = try Self.record(
                Self.dict((name("x"), .float(-0.0)), (name("y"), .list([.none])), (name("z"), .float(.nan))), style)
            var edit = PickleEdit(document, style: style)
            try edit.replace(try value("x", in: document), with: .float(-0.0))
            try edit.setAttribute("y", to: .list([.none]), ofState: document.roots[1])
            try edit.setEntry(name("z"), to: .float(.nan), in: document.roots[1])
            #expect(edit.isEmpty)
            #expect(try edit.finish().source == document.source)
            var other = PickleEdit(document, style: style)
            try other.replace(try value("x", in: document), with: .float(0))
            #expect(!other.isEmpty)
            try other.replace(try value("x", in: document), with: .float(-0.0))
            #expect(try other.finish().source == document.source)
        }
    }

    @Test("an edit and its reverse give the old bytes")
    func reverse() throws {
        let document = try Self.record(Self.sample)
        let there = try edited(document) { try $0.setEntry(.text("title"), to: .integer(7), in: document.roots[1]) }
        let back = try edited(there) { try $0.setEntry(.text("title"), to: .text("Home"), in: there.roots[1]) }
        #expect(there.source != document.source && back.source == document.source)
    }

    @Test("a value equal to the old one still counts when something inside it is changed as well")
    func equalAroundAChange() throws {
        let document = try Self.record(Self.dict((.text("a"), .dict([]))))
        let slot = try value("a", in: document)
        #expect(throws: PickleEditError.self) {
            try edited(document) {
                try $0.setEntry(.integer(1), to: .integer(2), in: slot)
                try $0.replace(slot, with: .dict([]))
            }
        }
    }

    @Test("entries are set, added and removed")
    func entries() throws {
        let document = try Self.record(Self.sample)
        let result = try edited(document) {
            let state = document.roots[1]
            try $0.setEntry(.text("title"), to: .text("New"), in: state)
            try $0.setEntry(.text("more"), to: .integer(1), in: state)
            try $0.setEntry(.text("more"), to: .integer(2), in: state)
            try $0.setEntry(.text("gone"), to: .none, in: state)
            try $0.removeEntry(.text("gone"), from: state)
            try $0.removeEntry(.text("pair"), from: state)
            try $0.removeEntry(.text("list"), from: state)
        }
        #expect(
            try Self.state(result)
                == Self.dict((.text("title"), .text("New")), (.text("none"), .none), (.text("more"), .integer(2))))
        #expect(throws: PickleEditError.noSuchKey) {
            try edited(document) { try $0.removeEntry(.text("other"), from: document.roots[1]) }
        }
        #expect(throws: PickleEditError.value(.unhashable("list"))) {
            try edited(document) { try $0.setEntry(.list([]), to: .none, in: document.roots[1]) }
        }
        #expect(throws: PickleEditError.self) {
            try edited(document) { try $0.setEntry(.none, to: .none, in: value("list", in: document)) }
        }
    }

    @Test("a dict loses its last entry, and gets a first one again")
    func emptied() throws {
        for count in [1, 3] {
            let keys = (0..<count).map { PickleValue.integer($0) }
            let document = try Self.record(.dict(keys.map { .init(key: $0, value: .none) }))
            let empty = try edited(document) { for key in keys { try $0.removeEntry(key, from: document.roots[1]) } }
            #expect(empty.source == (try Self.record(.dict([]))).source)
            let again = try edited(empty) { for key in keys { try $0.setEntry(key, to: .none, in: empty.roots[1]) } }
            #expect(again.source == document.source)
        }
    }

    @Test("a key that was written twice is removed twice, and its last value is the one that changes")
    func keyTwice() throws {
        let source = pickle("cm\nC\n.}(K", 1, "K", 2, "K", 1, "K", 3, "K", 5, "Nu.")
        let document = try PickleDocument(source, .record)
        let set = try edited(document) { try $0.setEntry(.integer(1), to: .integer(9), in: document.roots[1]) }
        #expect(set.source == pickle("cm\nC\n.}(K", 1, "K", 2, "K", 1, "K", 9, "K", 5, "Nu."))
        let removed = try edited(document) { try $0.removeEntry(.integer(1), from: document.roots[1]) }
        #expect(removed.source == pickle("cm\nC\n.}(K", 5, "Nu."))
    }

    @Test(
        "keys are equal as Python has it",
        arguments: [
            (PickleValue.integer(1), PickleValue.bool(true), true, true), (.integer(1), .float(1), true, true),
            (.float(0), .float(-0.0), true, true), (.integer(1), .text("1"), false, false),
            (.nativeString("a"), .text("a"), true, true), (.nativeString([0xe9]), .text([0xe9]), false, false),
            (.nativeString("a"), .bytes([97]), true, false), (.text("a"), .bytes([97]), true, false),
            (.tuple([.integer(1)]), .tuple([.bool(true)]), true, true),
            (.frozenSet([.integer(1), .none]), .frozenSet([.none, .integer(1)]), true, true),
            (.integer(PickleInteger(5, isLong: true)), .integer(5), true, true),
        ])
    func sameKey(_ old: PickleValue, _ key: PickleValue, inPython2: Bool, inPython3: Bool) throws {
        for isPython2 in [true, false] {
            // Written with every kind, read as either: a Python 3 may have records of Python 2.
            let writing = PickleStyle(protocolNumber: 3, isPython2: true)
            let document = try Self.record(.dict([.init(key: old, value: .none)]), writing)
            var edit = PickleEdit(document, style: PickleStyle(protocolNumber: 3, isPython2: isPython2))
            let isFound: Bool
            do throws(PickleEditError) {
                try edit.removeEntry(key, from: document.roots[1])
                isFound = true
            } catch {
                isFound = false
            }
            #expect(isFound == (isPython2 ? inPython2 : inPython3))
        }
    }

    @Test("items come and go, at positions as they are after the changes so far", arguments: [0, 1, 2, 3, 4, 5])
    func items(count: Int) throws {
        var random = RandomNumbers(seed: UInt64(count))
        for isTuple in [false, true] {
            for _ in 0..<200 {
                var model = (0..<count).map { PickleValue.integer($0) }
                func wrapped(_ items: [PickleValue]) -> PickleValue { isTuple ? .tuple(items) : .list(items) }
                let style = [PickleStyle.python3, .python2, PickleStyle(protocolNumber: 4, isPython2: false)][
                    random.below(3)]
                let document = try Self.record(wrapped(model), style)
                var edit = PickleEdit(document, style: style)
                for step in 0..<random.below(6) {
                    let value = PickleValue.integer(100 + step)
                    switch random.below(model.isEmpty ? 1 : 3) {
                    case 0:
                        let index = random.below(model.count + 1)
                        model.insert(value, at: index)
                        try edit.insert(value, at: index, into: document.roots[1])
                    case 1:
                        let index = random.below(model.count)
                        model.remove(at: index)
                        try edit.removeItem(at: index, from: document.roots[1])
                    default:
                        let index = random.below(model.count)
                        model[index] = value
                        try edit.replaceItem(at: index, with: value, in: document.roots[1])
                    }
                    #expect(try edit.count(of: document.roots[1]) == model.count)
                }
                let result = try edit.finish()
                #expect(try Self.state(result) == wrapped(model))
            }
        }
    }

    @Test("positions outside are refused")
    func outside() throws {
        let document = try Self.record(.list([.none]))
        let root = document.roots[1]
        for index in [-1, 2, .max, .min] {
            #expect(throws: PickleEditError.indexOutOfRange(index, count: 1)) {
                try edited(document) { try $0.insert(.none, at: index, into: root) }
            }
            #expect(throws: PickleEditError.self) { try edited(document) { try $0.removeItem(at: index, from: root) } }
            #expect(throws: PickleEditError.self) { try edited(document) { try $0.removeEntry(at: index, from: root) } }
            #expect(throws: PickleEditError.self) {
                try edited(document) { try $0.replaceItem(at: index, with: .none, in: root) }
            }
        }
    }

    @Test("sets, by opcode or by call, take what they have not", arguments: [3, 4])
    func sets(protocolNumber: Int) throws {
        let style = PickleStyle(protocolNumber: protocolNumber, isPython2: false)
        for isFrozen in [false, true] {
            func wrapped(_ items: [Int]) -> PickleValue {
                let values = items.map { PickleValue.integer($0) }
                return isFrozen ? .frozenSet(values) : .set(values)
            }
            for items in [[], [1], [1, 2]] {
                let document = try Self.record(wrapped(items), style)
                var edit = PickleEdit(document, style: style)
                try edit.insert(.integer(7), at: 0, into: document.roots[1])
                try edit.insert(.integer(7), at: 0, into: document.roots[1])
                if items.contains(1) { try edit.insert(.bool(true), at: 0, into: document.roots[1]) }
                #expect(try Self.state(try edit.finish()) == wrapped([7] + items))
                var removal = PickleEdit(document, style: style)
                guard items.contains(1) else { continue }
                try removal.removeItem(.float(1), from: document.roots[1])
                #expect(try Self.state(try removal.finish()) == wrapped(Array(items.dropFirst())))
                #expect(throws: PickleEditError.noSuchKey) {
                    try edited(document) { try $0.removeItem(.integer(5), from: document.roots[1]) }
                }
                #expect(throws: PickleEditError.value(.unhashable("dict"))) {
                    try edited(document) { try $0.append(.dict([]), to: document.roots[1]) }
                }
            }
        }
    }

    @Test("attributes of a state: a dict, None, a state with slots")
    func attributes() throws {
        let none = try Self.record(.none)
        let first = try edited(none) {
            try $0.setAttribute("a", to: .integer(1), ofState: none.roots[1])
            try $0.setAttribute("b", to: .integer(2), ofState: none.roots[1])
            try $0.removeAttribute("a", ofState: none.roots[1])
        }
        #expect(try Self.state(first) == Self.dict((.text("b"), .integer(2))))
        let slots = try Self.record(
            .tuple([Self.dict((.text("x"), .none)), Self.dict((.text("s"), .none))]))
        let set = try edited(slots) {
            try $0.setAttribute("x", to: .integer(1), ofState: slots.roots[1])
            try $0.setAttribute("s", to: .integer(2), ofState: slots.roots[1])
            try $0.setAttribute("new", to: .integer(3), ofState: slots.roots[1])
        }
        #expect(
            try Self.state(set)
                == .tuple([
                    Self.dict((.text("x"), .integer(1)), (.text("new"), .integer(3))),
                    Self.dict((.text("s"), .integer(2))),
                ]))
        let onlySlots = try Self.record(.tuple([.none, Self.dict((.text("s"), .none))]))
        #expect(throws: PickleEditError.noSuchAttribute("x")) {
            try edited(onlySlots) { try $0.setAttribute("x", to: .none, ofState: onlySlots.roots[1]) }
        }
        #expect(throws: PickleEditError.noSuchAttribute("q")) {
            try edited(slots) { try $0.removeAttribute("q", ofState: slots.roots[1]) }
        }
        for name in ["_v_x", "_p_oid"] {
            #expect(throws: PickleEditError.self) {
                try edited(none) { try $0.setAttribute(name, to: .none, ofState: none.roots[1]) }
            }
        }
    }

    @Test("attributes of an instance inside a record; its first state, items and entries come in Python's order")
    func instances() throws {
        let made = PickleValue.Instance(.newObject, .global("m", "Made"))
        let document = try Self.record(.tuple([.instance(made), .instance(made)]))
        guard case .tuple(let items) = document[document.roots[1]] else { return #expect(Bool(false)) }
        let result = try edited(document) {
            try $0.setAttribute("a", to: .integer(1), of: items[0])
            try $0.setAttribute("b", to: .integer(2), of: items[0])
            try $0.setEntry(.text("k"), to: .integer(3), in: items[0])
            try $0.append(.integer(4), to: items[0])
        }
        var expected = made
        expected.items = [.integer(4)]
        expected.entries = [.init(key: .text("k"), value: .integer(3))]
        expected.states = [Self.dict((.text("a"), .integer(1)), (.text("b"), .integer(2)))]
        #expect(try Self.state(result) == .tuple([.instance(expected), .instance(made)]))
        guard case .tuple(let again) = result[result.roots[1]] else { return #expect(Bool(false)) }
        let more = try edited(result) {
            try $0.removeAttribute("a", of: again[0])
            try $0.removeItem(at: 0, from: again[0])
            try $0.append(.integer(5), to: again[0])
            try $0.removeEntry(.text("k"), from: again[0])
        }
        expected.items = [.integer(5)]
        expected.entries = []
        expected.states = [Self.dict((.text("b"), .integer(2)))]
        #expect(try Self.state(more) == .tuple([.instance(expected), .instance(made)]))
    }

    @Test("places that take one kind of value refuse the others")
    func places() throws {
        let made = PickleValue.Instance(.newObject, .global("m", "Made"), arguments: [.none])
        let document = try Self.record(.instance(made))
        guard case .instance(let instance) = document[document.roots[1]], let callable = instance.callable,
            let arguments = instance.argumentTuple
        else { return #expect(Bool(false)) }
        for (slot, value) in [(callable, PickleValue.text("m")), (arguments, .list([])), (arguments, .none)] {
            #expect(throws: PickleEditError.self) { try edited(document) { try $0.replace(slot, with: value) } }
        }
        let result = try edited(document) {
            try $0.replace(callable, with: .global("m", "Other"))
            try $0.append(.integer(1), to: arguments)
        }
        var expected = made
        expected.callable = .global("m", "Other")
        expected.arguments = [.none, .integer(1)]
        #expect(try Self.state(result) == .instance(expected))
    }

    @Test("a key that would be unhashable is refused, also when it becomes so from inside")
    func unhashable() throws {
        let document = try Self.record(Self.dict((.tuple([.integer(1)]), .none)))
        guard case .dict(let entries) = document[document.roots[1]] else { return #expect(Bool(false)) }
        #expect(throws: PickleEditError.value(.unhashable("list"))) {
            try edited(document) { try $0.append(.list([]), to: entries[0].key) }
        }
        #expect(throws: PickleEditError.value(.unhashable("dict"))) {
            try edited(document) { try $0.replace(entries[0].key, with: .dict([])) }
        }
    }

    @Test("a value and the one around it are not edited at once")
    func overlapping() throws {
        let document = try Self.record(Self.sample)
        let list = try value("list", in: document)
        #expect(throws: PickleEditError.self) {
            try edited(document) {
                try $0.append(.none, to: list)
                try $0.replace(list, with: .none)
            }
        }
        #expect(throws: PickleEditError.self) {
            try edited(document) {
                try $0.removeItem(at: 0, from: list)
                try $0.removeEntry(.text("list"), from: document.roots[1])
            }
        }
    }

    @Test("the class of a record, in each form; its references keep theirs")
    func classes() throws {
        let new = GlobalName(module: "n", name: "D")
        for (old, expected) in [
            (PickleValue.global("m", "C"), PickleValue.global("n", "D")),
            (.tuple([.global("m", "C"), .tuple([.integer(1)])]), .tuple([.global("n", "D"), .tuple([.integer(1)])])),
            (
                .tuple([.tuple([.text("m"), .text("C")]), .none]), .tuple([.tuple([.text("n"), .text("D")]), .none])
            ),
            (.tuple([.text("m"), .text("C")]), .tuple([.text("n"), .text("D")])),
        ] {
            let state = PickleValue.persistentID(.tuple([.bytes([0, 0, 0, 0, 0, 0, 0, 1]), .global("m", "C")]))
            let document = try PickleDocument(try PickleEncoder.record(class: old, state: state, .python3), .record)
            let result = try edited(document) { try $0.replaceClass(with: new) }
            #expect(try PickleValue(result.roots[0], in: result) == expected)
            #expect(try Self.state(result) == state)
            let renamed = try edited(document) { try $0.rename(GlobalName(module: "m", name: "C"), to: new) }
            #expect(
                try Self.state(renamed)
                    == .persistentID(.tuple([.bytes([0, 0, 0, 0, 0, 0, 0, 1]), .global("n", "D")])))
        }
        let reference = try PickleDocument(
            try PickleEncoder.record(class: .persistentID(.none), state: .none, .python3), .record)
        #expect(throws: PickleEditError.self) { try edited(reference) { try $0.replaceClass(with: new) } }
    }

    @Test("a pickle with DUP is read and not edited")
    func duplicate() throws {
        let document = try PickleDocument(pickle("cm\nC\n.]2", 0x86, "."), .record)
        #expect(throws: PickleEditError.self) {
            try edited(document) { try $0.replace(document.roots[1], with: .none) }
        }
    }

    @Test("a style is told from the record, or by who knows the database")
    func styles() throws {
        func style(_ parts: [UInt8], _ isPython2: Bool? = nil) throws -> PickleStyle {
            PickleStyle(of: try PickleDocument(parts, .record), isPython2: isPython2)
        }
        let protocol3: [UInt8] = [0x80, 3]
        #expect(try style(pickle("cm\nC\n.N.")) == .python2)
        #expect(try style(pickle("cm\nC\n.N."), false) == PickleStyle(protocolNumber: 1, isPython2: false))
        #expect(try style(pickle("cm\nC\np0\n.(lp1\n.")) == PickleStyle(protocolNumber: 0, isPython2: true))
        #expect(try style(protocol3 + pickle("cm\nC\n.") + protocol3 + pickle("N.")) == .python3)
        #expect(try style(protocol3 + pickle("cm\nC\n.") + protocol3 + pickle("N."), true) == .zodbpickle2)
        #expect(try style(protocol3 + pickle("cm\nC\n.") + protocol3 + pickle("U", 1, "a.")) == .zodbpickle2)
        #expect(try style(protocol3 + pickle("cm\nC\nq", 1, ".") + protocol3 + pickle("}q", 2, ".")) == .zodbpickle2)
        #expect(try style(protocol3 + pickle("cm\nC\nq", 0, ".") + protocol3 + pickle("}q", 1, ".")) == .python3)
    }
}

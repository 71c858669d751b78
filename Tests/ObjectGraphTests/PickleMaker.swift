import ZODB

/// Opcodes by hand: each function gives those that push one value.
enum PickleMaker {
    typealias Code = [UInt8]

    static func text(_ string: String) -> Code { Code("X".utf8) + little(string.utf8.count) + Code(string.utf8) }
    static func native(_ string: String) -> Code { Code("T".utf8) + little(string.utf8.count) + Code(string.utf8) }
    static func bytes(_ bytes: [UInt8]) -> Code { Code("B".utf8) + little(bytes.count) + bytes }
    static func int(_ value: Int) -> Code { Code("J".utf8) + little(value) }
    static func float(_ text: String) -> Code { Code("F\(text)\n".utf8) }
    static let none = Code("N".utf8)
    static func tuple(_ items: [Code]) -> Code { Code("(".utf8) + items.joined() + Code("t".utf8) }
    static func list(_ items: [Code]) -> Code { Code("](".utf8) + items.joined() + Code("e".utf8) }
    static func dict(_ entries: [(Code, Code)]) -> Code {
        Code("}(".utf8) + entries.flatMap { $0.0 + $0.1 } + Code("u".utf8)
    }
    static func attributes(_ entries: [(String, Code)]) -> Code { dict(entries.map { (text($0.0), $0.1) }) }
    static func global(_ name: String) -> Code {
        let parts = name.split(separator: ".")
        return Code("c\(parts.dropLast().joined(separator: "."))\n\(parts.last ?? "")\n".utf8)
    }
    static func reference(_ oid: UInt64, _ className: String) -> Code {
        tuple([bytes(ObjectID(rawValue: oid).bytes), global(className)]) + Code("Q".utf8)
    }
    static func weakReference(_ oid: UInt64) -> Code {
        list([text("w"), tuple([bytes(ObjectID(rawValue: oid).bytes)])]) + Code("Q".utf8)
    }
    static func otherDatabase(_ oid: UInt64, _ database: String) -> Code {
        list([text("n"), tuple([text(database), bytes(ObjectID(rawValue: oid).bytes)])]) + Code("Q".utf8)
    }
    /// `class.__new__(class)` with a state.
    static func instance(_ className: String, _ state: Code) -> Code {
        global(className) + Code(")\u{81}".unicodeScalars.map { UInt8($0.value) }) + state + Code("b".utf8)
    }

    static func record(_ className: String, _ state: Code) -> Code {
        let start: Code = [0x80, 3]
        return start + global(className) + Code(".".utf8) + start + state + Code(".".utf8)
    }

    /// A root mapping that holds these.
    static func root(_ entries: [(String, Code)]) -> Code {
        record("persistent.mapping.PersistentMapping", attributes([("data", attributes(entries))]))
    }

    private static func little(_ value: Int) -> Code {
        let number = UInt32(truncatingIfNeeded: value)
        return (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
}

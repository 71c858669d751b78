internal import Pickle

/// `BTrees.Length.Length`: a number to which each change adds.
enum LengthResolver {
    static let className = GlobalName(module: "BTrees.Length", name: "Length")

    static func resolve(_ conflict: Conflict) -> [UInt8]? {
        guard let old = number(in: conflict.old), let committed = number(in: conflict.committed),
            let new = number(in: conflict.new), var copier = conflict.copier()
        else { return nil }
        let (sum, overflows) = committed.value.addingReportingOverflow(new.value)
        let (value, underflows) = sum.subtractingReportingOverflow(old.value)
        guard !overflows, !underflows else { return nil }
        copier.append(
            opcodes(value, isLong: old.isLong || committed.isLong || new.isLong, conflict.hasProtocolHeader))
        copier.append(.stop)
        return copier.output
    }

    private static func number(in document: PickleDocument) -> (value: Int64, isLong: Bool)? {
        guard case .integer(let integer) = document[document.roots[1]], let value = integer.int64 else { return nil }
        return (value, integer.isLong)
    }

    /// As Python's picklers write it: `K`, `M`, `J`; larger ones and `long` as `LONG1`, before protocol 2 as text.
    private static func opcodes(_ value: Int64, isLong: Bool, _ hasLong1: Bool) -> [UInt8] {
        let bytes = withUnsafeBytes(of: value.littleEndian) { Array($0) }
        let isLarge = Int32(exactly: value) == nil
        guard isLong || isLarge else {
            if let byte = UInt8(exactly: value) { return [Opcode.binInt1.rawValue, byte] }
            if UInt16(exactly: value) != nil { return [Opcode.binInt2.rawValue] + bytes.prefix(2) }
            return [Opcode.binInt.rawValue] + bytes.prefix(4)
        }
        guard hasLong1 else {
            return isLong
                ? [Opcode.long.rawValue] + Array("\(value)L\n".utf8) : [Opcode.int.rawValue] + Array("\(value)\n".utf8)
        }
        let content = PickleInteger(value).twosComplement
        return [Opcode.long1.rawValue, UInt8(content.count)] + content
    }
}

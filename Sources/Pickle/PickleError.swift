/// Bytes that are not a pickle, or one that breaks a limit: what is wrong, and where.
public struct PickleError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The bytes end inside an opcode's argument, or before STOP.
        case truncated(needed: Int, available: Int)
        case unknownOpcode(UInt8)
        /// PROTO with a number above 5.
        case unsupportedProtocol(Int)
        /// An opcode takes more from the stack than there is.
        case stackUnderflow(Opcode)
        /// An opcode needs a MARK and there is none.
        case missingMark(Opcode)
        /// A GET of a number that was never PUT.
        case undefinedMemo(Int)
        /// An argument that cannot be what the opcode says: a number that is none, an unbalanced quote.
        case invalidArgument(Opcode, String)
        /// An opcode that changes an object met one it cannot change: APPEND on a dict, BUILD on a number.
        case wrongTarget(Opcode)
        /// SETITEMS or DICT with an odd number of items.
        case unpairedItems(Opcode)
        /// STOP, and the stack does not hold exactly one item.
        case unfinished(items: Int, marks: Int)
        /// Longer than `PickleDocument.maximumLength`.
        case tooLong(length: Int, limit: Int)
    }

    public let reason: Reason
    /// The offset of the opcode at fault, in bytes from the start of the source.
    public let offset: Int

    init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension PickleError: CustomStringConvertible {
    public var description: String { "pickle: \(reason.description) at offset \(offset)" }
}

extension PickleError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated(let needed, let available): "ends early: needs \(needed) more bytes, has \(available)"
        case .unknownOpcode(let byte): "unknown opcode 0x\(String(byte, radix: 16))"
        case .unsupportedProtocol(let number): "protocol \(number); 0 to 5 are known"
        case .stackUnderflow(let opcode): "\(opcode.name) finds too few items on the stack"
        case .missingMark(let opcode): "\(opcode.name) without a MARK"
        case .undefinedMemo(let id): "memo \(id) is used but was never defined"
        case .invalidArgument(let opcode, let text): "\(opcode.name) cannot have the argument \(text)"
        case .wrongTarget(let opcode): "\(opcode.name) applied to a value that cannot take it"
        case .unpairedItems(let opcode): "\(opcode.name) with a key but no value"
        case .unfinished(let items, let marks): "STOP with \(items) items and \(marks) open marks; one item is right"
        case .tooLong(let length, let limit): "\(length) bytes are more than the limit of \(limit)"
        }
    }
}

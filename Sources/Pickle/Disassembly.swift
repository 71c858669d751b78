/// A listing of a pickle's opcodes, as `dis` shows it.
///
/// It goes opcode by opcode and keeps no stack, so that it also lists pickles that cannot be parsed, up to the byte at
/// fault.
public struct Disassembly: Sequence, IteratorProtocol {
    public struct Line: Hashable, Sendable {
        public let offset: Int
        public let name: String
        /// The argument as text, empty when there is none; long ones are cut with their length shown.
        public let argument: String
        /// Bytes, opcode and argument together.
        public let length: Int
    }

    private let source: [UInt8]
    private var offset = 0
    /// What ended the listing, when it was not the end of the source.
    public private(set) var error: PickleError?

    public init(_ source: [UInt8]) {
        self.source = source
    }

    public mutating func next() -> Line? {
        guard error == nil, offset < source.count else { return nil }
        let start = offset
        guard let opcode = Opcode(rawValue: source[start]) else {
            error = PickleError(.unknownOpcode(source[start]), at: start)
            return nil
        }
        do throws(PickleError) {
            let argument = try source.withUnsafeBufferPointer { (bytes) throws(PickleError) -> Range<Int> in
                try PickleParser.argumentRange(of: opcode, at: start, in: bytes)
            }
            offset = argument.upperBound
            return Line(
                offset: start, name: opcode.name, argument: text(opcode, argument), length: argument.upperBound - start)
        } catch {
            self.error = error
            return nil
        }
    }

    private func text(_ opcode: Opcode, _ range: Range<Int>) -> String {
        let bytes = source[range]
        switch opcode.argument {
        case .nothing: return ""
        case .fixed:
            let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            switch opcode {
            case .binFloat: return PickleText.float(Double(bitPattern: bits.byteSwapped))
            case .binInt: return String(Int32(truncatingIfNeeded: bits))
            default: return String(bits)
            }
        case .counted:
            switch opcode {
            case .long1, .long4: return PickleInteger(twosComplement: Array(bytes), isLong: true).description
            case .binUnicode, .shortBinUnicode, .binUnicode8:
                let (text, cut) = PythonString.literal(bytes, limit: 60)
                return cut ? "\(text)… (\(bytes.count) bytes)" : text
            default:
                let (text, cut) = PythonString.bytesLiteral(bytes, limit: 60)
                return cut ? "\(text)… (\(bytes.count) bytes)" : text
            }
        case .lines: return PythonString.escaped(bytes.dropLast().map { $0 == 10 ? UInt8(ascii: " ") : $0 })
        }
    }
}

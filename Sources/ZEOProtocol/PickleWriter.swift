internal import ByteCoding
internal import ZODB

/// Writes a `WireValue` as Python pickles ZEO messages, without a memo.
///
/// For Python 3: protocol 3, bytes as `C`/`B`, text as `X`; every ZEO from 5.0 on reads this style, on Python 2 too. For
/// Python 2: protocol 1 without a PROTO opcode, bytes and ASCII text as `U`/`T`; `C`, `B` or PROTO 3 would end the
/// connection there. Byte for byte it is what peers of these kinds send.
struct PickleWriter {
    private var writer = ByteWriter(capacity: 128)
    private let reader: PythonGeneration

    static func bytes(_ value: WireValue, for reader: PythonGeneration = .python3) -> [UInt8] {
        var pickle = PickleWriter(reader: reader)
        if reader == .python3 { pickle.writer.write([0x80, 3]) }
        pickle.write(value)
        pickle.opcode(".")
        return pickle.writer.bytes
    }

    private mutating func write(_ value: WireValue) {
        switch value {
        case .none: opcode("N")
        case .bool(let value):
            if reader == .python3 {
                writer.write(value ? 0x88 as UInt8 : 0x89)
            } else {
                writer.write("I0\(value ? 1 : 0)\n".utf8)
            }
        case .integer(let value): write(value)
        case .bigInteger(let bytes): writeLong(bytes)
        case .float(let value):
            opcode("G")
            writer.write(value.bitPattern)
        case .bytes(let bytes) where reader == .python2: write(nativeString: bytes)
        case .bytes(let bytes):
            if let count = UInt8(exactly: bytes.count) {
                opcode("C")
                writer.write(count)
            } else {
                opcode("B")
                writeCount(bytes.count)
            }
            writer.write(bytes)
        case .text(let bytes) where reader == .python2 && bytes.allSatisfy { $0 < 0x80 }: write(nativeString: bytes)
        case .text(let bytes):
            opcode("X")
            writeCount(bytes.count)
            writer.write(bytes)
        case .nativeString(let bytes): write(nativeString: bytes)
        case .tuple(let elements): write(tuple: elements)
        case .list(let elements):
            opcode("]")
            fill(elements, one: "a", several: "e")
        case .dict(let entries):
            opcode("}")
            fill(pairs: entries.map { ($0.key, $0.value) })
        case .global(let module, let name):
            opcode("c")
            writer.write("\(module)\n\(name)\n".utf8)
        case .instance(let instance): write(instance)
        }
    }

    private init(reader: PythonGeneration) {
        self.reader = reader
    }

    private mutating func write(nativeString bytes: [UInt8]) {
        if let count = UInt8(exactly: bytes.count) {
            opcode("U")
            writer.write(count)
        } else {
            opcode("T")
            writeCount(bytes.count)
        }
        writer.write(bytes)
    }

    private mutating func opcode(_ character: Unicode.Scalar) {
        writer.write(UInt8(ascii: character))
    }

    /// Lengths are 32 bits, little-endian; a frame cannot hold more.
    private mutating func writeCount(_ count: Int) {
        writer.write(UInt32(truncatingIfNeeded: count).byteSwapped)
    }

    private mutating func write(_ value: Int64) {
        if let byte = UInt8(exactly: value) {
            opcode("K")
            writer.write(byte)
        } else if let short = UInt16(exactly: value) {
            opcode("M")
            writer.write(short.byteSwapped)
        } else if let number = Int32(exactly: value) {
            opcode("J")
            writer.write(number.byteSwapped)
        } else if reader == .python2 {
            writer.write("I\(value)\n".utf8)
        } else {
            var bytes: [UInt8] = []
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
            while bytes.count > 1, let last = bytes.last,
                last == 0 && bytes[bytes.count - 2] < 0x80 || last == 0xff && bytes[bytes.count - 2] >= 0x80
            {
                bytes.removeLast()
            }
            writeLong(bytes)
        }
    }

    private mutating func writeLong(_ bytes: [UInt8]) {
        if let count = UInt8(exactly: bytes.count) {
            writer.write([0x8a, count])
        } else {
            writer.write(0x8b as UInt8)
            writeCount(bytes.count)
        }
        writer.write(bytes)
    }

    private mutating func write(tuple elements: [WireValue]) {
        if elements.isEmpty { return opcode(")") }
        // The opcodes for short tuples came with protocol 2.
        let isShort = elements.count <= 3 && reader == .python3
        if !isShort { opcode("(") }
        for element in elements { write(element) }
        switch isShort ? elements.count : 0 {
        case 1: writer.write(0x85 as UInt8)
        case 2: writer.write(0x86 as UInt8)
        case 3: writer.write(0x87 as UInt8)
        default: opcode("t")
        }
    }

    /// Fills the list or object on the stack. Python writes batches of 1000; so do we.
    private mutating func fill(_ elements: [WireValue], one: Unicode.Scalar, several: Unicode.Scalar) {
        for start in stride(from: 0, to: elements.count, by: 1000) {
            let batch = elements[start..<min(start + 1000, elements.count)]
            if batch.count > 1 { opcode("(") }
            for element in batch { write(element) }
            opcode(batch.count > 1 ? several : one)
        }
    }

    private mutating func fill(pairs: [(WireValue, WireValue)]) {
        for start in stride(from: 0, to: pairs.count, by: 1000) {
            let batch = pairs[start..<min(start + 1000, pairs.count)]
            if batch.count > 1 { opcode("(") }
            for (key, value) in batch {
                write(key)
                write(value)
            }
            opcode(batch.count > 1 ? "u" : "s")
        }
    }

    private mutating func write(_ instance: WireValue.Instance) {
        write(instance.callable)
        write(instance.arguments)
        opcode("R")
        let pairs = instance.contents.compactMap { item -> (WireValue, WireValue)? in
            guard case .tuple(let pair) = item, pair.count == 2 else { return nil }
            return (pair[0], pair[1])
        }
        // A list of pairs and a dict look the same here; as a dict is what is found in practice.
        if pairs.count == instance.contents.count {
            fill(pairs: pairs)
        } else {
            fill(instance.contents, one: "a", several: "e")
        }
        if let state = instance.state {
            write(state)
            opcode("b")
        }
    }
}

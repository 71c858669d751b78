internal import ByteCoding

/// One message body in msgpack, as ZEO 5.1 and later use it when told to: bytes as bin, text as str, tuples and lists
/// both as arrays (read as tuples, like Python does), no extension types.
///
/// Offsets in errors count from the start of the body.
enum MessagePackMessages {
    /// As deep as pickles may nest.
    static let deepest = PickleReader.deepest
    /// Nested arrays could each claim all that is left; what they really hold is reserved as it comes.
    private static let mostReserved = 1024

    /// - Parameter limit: the most values, inner ones included: each may cost many times its byte in memory.
    static func value(of body: [UInt8], limit: Int = .max) throws(FormatError) -> WireValue {
        var reader = ByteReader(body.span.bytes)
        var budget = limit
        let value = try Self.value(&reader, depth: 0, &budget)
        guard reader.isAtEnd else {
            throw FormatError(
                .invalid(field: "msgpack", found: "\(reader.remaining) bytes after its end"), at: reader.offset)
        }
        return value
    }

    private static func value(
        _ reader: inout ByteReader, depth: Int, _ budget: inout Int
    ) throws(FormatError) -> WireValue {
        let offset = reader.offset
        budget -= 1
        guard budget >= 0 else {
            throw FormatError(.invalid(field: "msgpack", found: "more values than any message has"), at: offset)
        }
        guard depth < deepest else {
            throw FormatError(.invalid(field: "nesting", found: "more than \(deepest) levels"), at: offset)
        }
        let code: UInt8 = try reader.read()
        switch code {
        case 0x00...0x7f: return .integer(Int64(code))
        case 0xe0...0xff: return .integer(Int64(Int8(bitPattern: code)))
        case 0x80...0x8f: return try map(&reader, count: Int(code & 0x0f), depth: depth, &budget)
        case 0x90...0x9f: return try array(&reader, count: Int(code & 0x0f), depth: depth, &budget)
        case 0xa0...0xbf: return .text(try reader.read(count: Int(code & 0x1f)))
        case 0xc0: return .none
        case 0xc2: return .bool(false)
        case 0xc3: return .bool(true)
        case 0xc4: return .bytes(try reader.read(count: Int(try reader.read(as: UInt8.self))))
        case 0xc5: return .bytes(try reader.read(count: Int(try reader.read(as: UInt16.self))))
        case 0xc6: return .bytes(try reader.read(count: Int(try reader.read(as: UInt32.self))))
        case 0xca: return .float(Double(Float(bitPattern: try reader.read())))
        case 0xcb: return .float(Double(bitPattern: try reader.read()))
        case 0xcc: return .integer(Int64(try reader.read(as: UInt8.self)))
        case 0xcd: return .integer(Int64(try reader.read(as: UInt16.self)))
        case 0xce: return .integer(Int64(try reader.read(as: UInt32.self)))
        case 0xcf: return unsigned(try reader.read())
        case 0xd0: return .integer(Int64(try reader.read(as: Int8.self)))
        case 0xd1: return .integer(Int64(try reader.read(as: Int16.self)))
        case 0xd2: return .integer(Int64(try reader.read(as: Int32.self)))
        case 0xd3: return .integer(try reader.read())
        case 0xd9: return .text(try reader.read(count: Int(try reader.read(as: UInt8.self))))
        case 0xda: return .text(try reader.read(count: Int(try reader.read(as: UInt16.self))))
        case 0xdb: return .text(try reader.read(count: Int(try reader.read(as: UInt32.self))))
        case 0xdc: return try array(&reader, count: Int(try reader.read(as: UInt16.self)), depth: depth, &budget)
        case 0xdd: return try array(&reader, count: Int(try reader.read(as: UInt32.self)), depth: depth, &budget)
        case 0xde: return try map(&reader, count: Int(try reader.read(as: UInt16.self)), depth: depth, &budget)
        case 0xdf: return try map(&reader, count: Int(try reader.read(as: UInt32.self)), depth: depth, &budget)
        default:
            throw FormatError(
                .invalid(field: "msgpack type", found: "0x" + Hexadecimal.text(code, width: 2)), at: offset)
        }
    }

    private static func unsigned(_ value: UInt64) -> WireValue {
        if let value = Int64(exactly: value) { return .integer(value) }
        return .twosComplement((0..<9).map { $0 == 8 ? 0 : UInt8(truncatingIfNeeded: value >> ($0 * 8)) })
    }

    /// Every element takes a byte at least: a count beyond what is left is a lie.
    private static func checkCount(_ reader: borrowing ByteReader, _ count: Int) throws(FormatError) {
        guard count <= reader.remaining else {
            throw FormatError(.truncated(needed: count, available: reader.remaining), at: reader.offset)
        }
    }

    private static func array(
        _ reader: inout ByteReader, count: Int, depth: Int, _ budget: inout Int
    ) throws(FormatError) -> WireValue {
        try checkCount(reader, count)
        var elements: [WireValue] = []
        elements.reserveCapacity(min(count, mostReserved))
        for _ in 0..<count { elements.append(try value(&reader, depth: depth + 1, &budget)) }
        return .tuple(elements)
    }

    private static func map(
        _ reader: inout ByteReader, count: Int, depth: Int, _ budget: inout Int
    ) throws(FormatError) -> WireValue {
        try checkCount(reader, count)
        var entries: [WireValue.Entry] = []
        entries.reserveCapacity(min(count, mostReserved))
        for _ in 0..<count {
            let key = try value(&reader, depth: depth + 1, &budget)
            entries.append(.init(key, try value(&reader, depth: depth + 1, &budget)))
        }
        return .dict(entries)
    }

    // MARK: Writing

    static func bytes(_ value: WireValue) -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        write(value, to: &writer)
        return writer.bytes
    }

    private static func write(_ value: WireValue, to writer: inout ByteWriter) {
        switch value {
        case .none: writer.write(0xc0 as UInt8)
        case .bool(let value): writer.write(value ? 0xc3 as UInt8 : 0xc2)
        case .integer(let value): write(value, to: &writer)
        case .float(let value):
            writer.write(0xcb as UInt8)
            writer.write(value.bitPattern)
        case .bytes(let bytes), .bigInteger(let bytes):
            // msgpack has no longer integers, and no call of ours holds one.
            writeHead(bytes.count, short: nil, [0xc4, 0xc5, 0xc6], to: &writer)
            writer.write(bytes)
        case .text(let bytes), .nativeString(let bytes):
            writeHead(bytes.count, short: (0xa0, 31), [0xd9, 0xda, 0xdb], to: &writer)
            writer.write(bytes)
        case .tuple(let elements), .list(let elements):
            writeHead(elements.count, short: (0x90, 15), [nil, 0xdc, 0xdd], to: &writer)
            for element in elements { write(element, to: &writer) }
        case .dict(let entries):
            writeHead(entries.count, short: (0x80, 15), [nil, 0xde, 0xdf], to: &writer)
            for entry in entries {
                write(entry.key, to: &writer)
                write(entry.value, to: &writer)
            }
        case .global(let module, let name): write(.string("\(module).\(name)"), to: &writer)
        case .instance(let instance): write(.tuple([instance.callable, instance.arguments]), to: &writer)
        }
    }

    /// A type byte with the count in it, or followed by the count in 8, 16 or 32 bits.
    private static func writeHead(
        _ count: Int, short: (code: UInt8, limit: Int)?, _ codes: [UInt8?], to writer: inout ByteWriter
    ) {
        if let short, count <= short.limit {
            writer.write(short.code | UInt8(truncatingIfNeeded: count))
        } else if let code = codes[0], let count = UInt8(exactly: count) {
            writer.write([code, count])
        } else if let code = codes[1], let count = UInt16(exactly: count) {
            writer.write(code)
            writer.write(count)
        } else {
            writer.write(codes[2] ?? 0)
            writer.write(UInt32(truncatingIfNeeded: count))
        }
    }

    private static func write(_ value: Int64, to writer: inout ByteWriter) {
        switch value {
        case 0...0x7f: writer.write(UInt8(value))
        case -32 ... -1: writer.write(Int8(value))
        case 0...0xff: writer.write([0xcc, UInt8(value)])
        case 0...0xffff:
            writer.write(0xcd as UInt8)
            writer.write(UInt16(value))
        case 0...0xffff_ffff:
            writer.write(0xce as UInt8)
            writer.write(UInt32(value))
        case 0...:
            writer.write(0xcf as UInt8)
            writer.write(UInt64(value))
        case (-0x80)...:
            writer.write(0xd0 as UInt8)
            writer.write(Int8(value))
        case (-0x8000)...:
            writer.write(0xd1 as UInt8)
            writer.write(Int16(value))
        case (-0x8000_0000)...:
            writer.write(0xd2 as UInt8)
            writer.write(Int32(value))
        default:
            writer.write(0xd3 as UInt8)
            writer.write(value)
        }
    }
}

/// Numbers, strings, names and instances, each as the Python generation of the style writes it.
extension PickleEncoder {
    mutating func append(_ value: Bool) {
        if style.protocolNumber >= 2 {
            write(value ? .newTrue : .newFalse)
        } else {
            write(.int, line: value ? "01" : "00")
        }
    }

    mutating func append(_ value: PickleInteger) throws(PickleValueError) {
        let small = value.int64
        // Python 2 has two types. What an `int` of 64 bits cannot hold is a `long` there.
        let isLong = style.isPython2 && value.isLong || small == nil
        if let small, !isLong, style.protocolNumber >= 1 {
            if let byte = UInt8(exactly: small) {
                write(.binInt1)
                return append(contentsOf: [byte])
            }
            if let word = UInt16(exactly: small) {
                write(.binInt2)
                return write(littleEndian: word)
            }
            if let word = Int32(exactly: small) {
                write(.binInt)
                return write(littleEndian: word)
            }
        }
        if let small, !isLong {
            // Python 3 has LONG for what 32 bits do not hold, Python 2 INT.
            if style.isPython2 { return write(.int, line: "\(small)") }
            if style.protocolNumber < 2, Int32(exactly: small) != nil { return write(.int, line: "\(small)") }
        }
        let bytes = value.twosComplement
        guard style.protocolNumber >= 2 else {
            // What follows are decimal digits, of which neither Python 3 nor our own parser reads any number.
            guard bytes.count <= Self.decimalLimit else {
                throw .unreadable(kind: "an integer of \(bytes.count) bytes", style)
            }
            return write(.long, line: "\(value)L")
        }
        if bytes.count < 256 {
            write(.long1)
            append(contentsOf: [UInt8(bytes.count)])
        } else {
            write(.long4)
            write(littleEndian: UInt32(clamping: bytes.count))
        }
        append(contentsOf: bytes)
    }

    /// Bytes of an integer that surely has no more than `PickleInteger.digitLimit` decimal digits.
    private static let decimalLimit = 1780

    mutating func append(_ value: Double) {
        guard style.protocolNumber > 0 else { return write(.float, line: PickleText.float(value)) }
        write(.binFloat)
        write(littleEndian: value.bitPattern.byteSwapped)
    }

    // MARK: Strings

    mutating func append(text utf8: [UInt8]) {
        if style.protocolNumber == 0 {
            write(.unicode)
            append(contentsOf: TextArgument.rawUnicodeEscaped(utf8))
            append(contentsOf: [UInt8(ascii: "\n")])
        } else if style.protocolNumber >= 4, !style.isPython2 {
            write(counted: utf8, .shortBinUnicode, .binUnicode, .binUnicode8)
        } else {
            write(counted: utf8, nil, .binUnicode, nil)
        }
    }

    mutating func append(nativeString string: [UInt8]) throws(PickleValueError) {
        guard style.isPython2 else { throw .unreadable(kind: "a Python 2 str", style) }
        if style.protocolNumber == 0 {
            write(.string, line: TextArgument.quotedString(string))
        } else {
            write(counted: string, .shortBinString, .binString, nil)
        }
    }

    mutating func append(bytes value: [UInt8]) throws(PickleValueError) {
        if style.protocolNumber >= 3 {
            write(counted: value, .shortBinBytes, .binBytes, .binBytes8)
        } else if style.isPython2 {
            throw .unreadable(kind: "bytes (zodbpickle.binary)", style)
        } else if value.isEmpty {
            try append(builtin: "bytes")
            try append(.tuple([]))
            write(.reduce)
        } else {
            try append(GlobalName(module: "_codecs", name: "encode"))
            try append(.tuple([.text(latin1: value), .text("latin1")]))
            write(.reduce)
        }
    }

    mutating func append(byteArray value: [UInt8]) throws(PickleValueError) {
        if style.protocolNumber >= 5 {
            write(.byteArray8)
            write(littleEndian: UInt64(value.count))
            return append(contentsOf: value)
        }
        try append(builtin: "bytearray")
        if style.isPython2 || style.protocolNumber < 3 {
            try append(.tuple(value.isEmpty && !style.isPython2 ? [] : [.text(latin1: value), encoding("latin-1")]))
        } else {
            try append(.tuple(value.isEmpty ? [] : [.bytes(value)]))
        }
        write(.reduce)
    }

    private func encoding(_ name: String) -> PickleValue { style.name(name) }

    // MARK: Names

    /// A name of Python's own module, which Python 3 calls `builtins`. Its pickles below protocol 3 still use the old name.
    mutating func append(builtin name: String) throws(PickleValueError) {
        try append(GlobalName(module: usesOldNames ? "__builtin__" : "builtins", name: name))
    }

    private var usesOldNames: Bool { style.protocolNumber < (style.isPython2 ? 4 : 3) }
    private var registry: String { usesOldNames ? "copy_reg" : "copyreg" }

    mutating func append(_ name: GlobalName) throws(PickleValueError) {
        let all = name.module.utf8.lazy.map { $0 } + name.name.utf8.lazy.map { $0 }
        // What Python 2 and the older protocols hold is ASCII; a line feed ends the line, wherever it stands.
        guard !name.module.isEmpty, !name.name.isEmpty,
            all.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && ($0 < 0x80 || !usesOldNames) })
        else { throw .invalidName(name) }
        if style.protocolNumber >= 4, !style.isPython2 {
            append(text: Array(name.module.utf8))
            append(text: Array(name.name.utf8))
            write(.stackGlobal)
        } else {
            write(.global, line: "\(name.module)\n\(name.name)")
        }
    }

    mutating func append(extensionCode code: Int) {
        if let byte = UInt8(exactly: code) {
            write(.extension1)
            append(contentsOf: [byte])
        } else if let word = UInt16(exactly: code) {
            write(.extension2)
            write(littleEndian: word)
        } else {
            write(.extension4)
            write(littleEndian: UInt32(truncatingIfNeeded: code))
        }
    }

    // MARK: Instances

    mutating func append(_ instance: PickleValue.Instance) throws(PickleValueError) {
        switch instance.kind {
        case .reduce:
            try append(instance.callable)
            try append(.tuple(instance.arguments))
            write(.reduce)
        case .newObject where style.protocolNumber >= 2:
            try append(instance.callable)
            try append(.tuple(instance.arguments))
            write(.newObject)
        case .newObject:
            // What Python itself falls back on where NEWOBJ does not exist.
            try append(GlobalName(module: registry, name: "__newobj__"))
            try append(.tuple([instance.callable] + instance.arguments))
            write(.reduce)
        case .newObjectEx where style.protocolNumber >= 4:
            try append(instance.callable)
            try append(.tuple(instance.arguments))
            try append(instance.keywords ?? .dict([]))
            write(.newObjectEx)
        case .newObjectEx:
            guard !style.isPython2 else { throw .unreadable(kind: "an instance with keyword arguments", style) }
            try append(GlobalName(module: registry, name: "__newobj_ex__"))
            try append(.tuple([instance.callable, .tuple(instance.arguments), instance.keywords ?? .dict([])]))
            write(.reduce)
        case .oldStyle:
            write(.mark)
            try append(instance.callable)
            for argument in instance.arguments { try append(argument) }
            write(.obj)
        }
        // In the order of Python's `save_reduce`.
        try append(items: instance.items, restOfOneIsSingle: true)
        try append(entries: instance.entries, isDict: false)
        for state in instance.states {
            try append(state)
            write(.build)
        }
    }
}

extension PickleValue {
    /// Text with one character for each byte: how Python keeps bytes where it has no opcode for them.
    static func text(latin1 bytes: [UInt8]) -> PickleValue {
        .text(bytes.flatMap { $0 < 0x80 ? [$0] : [0xc0 | $0 >> 6, 0x80 | $0 & 0x3f] })
    }
}

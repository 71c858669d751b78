extension PickleValue {
    /// The value as a path or a filter has it.
    ///
    /// A literal without a prefix is what the record's Python calls `str`, unless the value that it replaces is text or
    /// bytes of another kind and can stay so: `'x'` for `u'y'` in Python 2 is `u'x'`. `b'…'` is a `str` in Python 2, and
    /// `zodbpickle.binary` only where there was one.
    ///
    /// - Parameter old: what the slot holds that is to have the value.
    public init(_ literal: PythonLiteral, _ style: PickleStyle, replacing old: PickleNode? = nil) {
        switch literal {
        case .none: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .float(let value): self = .float(value)
        case .string(let bytes): self = Self.plainString(bytes, style, replacing: old)
        case .text(let bytes): self = .text(bytes)
        case .nativeString(let bytes): self = style.isPython2 ? .nativeString(bytes) : .text(bytes)
        case .bytes(let bytes):
            guard style.isPython2 else {
                self = .bytes(bytes)
                return
            }
            if case .bytes? = old { self = .bytes(bytes) } else { self = .nativeString(bytes) }
        case .tuple(let items):
            self = .tuple(items.map { PickleValue($0, style) })
        }
    }

    private static func plainString(_ utf8: [UInt8], _ style: PickleStyle, replacing old: PickleNode?) -> PickleValue {
        guard style.isPython2 else { return .text(utf8) }
        switch old {
        case .text?: return .text(utf8)
        case .bytes?: return .bytes(utf8)
        default: return .nativeString(utf8)
        }
    }

    /// The value as Python writes it, with the names and signs of `PickleText` for what Python has no literal for.
    ///
    /// - Parameter reference: how a persistent reference reads, given its persistent id.
    public func text(
        _ options: PickleText.Options = PickleText.Options(),
        reference: @escaping (PickleValue) -> String = { _ in "reference" }
    ) throws(PickleValueError) -> String {
        let document = try self.document()
        var printer = PickleText(document, options) { slot in
            (try? PickleValue(slot, in: document)).map(reference) ?? "reference"
        }
        return printer.text(document.roots[0])
    }
}

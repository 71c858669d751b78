/// Bytes from a file or a socket do not have the form their format promises.
public struct FormatError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The bytes end before the field does.
        case truncated(needed: Int, available: Int)
        /// A field holds a value its format does not allow: what the field is, and what was found there.
        case invalid(field: String, found: String)
    }

    public let reason: Reason
    /// Where, in bytes from the start of what was read (a record, a frame, a file: the thrower says which).
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// The same error, `base` bytes further on: for a reader of a part, speaking of the whole.
    public func moved(by base: Int) -> FormatError { FormatError(reason, at: offset + base) }
}

extension FormatError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .truncated(let needed, let available):
            "needs \(needed) bytes at offset \(offset), has \(available)"
        case .invalid(let field, let found):
            "invalid \(field) at offset \(offset): \(found)"
        }
    }
}

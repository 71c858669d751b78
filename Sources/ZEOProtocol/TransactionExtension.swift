internal import ByteCoding
public import ZODB

extension WireValue {
    /// A transaction's extension as servers take it: the dict itself, not its pickle.
    ///
    /// Keys are text or bytes, as msgpack asks; values are plain ones. A Python 2 string becomes text where it is UTF-8:
    /// a server on Python 3 could not read it as it is.
    /// - Parameter pickle: a pickled dict, or empty for none.
    /// - Throws: `corrupt` when it is no pickle, `unsupported` when it is not such a dict.
    public static func transactionExtension(_ pickle: [UInt8]) throws(StorageError) -> WireValue {
        if pickle.isEmpty { return .dict([]) }
        let value: WireValue
        do throws(FormatError) {
            value = try PickleReader.value(of: pickle)
        } catch {
            throw .corrupt("the extension of the transaction to be made", error)
        }
        guard case .dict = value else {
            throw .unsupported("the extension of a transaction has to be a dict; it is \(value)")
        }
        return try value.plain()
    }

    func plain() throws(StorageError) -> WireValue {
        switch self {
        case .none, .bool, .integer, .float, .bytes: return self
        case .nativeString(let bytes):
            return String(validating: bytes, as: UTF8.self) == nil ? .bytes(bytes) : .text(bytes)
        case .text(let bytes):
            guard String(validating: bytes, as: UTF8.self) != nil else { break }
            return self
        case .tuple(let elements): return .tuple(try Self.plain(elements))
        case .list(let elements): return .list(try Self.plain(elements))
        case .dict(let entries):
            var plain: [Entry] = []
            for entry in entries {
                let key = try entry.key.plain()
                guard key.rawBytes != nil else { throw .unsupported(Self.refused(key, "as a key")) }
                plain.append(Entry(key, try entry.value.plain()))
            }
            return .dict(plain)
        case .bigInteger, .global, .instance: break
        }
        throw .unsupported(Self.refused(self, ""))
    }

    private static func plain(_ elements: [WireValue]) throws(StorageError) -> [WireValue] {
        var plain: [WireValue] = []
        for element in elements { plain.append(try element.plain()) }
        return plain
    }

    private static func refused(_ value: WireValue, _ place: String) -> String {
        "a server cannot be given \(value) \(place.isEmpty ? "" : place + " ")in a transaction's extension"
    }
}

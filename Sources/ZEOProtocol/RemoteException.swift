public import ZODB

/// A Python exception as generation 5 sends it: the class's name, and either its arguments (a tuple) or, when the
/// instance has attributes, those (a dict).
public struct RemoteException: Error, Hashable, Sendable {
    /// `ZODB.POSException.POSKeyError`, `builtins.ValueError`; from Python 2 `exceptions.ValueError`.
    public let className: String
    public let details: WireValue

    /// - Throws: `MalformedReply` when `value` is not such a pair.
    init(_ value: WireValue) throws(MalformedReply) {
        guard let parts = value.elements, parts.count == 2, let className = parts[0].name else {
            throw MalformedReply(method: "an exception", value: value)
        }
        self.className = className
        details = parts[1]
    }

    /// The class's name without its module: Python 2 and 3 call the built-in ones' module differently.
    public var shortName: String { String(className.split(separator: ".").last ?? "") }

    /// What the exception says, as text for people.
    public var message: String {
        let told = details["message"] ?? details["_reason"] ?? details["reason"]
        if let text = told?.rawBytes ?? singleArgument?.rawBytes {
            return WireValue.escaped(text, keepingText: true)
        }
        if case .tuple([]) = details { return "" }
        return (told ?? singleArgument ?? details).description
    }

    private var singleArgument: WireValue? {
        guard let arguments = details.elements, arguments.count == 1 else { return nil }
        return arguments[0]
    }

    /// The case that this exception is to us.
    public var storageError: StorageError {
        let arguments = details.elements ?? []
        switch shortName {
        case "POSKeyError":
            if let oid = singleArgument.flatMap({ ObjectID($0) }) { return .noSuchObject(oid) }
            // Blob storages raise it with the path of the missing file: ("No blob file at …", oid, serial).
            if arguments.count == 3, let text = arguments[0].rawBytes, let oid = ObjectID(arguments[1]),
                let serial = TransactionID(arguments[2])
            {
                return .noBlob(oid, serial: serial, WireValue.escaped(text, keepingText: true))
            }
        default: break
        }
        return .remote(className: className, message: message)
    }
}

public import ZODB

/// A Python exception: the class's name, and either its arguments (a tuple) or, when the instance has attributes, those
/// (a dict). So generation 5 sends it; older generations send a pickled class and instance.
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

    /// An exception as generations up to 4 send it: a pair of the class and the instance, up to 303 on newer Pythons a pair
    /// with such a pair in it. The instance is `_recon(class, attributes)`, or made of the class and its arguments.
    ///
    /// nil when the value is no such pair; an ordinary result never begins with a class.
    init?(pair value: WireValue) {
        guard let parts = value.elements, parts.count == 2, case .global(let module, let name) = parts[0] else {
            return nil
        }
        if let inner = RemoteException(pair: parts[1]) {
            self = inner
            return
        }
        self.init(instance: parts[1], of: "\(module).\(name)")
    }

    /// An exception by itself, as `serialnos` holds it; nil when the value is no instance.
    init?(instance value: WireValue) {
        if let pair = RemoteException(pair: value) {
            self = pair
            return
        }
        guard case .instance(let instance) = value else { return nil }
        switch instance.callable {
        case .global(_, name: "_recon"):
            guard case .global(let module, let name)? = instance.arguments.elements?.first else { return nil }
            self.init(instance: value, of: "\(module).\(name)")
        case .global(let module, let name): self.init(instance: value, of: "\(module).\(name)")
        default: return nil
        }
    }

    private init(instance value: WireValue, of className: String) {
        self.className = className
        guard case .instance(let instance) = value else {
            details = .tuple([])
            return
        }
        if case .global(_, name: "_recon") = instance.callable {
            details = Self.told(instance.arguments.elements?.last ?? .none)
        } else if let state = instance.state, case .dict(let entries) = state, !entries.isEmpty {
            details = Self.told(state)
        } else {
            details = instance.arguments
        }
    }

    /// Attributes, or where there are none beside them the arguments.
    private static func told(_ state: WireValue) -> WireValue {
        guard case .dict(let entries) = state else { return .tuple([]) }
        // ZODB 3.8 has every exception's arguments again as its message.
        let own = entries.filter { $0.key.name != "args" && $0.key.name != "message" }
        if own.isEmpty, let arguments = state["args"], arguments.elements?.isEmpty == false { return arguments }
        return own.isEmpty && state["message"]?.rawBytes?.isEmpty != false ? .tuple([]) : state
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
        case "ConflictError", "ReadConflictError", "BTreesConflictError":
            // In full only when a storage raised it about one object. As arguments: (message, object, oid, serials).
            let isMade = arguments.count == 4
            if let oid = (details["oid"] ?? (isMade ? arguments[2] : nil)).flatMap({ ObjectID($0) }),
                let serials = (details["serials"] ?? (isMade ? arguments[3] : nil))?.elements, serials.count == 2,
                let committed = TransactionID(serials[0]), let read = TransactionID(serials[1])
            {
                return .conflict(oid, committed: committed, read: read)
            }
        case "ReadOnlyError": return .readOnly("the server")
        case "UndoError", "MultipleUndoErrors": return .undoFailed(.none, undoObstacles)
        case "VersionLockError":
            let version = arguments.count == 2 ? arguments[1].name : nil
            let name = version.map { " '\(WireValue.escaped(Array($0.utf8), keepingText: true))'" } ?? ""
            let object = arguments.first.flatMap { ObjectID($0) }.map { "object \($0)" } ?? "an object"
            return .wrongState(
                "\(object) is being changed in the version\(name) of this old database: nobody else can change it until"
                    + " that version is committed or aborted in Zope")
        case "StorageTransactionError":
            return .wrongState("the server does not expect this in a transaction (\(details.description))")
        default: break
        }
        return .remote(className: className, message: message)
    }

    /// What kept a transaction from being undone. `MultipleUndoErrors` has a list of pairs, an oid and an `UndoError`
    /// each; that is an instance in a pickle, and in msgpack again a pair of class and attributes.
    private var undoObstacles: [UndoObstacle] {
        if let pairs = details["_errs"]?.elements, !pairs.isEmpty {
            return pairs.map { pair in
                let parts = pair.elements ?? []
                let reason = parts.count == 2 ? Self.undoReason(parts[1]) : nil
                return UndoObstacle(
                    oid: parts.first.flatMap { ObjectID($0) }, reason: reason ?? "the server does not say why")
            }
        }
        let arguments = details.elements ?? []
        let reason = details["_reason"] ?? arguments.first
        let oid = details["_oid"] ?? arguments.dropFirst().first
        return [
            UndoObstacle(
                oid: oid.flatMap { ObjectID($0) },
                reason: reason?.rawBytes.map { WireValue.escaped($0, keepingText: true) } ?? message)
        ]
    }

    private static func undoReason(_ error: WireValue) -> String? {
        // As zeoserver writes it.
        if let text = error.rawBytes { return WireValue.escaped(text, keepingText: true) }
        let state: WireValue?
        switch error {
        case .instance(let instance):
            // `_recon(class, attributes)`, or a class with arguments and then attributes.
            state = instance.state ?? instance.arguments.elements?.last
        default: state = error.elements?.last
        }
        let told = state?["_reason"] ?? state?.elements?.first
        return (told ?? state)?.rawBytes.map { WireValue.escaped($0, keepingText: true) }
    }
}

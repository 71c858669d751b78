public import ZODB

/// An exception as a Python client expects it from a server: a class, its arguments, and what is set on the instance.
///
/// Clients rebuild only classes that they know; any other becomes a `ServerException` with the same text. The classes
/// here are known to every client since ZODB 3.2, so a pickle that names one can always be read.
///
/// Source: `ZODB/POSException.py` of ZODB 3.7 to 6, and replies of real servers of these ages.
public struct PythonException: Error, Hashable, Sendable {
    public var module: String
    public var name: String
    public var arguments: [WireValue]
    /// In the order in which they are sent; empty for exceptions that have arguments only.
    public var attributes: [WireValue.Entry]
    /// What clients of generation 5 are sent in its place, since they rebuild that and not this.
    var rebuilt: Rebuilt?

    struct Rebuilt: Hashable, Sendable {
        var name: String
        var attributes: [WireValue.Entry]
    }

    /// What the class takes in clients up to 303, where that is something else than `arguments`.
    public var oldArguments: [WireValue]?

    static let positionException = "ZODB.POSException"

    init(_ module: String, _ name: String, _ arguments: [WireValue] = []) {
        self.module = module
        self.name = name
        self.arguments = arguments
        attributes = []
    }

    static func position(_ name: String, _ arguments: [WireValue] = []) -> PythonException {
        PythonException(positionException, name, arguments)
    }

    /// An exception of Python's own, which lives in another module in Python 2.
    static func builtin(_ name: String, _ arguments: [WireValue] = []) -> PythonException {
        PythonException("builtins", name, arguments)
    }
}

extension PythonException {
    public static func typeError(_ text: String) -> PythonException { .builtin("TypeError", [.string(text)]) }
    public static func valueError(_ text: String) -> PythonException { .builtin("ValueError", [.string(text)]) }
    /// What Python's servers raise for an iterator that is not there.
    public static func keyError(_ value: WireValue) -> PythonException { .builtin("KeyError", [value]) }
    public static func lookupError(_ text: String) -> PythonException { .builtin("LookupError", [.string(text)]) }
    /// What a FileStorage says of itself.
    public static func fileStorage(_ text: String) -> PythonException {
        PythonException("ZODB.FileStorage.FileStorage", "FileStorageError", [.string(text)])
    }
    public static var readOnly: PythonException { .position("ReadOnlyError") }
    /// Only a login lets a client in.
    public static var notAuthenticated: PythonException {
        .authentication("Client was never authenticated with server!")
    }

    public static func authentication(_ text: String) -> PythonException {
        PythonException("ZEO.Exceptions", "AuthError", [.string(text)])
    }

    /// The transaction is not the one under way.
    public static func transactionMismatch(current: WireValue?, asked: WireValue) -> PythonException {
        .position("StorageTransactionError", [current ?? .none, asked])
    }

    /// A second vote, or a second transaction.
    public static func transactionError(_ text: String) -> PythonException {
        .position("StorageTransactionError", [.string(text)])
    }

    public static func notImplemented(_ text: String) -> PythonException {
        .builtin("NotImplementedError", text.isEmpty ? [] : [.string(text)])
    }

    /// Somebody may not do this; ZEO has no exception of its own for that.
    public static func forbidden(_ text: String) -> PythonException {
        .position("StorageError", [.string(text)])
    }

    public static func undo(_ obstacles: [UndoObstacle]) -> PythonException {
        let pairs = obstacles.map { obstacle in
            WireValue.tuple([obstacle.oid.map { .bytes($0.bytes) } ?? .none, .string(obstacle.reason)])
        }
        let reason = obstacles.map { obstacle in
            obstacles.count == 1 ? obstacle.reason : (obstacle.oid.map { "\($0): " } ?? "") + obstacle.reason
        }.joined(separator: "; ")
        var exception = PythonException.position(
            "UndoError", [.string(reason), obstacles.first?.oid.map { .bytes($0.bytes) } ?? .none])
        exception.rebuilt = Rebuilt(name: "MultipleUndoErrors", attributes: [.init(.string("_errs"), .list(pairs))])
        return exception
    }

    /// - Parameter isRead: the object was only read, and had to stay as it was.
    public static func conflict(
        _ oid: ObjectID, committed: TransactionID, read: TransactionID, className: String?, isRead: Bool
    ) -> PythonException {
        let message = isRead ? "database read conflict error" : "database conflict error"
        let serials = WireValue.tuple([.bytes(committed.bytes), .bytes(read.bytes)])
        var exception = PythonException.position(isRead ? "ReadConflictError" : "ConflictError")
        exception.attributes = [
            .init(.string("message"), .string(message)), .init(.string("oid"), .bytes(oid.bytes)),
            .init(.string("serials"), serials), .init(.string("class_name"), className.map { .string($0) } ?? .none),
        ]
        exception.oldArguments =
            isRead ? [.string(message), .none, serials] : [.string(message), .none, .bytes(oid.bytes), serials]
        return exception
    }

    /// What a storage's error is to a client.
    public init(_ error: StorageError) {
        switch error {
        case .noSuchObject(let oid), .noRevision(let oid, at: _): self = .position("POSKeyError", [.bytes(oid.bytes)])
        case .noBlob(let oid, let serial, _):
            // Python adds the path of the file, which is nobody's business over there.
            self = .position("POSKeyError", [.string("No blob file"), .bytes(oid.bytes), .bytes(serial.bytes)])
        case .readOnly: self = .readOnly
        case .conflict(let oid, let committed, let read):
            self = .conflict(oid, committed: committed, read: read, className: nil, isRead: false)
        case .undoFailed(_, let obstacles): self = .undo(obstacles)
        case .noSuchTransaction: self = .undo([UndoObstacle(oid: nil, reason: "Invalid transaction id")])
        case .wrongState(let text): self = .transactionError(text)
        case .unsupported(let text): self = .position("Unsupported", [.string(text)])
        case .corrupt, .io: self = .position("StorageSystemError", [.string(error.description)])
        case .connection, .locked, .interrupted, .remote:
            self = .position("StorageError", [.string(error.description)])
        }
    }

    public var className: String { "\(module).\(name)" }

    /// For the log: `ZODB.POSException.ConflictError {…}`.
    public var text: String {
        "\(className) \(attributes.isEmpty ? WireValue.tuple(arguments) : .dict(attributes))"
    }
}

// MARK: On the wire

extension PythonException {
    /// The value of a reply that holds the exception; from generation 5 on it also has a flag.
    func value(in generation: Generation, for reader: PythonGeneration) -> WireValue {
        if generation.flagsExceptions {
            if let rebuilt {
                return .tuple([.string("\(module).\(rebuilt.name)"), .dict(rebuilt.attributes)])
            }
            return .tuple([.string(className), attributes.isEmpty ? .tuple(arguments) : .dict(attributes)])
        }
        return .tuple([`class`(for: reader), instance(in: generation, for: reader)])
    }

    private func `class`(for reader: PythonGeneration) -> WireValue {
        .global(module: module == "builtins" && reader == .python2 ? "exceptions" : module, name: name)
    }

    /// The instance as a pickle makes it: what clients before generation 5 raise.
    func instance(in generation: Generation, for reader: PythonGeneration) -> WireValue {
        let type = `class`(for: reader)
        guard module == Self.positionException, generation >= .v308 else {
            let arguments = generation < .v308 ? oldArguments ?? arguments : arguments
            return .instance(.init(callable: type, arguments: .tuple(arguments)))
        }
        let state = attributes + [.init(.string("args"), .tuple(arguments))]
        return .instance(
            .init(
                callable: .global(module: Self.positionException, name: "_recon"),
                arguments: .tuple([type, .dict(state)])))
    }
}

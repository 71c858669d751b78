internal import ZODB

extension ServerCall {
    /// The call that a message of a client of `generation` makes.
    public init(_ message: Message, _ generation: Generation) throws(CallError) {
        let arguments = Arguments(message, generation)
        if let call = try Self.connectionCall(arguments) {
            self = call
        } else if let call = try Self.readingCall(arguments) {
            self = call
        } else if let call = try Self.writingCall(arguments) {
            self = call
        } else if let call = try Self.oldCall(arguments) {
            self = call
        } else {
            throw .unknownMethod(message.name)
        }
    }

    private static func connectionCall(_ arguments: Arguments) throws(CallError) -> ServerCall? {
        let generation = arguments.generation
        switch arguments.method {
        case "register":
            // ZEO 5.0 to 5.4 clients with credentials add them; nobody reads them.
            try arguments.expect(1...3, "(storage, read_only)")
            return .register(storage: try arguments.name(0), readOnly: try arguments.optional(1)?.isTrue ?? false)
        case "get_info": return .getInfo
        case "get_size_info" where generation <= .v4: return .getSizeInfo
        case "getExtensionMethods" where generation.hasAuthentication: return .getExtensionMethods
        case "getAuthProtocol" where generation.hasAuthentication: return .getAuthProtocol
        case "auth_get_challenge" where generation.hasAuthentication: return .getChallenge
        case "auth_response" where generation.hasAuthentication:
            try arguments.expect(1...1, "((user, challenge, response),)")
            guard let parts = arguments.values[0].elements, parts.count == 3, let user = parts[0].rawBytes,
                let challenge = parts[1].rawBytes, let response = parts[2].rawBytes
            else { throw arguments.refused("((user, challenge, response),)") }
            return .answerChallenge(user: user, challenge: challenge, response: response)
        case "ping" where generation.hasPing: return .ping
        case "server_status" where generation.hasServerStatus: return .serverStatus
        case OwnStatus.method: return .ownStatus
        case "set_client_label" where generation.hasClientLabel:
            try arguments.expect(1...1, "(label)")
            return .setClientLabel(try arguments.name(0))
        case "lastTransaction" where generation.hasLastTransaction: return .lastTransaction
        case "new_oids":
            try arguments.expect(0...1, "(n=100)")
            return .newObjectIDs(arguments.values.isEmpty ? 100 : try arguments.integer(0))
        case "getInvalidations" where generation.hasLastTransaction:
            try arguments.expect(1...1, "(tid)")
            return .getInvalidations(since: try arguments.tid(0))
        default: return nil
        }
    }

    private static func readingCall(_ arguments: Arguments) throws(CallError) -> ServerCall? {
        let generation = arguments.generation
        switch arguments.method {
        case "loadBefore" where generation.hasLoadBefore:
            try arguments.expect(2...2, "(oid, tid)")
            return .loadBefore(try arguments.oid(0), try arguments.tid(1))
        case "zeoLoad" where generation <= .v308:
            try arguments.expect(1...1, "(oid)")
            return .loadCurrent(try arguments.oid(0), .zeoLoad)
        case "load" where generation <= .v4:
            try arguments.expect(1...2, "(oid, version='')")
            return .loadCurrent(try arguments.oid(0), .load)
        case "loadEx" where generation.hasLoadBefore && generation <= .v4:
            try arguments.expect(1...2, "(oid, version='')")
            return .loadCurrent(try arguments.oid(0), .loadEx)
        case "loadSerial":
            try arguments.expect(2...2, "(oid, serial)")
            return .loadSerial(try arguments.oid(0), try arguments.tid(1))
        case "getTid" where generation.hasBlobs, "getSerial" where generation <= .v303:
            try arguments.expect(1...1, "(oid)")
            return .serialOfCurrent(try arguments.oid(0))
        case "history":
            let size = generation.hasVersionArguments ? 2 : 1
            try arguments.expect(1...(size + 1), generation.hasVersionArguments ? "(oid, version, n)" : "(oid, n)")
            // None is no object, which is what Python says of it, too, whatever the number.
            if arguments.values[0].isNone { return .history(ObjectID(rawValue: .max), limit: 1) }
            let limit = arguments.values.count > size ? try arguments.integer(size) : 1
            return .history(try arguments.oid(0), limit: limit)
        case "record_iternext" where generation.hasRecordIteration:
            try arguments.expect(0...1, "(oid)")
            return .recordNext(try arguments.optional(0) == nil ? nil : try arguments.oid(0))
        case "undoInfo", "undoLog":
            try arguments.expect(2...3, "(first, last, filter=None)")
            return .undoInfo(
                first: try arguments.integer(0), last: try arguments.integer(1),
                filter: try arguments.optional(2) ?? .none)
        case "iterator_start" where generation.hasTransactionIteration:
            try arguments.expect(0...2, "(start, stop)")
            return .iteratorStart(
                first: try arguments.optional(0) == nil ? nil : try arguments.tid(0),
                last: try arguments.optional(1) == nil ? nil : try arguments.tid(1))
        case "iterator_next" where generation.hasTransactionIteration:
            try arguments.expect(1...1, "(id)")
            return .iteratorNext(try arguments.integer(0))
        case "iterator_record_start" where generation.hasTransactionIteration:
            try arguments.expect(2...2, "(id, tid)")
            return .iteratorRecordStart(try arguments.integer(0), try arguments.tid(1))
        case "iterator_record_next" where generation.hasTransactionIteration:
            try arguments.expect(1...1, "(id)")
            return .iteratorRecordNext(try arguments.integer(0))
        case "iterator_gc" where generation.hasTransactionIteration:
            try arguments.expect(1...1, "(ids)")
            return .iteratorRelease((arguments.values[0].elements ?? []).compactMap(\.integer))
        case "sendBlob" where generation.hasBlobs:
            try arguments.expect(2...2, "(oid, serial)")
            return .sendBlob(try arguments.oid(0), try arguments.tid(1))
        default: return nil
        }
    }

    private static func writingCall(_ arguments: Arguments) throws(CallError) -> ServerCall? {
        let generation = arguments.generation
        // Up to 308 the name of a version stands before the transaction.
        let version = generation.hasVersionArguments ? 1 : 0
        switch arguments.method {
        case "tpc_begin":
            try arguments.expect(4...6, "(id, user, description, extension, tid, status)")
            return .begin(arguments.values[0], try arguments.description())
        case "storea":
            try arguments.expect((4 + version)...(4 + version), "(oid, serial, data, id)")
            return .store(
                try arguments.oid(0), serial: try arguments.serial(1), data: try arguments.bytes(2),
                in: arguments.values[3 + version])
        case "restorea" where !generation.hasVersionArguments:
            try arguments.expect(5...5, "(oid, serial, data, previous, id)")
            return .restore(
                try arguments.oid(0), serial: try arguments.serial(1),
                data: try arguments.optional(2) == nil ? nil : try arguments.bytes(2),
                from: try arguments.optional(3) == nil ? nil : try arguments.tid(3), in: arguments.values[4])
        case "deleteObject" where !generation.hasVersionArguments:
            try arguments.expect(3...3, "(oid, serial, id)")
            return .delete(try arguments.oid(0), serial: try arguments.serial(1), in: arguments.values[2])
        case "checkCurrentSerialInTransaction" where generation.hasReadChecks:
            try arguments.expect(3...3, "(oid, serial, id)")
            return .requireCurrent(try arguments.oid(0), serial: try arguments.serial(1), in: arguments.values[2])
        case "storeBlobStart" where generation.hasBlobs: return .storeBlobStart
        case "storeBlobChunk" where generation.hasBlobs:
            try arguments.expect(1...1, "(bytes)")
            return .storeBlobChunk(try arguments.bytes(0))
        case "storeBlobEnd" where generation.hasBlobs:
            try arguments.expect((4 + version)...(4 + version), "(oid, serial, data, id)")
            return .storeBlobEnd(
                try arguments.oid(0), serial: try arguments.serial(1), data: try arguments.bytes(2),
                in: arguments.values[3 + version])
        case "storeBlobShared" where generation.hasBlobs:
            try arguments.expect((5 + version)...(5 + version), "(oid, serial, data, filename, id)")
            return .storeBlobShared(
                try arguments.oid(0), serial: try arguments.serial(1), data: try arguments.bytes(2),
                fileName: try arguments.bytes(3), in: arguments.values[4 + version])
        case "undoa" where generation.undo == .undoAtVote:
            try arguments.expect(2...2, "(undo id, id)")
            return .undoAtVote(try arguments.undoID(0), in: arguments.values[1])
        case "undo" where generation.undo == .undo,
            "transactionalUndo" where generation.undo == .transactionalUndo:
            try arguments.expect(2...2, "(undo id, id)")
            return .undoNow(try arguments.undoID(0), in: arguments.values[1])
        case "vote", "tpc_finish", "tpc_abort":
            try arguments.expect(1...1, "(id)")
            let id = arguments.values[0]
            return arguments.method == "vote" ? .vote(id) : arguments.method == "tpc_finish" ? .finish(id) : .abort(id)
        case "pack":
            try arguments.expect(1...2, "(time, wait=True)")
            guard let time = arguments.values[0].number else { throw arguments.refused("(time, wait=True)") }
            return .pack(time: time, waits: try arguments.optional(1)?.isTrue ?? (arguments.values.count == 1))
        default: return nil
        }
    }

    private static func oldCall(_ arguments: Arguments) throws(CallError) -> ServerCall? {
        let generation = arguments.generation
        guard generation <= .v4 else { return nil }
        switch arguments.method {
        case "verify" where generation.hasLoadBefore:
            let last = generation.hasVersionArguments ? 2 : 1
            try arguments.expect((last + 1)...(last + 1), "(oid, tid)")
            return .verify(try arguments.oid(0), try arguments.serial(last))
        case "zeoVerify":
            try arguments.expect(2...3, "(oid, serial)")
            return .verify(try arguments.oid(0), try arguments.serial(1))
        case "endZeoVerify": return .endVerification
        case "versionEmpty" where generation.hasVersionArguments: return .versionEmpty
        case "versions" where generation.hasVersionArguments: return .versions
        case "modifiedInVersion" where generation.hasVersionArguments: return .modifiedInVersion
        case "abortVersion" where generation.hasVersionArguments: return .versionChange("abortVersion")
        case "commitVersion" where generation.hasVersionArguments: return .versionChange("commitVersion")
        default: return nil
        }
    }
}

/// The positional arguments of one call.
private struct Arguments {
    let method: String
    let values: [WireValue]
    let generation: Generation

    init(_ message: Message, _ generation: Generation) {
        method = message.name
        values = message.arguments.elements ?? []
        self.generation = generation
    }

    func refused(_ expected: String) -> CallError {
        .badArguments(method: method, expected: expected, found: WireValue.tuple(values).description)
    }

    func expect(_ counts: ClosedRange<Int>, _ form: String) throws(CallError) {
        guard counts.contains(values.count) else { throw refused(form) }
    }

    /// nil when it is missing, or None.
    func optional(_ index: Int) throws(CallError) -> WireValue? {
        guard index < values.count, !values[index].isNone else { return nil }
        return values[index]
    }

    func bytes(_ index: Int) throws(CallError) -> [UInt8] {
        guard let bytes = values[index].rawBytes else { throw refused("(… bytes as argument \(index + 1) …)") }
        return bytes
    }

    func name(_ index: Int) throws(CallError) -> String { String(decoding: try bytes(index), as: UTF8.self) }

    func integer(_ index: Int) throws(CallError) -> Int {
        guard let integer = values[index].integer else {
            throw refused("(… an integer as argument \(index + 1) …)")
        }
        return integer
    }

    func oid(_ index: Int) throws(CallError) -> ObjectID {
        guard let oid = ObjectID(values[index]) else { throw refused("(… an oid as argument \(index + 1) …)") }
        return oid
    }

    func tid(_ index: Int) throws(CallError) -> TransactionID {
        guard let tid = TransactionID(values[index]) else { throw refused("(… a tid as argument \(index + 1) …)") }
        return tid
    }

    /// Old clients have None, or an empty string, for the serial of an object that is new.
    func serial(_ index: Int) throws(CallError) -> TransactionID {
        if values[index].isNone || values[index].rawBytes == [] { return .none }
        return try tid(index)
    }

    /// The base64 of a tid. That of other storages may be something else, which here names no transaction.
    func undoID(_ index: Int) throws(CallError) -> TransactionID {
        Base64.bytes(try bytes(index)).flatMap { TransactionID(bytes: $0) } ?? .none
    }

    func description() throws(CallError) -> TransactionDescription {
        if case .dict = values[3] { return try description(with: values[3]) }
        if values[3].isNone || values[3].rawBytes == [] { return try description(with: .dict([])) }
        guard let dict = calledDict(values[3]) else { throw refused("(… a dict as argument 4 …)") }
        return try description(with: dict)
    }

    /// `dict(pairs)`, as which Python pickles some mappings.
    private func calledDict(_ value: WireValue) -> WireValue? {
        guard case .instance(let instance) = value, instance.state == nil, instance.contents.isEmpty,
            instance.callable == .global(module: "builtins", name: "dict")
                || instance.callable == .global(module: "__builtin__", name: "dict"),
            let arguments = instance.arguments.elements, arguments.count <= 1
        else { return nil }
        guard let argument = arguments.first else { return .dict([]) }
        if case .dict = argument { return argument }
        var entries: [WireValue.Entry] = []
        for pair in argument.elements ?? [.none] {
            guard let parts = pair.elements, parts.count == 2 else { return nil }
            entries.append(.init(parts[0], parts[1]))
        }
        return .dict(entries)
    }

    private func description(with extension: WireValue) throws(CallError) -> TransactionDescription {
        TransactionDescription(
            user: try bytes(1), description: try bytes(2), extension: `extension`,
            tid: try optional(4) == nil ? nil : try tid(4),
            status: try optional(5)?.rawBytes?.first ?? UInt8(ascii: " "))
    }
}

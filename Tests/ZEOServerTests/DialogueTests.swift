import Foundation
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer
import ZODB
import ZODBFile

/// Captured clients talk to our server: it has to say what the servers of their time said.
///
/// What may differ, and why:
/// - the greeting: we announce the newest dialect to everybody, clients answer with their own;
/// - times, sizes, numbers of objects and names of storages; interfaces, extension methods and whether Versions and undo
///   are supported: what a server can do is its own affair;
/// - tids: each recorded one stands for one of ours, the same one wherever it occurs;
/// - in Python 2, which string opcode: clients take both; True and 1, False and 0;
/// - entries of `serialnos` and of dicts: in any order;
/// - `info`, and invalidations of transactions with new objects alone: generations up to 4 got none, ours get them;
///   clients skip what they do not know;
/// - errors of undo: one `UndoError` with all reasons in place of `MultipleUndoErrors`, which ZODB 3.7 cannot rebuild;
///   the texts of errors; up to 303 the instance alone in place of a pair of class and instance, which those clients
///   lose the arguments of; attributes `data` and `args` of conflicts, which nobody reads;
/// - an undo of generations up to 309 and the vote after it: ours says which objects to load again, they said nothing;
///   version names in invalidations after an undo: empty in place of None.
@Suite("Captured clients at our server")
struct DialogueTests {
    @Test("what the real server answered, ours answers", arguments: Transcript.names)
    func dialogue(name: String) throws {
        let transcript = try Transcript(name)
        let folder = try TemporaryFolder()
        let storage = try folder.dataFile(name.hasSuffix("py27") ? .python2 : .python3)
        try storage.commit([(.root, try rootRecord(of: transcript))], description: "initial database creation")
        let running = try RunningServer(storage)
        var player = Player(transcript, port: running.port)
        try player.play()
        #expect(player.compared > 25)
        // Nobody was cut off, and nothing is left to be said but what those servers never said.
        try player.finish()
    }

    private func rootRecord(of transcript: Transcript) throws -> [UInt8] {
        var calls: Set<String> = []
        for line in transcript.lines where !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            let key = line.connection + message.id.description
            if !line.fromServer, message.name.lowercased().contains("load"),
                message.arguments.elements?.first?.rawBytes == ObjectID.root.bytes
            {
                calls.insert(key)
            } else if line.fromServer, message.isReply, calls.contains(key),
                let data = message.arguments.elements?.first?.rawBytes
            {
                return data
            }
        }
        throw RawClient.Failure.closed
    }
}

/// Says the client's lines and compares the server's.
struct Player {
    private let transcript: Transcript
    private let port: Int
    private var clients: [String: RawClient] = [:]
    private var dialects: [String: Dialect] = [:]
    /// Our tid for each recorded one.
    private var tids: [[UInt8]: [UInt8]] = [:]
    /// Calls whose answers were not kept whole.
    private var unrecorded: Set<String> = []
    private(set) var compared = 0

    init(_ transcript: Transcript, port: Int) {
        self.transcript = transcript
        self.port = port
    }

    private var lines: [Transcript.Line] { transcript.lines }

    mutating func play() throws {
        var answered: Set<String> = []
        for line in lines where line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: transcript.encoding)
            if message.isReply { answered.insert(line.connection + message.id.description) }
        }
        for line in lines {
            try prepare(for: line)
            if clients[line.connection] == nil { clients[line.connection] = try RawClient(port: port) }
            if line.isHandshake {
                if line.fromServer {
                    _ = try clients[line.connection]?.receive()
                } else {
                    clients[line.connection]?.send(line.frame)
                    if case .speak(let dialect) = Handshake.request(line.body) { dialects[line.connection] = dialect }
                }
                continue
            }
            let message = try Message(line.body, encoding: transcript.encoding)
            if line.fromServer {
                try hear(message, line)
            } else {
                let key = line.connection + message.id.description
                if !message.isOneWay, !answered.contains(key) { unrecorded.insert(key) }
                say(message, line)
            }
        }
    }

    /// The commits of a Length were not kept in the captures, only the one that meets a conflict: it is based on the first.
    private mutating func prepare(for line: Transcript.Line) throws {
        guard line.section.contains("stale serial -> server resolves"), !line.fromServer,
            let message = try? Message(line.body, encoding: transcript.encoding), message.name == "storea",
            let parts = message.arguments.elements, let oid = parts[0].rawBytes.flatMap({ ObjectID(bytes: $0) }),
            let recorded = parts[1].rawBytes, tids[recorded] == nil
        else { return }
        let other = try ZEOClient(port: port)
        try other.register()
        let first = try other.commit(
            1, [(oid, .none, Records.length(5))], extension: [.init(.string("k"), .integer(1))])
        try other.commit(2, [(oid, first, Records.length(6))], extension: [.init(.string("k"), .integer(1))])
        tids[recorded] = first.bytes
        for (name, client) in clients {
            guard let dialect = dialects[name] else { continue }
            var told = 0
            while told < 2 {
                let message = try Message(try client.receive(), encoding: dialect.encoding)
                if message.name == "invalidateTransaction" { told += 1 }
            }
        }
    }

    /// Every connection that was used still answers.
    mutating func finish() throws {
        for (name, client) in clients {
            guard let dialect = dialects[name] else { continue }
            let id = WireValue.integer(1_000_000)
            let call = Message(
                id: id, name: dialect.generation <= .v200 ? "get_info" : "lastTransaction", arguments: .tuple([]))
            client.send(body: call.body(in: dialect.encoding, for: python(dialect)))
            while true {
                let message = try Message(try client.receive(), encoding: dialect.encoding)
                if message.isReply, message.id == id { break }
                #expect(isExtra(message, name), "\(name): \(message)")
            }
        }
    }

    private func python(_ dialect: Dialect) -> PythonGeneration {
        transcript.name.contains("-py2") && dialect.generation < .v5 ? .python2 : .python3
    }

    // MARK: The client's lines

    private mutating func say(_ message: Message, _ line: Transcript.Line) {
        let mapped = Message(
            id: map(message.id), isOneWay: message.isOneWay, name: message.name, arguments: map(message.arguments))
        guard mapped != message, let dialect = dialects[line.connection] else {
            clients[line.connection]?.send(line.frame)
            return
        }
        clients[line.connection]?.send(body: mapped.body(in: dialect.encoding, for: python(dialect)))
    }

    /// The value with our tids, and undo ids, in the place of the recorded ones.
    private func map(_ value: WireValue) -> WireValue {
        switch value {
        case .bytes(let bytes): .bytes(map(bytes))
        case .nativeString(let bytes): .nativeString(map(bytes))
        case .text(let bytes): .text(map(bytes))
        case .tuple(let elements): .tuple(elements.map(map))
        case .list(let elements): .list(elements.map(map))
        case .dict(let entries): .dict(entries.map { .init(map($0.key), map($0.value)) })
        default: value
        }
    }

    private func map(_ bytes: [UInt8]) -> [UInt8] {
        if let tid = tids[bytes] { return tid }
        guard bytes.count == 12, let tid = Base64Text.bytes(bytes), let ours = tids[tid] else { return bytes }
        return Base64Text.text(of: ours)
    }

    // MARK: The server's lines

    private mutating func hear(_ recorded: Message, _ line: Transcript.Line) throws {
        guard let client = clients[line.connection] else { return }
        while true {
            let ours: Message
            do {
                ours = try Message(try client.receive(), encoding: transcript.encoding)
            } catch {
                Issue.record("\(line.section): \(line.connection) waits for \(line.value): \(error)")
                throw error
            }
            if ours.isReply != recorded.isReply || ours.name != recorded.name || !isSameCall(ours, recorded) {
                // The errors of an undo were not kept whole.
                if ours.name == "serialnos", line.section.contains("un-undoable") { continue }
                if isExtra(ours, line.connection) { continue }
                Issue.record("\(line.section): \(line.connection) has \(ours) where \(line.value) was")
                throw RawClient.Failure.closed
            }
            // An invalidation of new objects alone comes where those servers said nothing.
            if ours.name == "invalidateTransaction", isExtraInvalidation(ours, recorded) { continue }
            compared += 1
            // ZEO 2.2 forgot transactions of new objects alone, and so could not say what came after one; ours can.
            if line.section == "getInvalidations", recorded.arguments.isNone,
                dialects[line.connection]?.generation == .v201
            {
                return
            }
            #expect(ours.isException == recorded.isException, "\(line.value)")
            #expect(ours.isOneWay == recorded.isOneWay)
            var difference = Difference(
                isPython3: !transcript.name.contains("-py2"),
                isOldUndo: line.section.lowercased().contains("undo")
                    && dialects[line.connection].map { $0.generation <= .v309 } ?? false,
                isBefore308: dialects[line.connection].map { $0.generation < .v308 } ?? false, tids: tids)
            difference.compare(recorded.arguments, ours.arguments, recorded.name)
            tids = difference.tids
            #expect(difference.found.isEmpty, "\(line.section): \(line.connection) \(line.value) is \(ours.arguments)")
            return
        }
    }

    private func isSameCall(_ ours: Message, _ recorded: Message) -> Bool {
        !ours.isReply || ours.id == map(recorded.id)
    }

    private func isExtraInvalidation(_ ours: Message, _ recorded: Message) -> Bool {
        guard let dialect = dialects.values.first, dialect.generation <= .v4,
            let known = recorded.arguments.elements?.first?.rawBytes.flatMap({ tids[$0] }),
            let told = ours.arguments.elements?.first?.rawBytes
        else { return false }
        return known != told
    }

    /// A message that the recorded server did not send, and may be sent.
    private func isExtra(_ message: Message, _ connection: String) -> Bool {
        if message.isReply { return unrecorded.contains(connection + message.id.description) }
        guard let generation = dialects[connection]?.generation, generation <= .v4 else { return false }
        return message.name == "info" || message.name == "invalidateTransaction"
    }
}

/// What is not the same in two values.
struct Difference {
    let isPython3: Bool
    let isOldUndo: Bool
    let isBefore308: Bool
    var tids: [[UInt8]: [UInt8]]
    private(set) var found: [String] = []

    /// A server's own affair, or a time.
    private static let ownAffairs: Set<String> = [
        "time", "size", "length", "name", "interfaces", "extensionMethods", "supportsUndo", "supportsVersions",
        "supportsTransactionalUndo", "supports_record_iternext", "serial",
    ]

    init(isPython3: Bool, isOldUndo: Bool, isBefore308: Bool, tids: [[UInt8]: [UInt8]]) {
        self.isPython3 = isPython3
        self.isBefore308 = isBefore308
        self.isOldUndo = isOldUndo
        self.tids = tids
    }

    mutating func compare(_ recorded: WireValue, _ ours: WireValue, _ place: String) {
        switch (recorded, ours) {
        case (.dict(let left), .dict(let right)):
            let names = Set(left.compactMap(\.key.name)).subtracting(Self.ownAffairs)
            // What get_info answers has one key more: what only our server can.
            let added: Set = recorded["supportsUndo"] == nil ? [] : ["zeoserver"]
            if names.union(added) != Set(right.compactMap(\.key.name)).subtracting(Self.ownAffairs) {
                found.append("\(place): other keys")
            }
            for entry in left {
                guard let name = entry.key.name, names.contains(name), let value = ours[name] else { continue }
                compare(entry.value, value, "\(place).\(name)")
            }
        case (.tuple(let left), .tuple(let right)):
            if let error = Raised(recorded) {
                compare(error, Raised(ours), place)
            } else {
                compare(left, right, place)
            }
        case (.list(let left), .list(let right)):
            if place.hasPrefix("serialnos") {
                compareSerials(left, right, place)
            } else {
                compare(left, right, place)
            }
        default: compareLeaves(recorded, ours, place)
        }
    }

    private mutating func compare(_ left: [WireValue], _ right: [WireValue], _ place: String) {
        guard left.count == right.count else {
            found.append("\(place): \(left.count) elements, not \(right.count)")
            return
        }
        for (index, pair) in zip(left, right).enumerated() { compare(pair.0, pair.1, "\(place)[\(index)]") }
    }

    private mutating func compareSerials(_ left: [WireValue], _ right: [WireValue], _ place: String) {
        if isOldUndo, left.isEmpty { return }
        func sorted(_ entries: [WireValue]) -> [WireValue] {
            entries.sorted {
                ($0.elements?.first?.rawBytes ?? []).lexicographicallyPrecedes($1.elements?.first?.rawBytes ?? [])
            }
        }
        let (left, right) = (sorted(left), sorted(right))
        guard left.count == right.count else {
            found.append("\(place): \(left.count) entries, not \(right.count)")
            return
        }
        for (recorded, ours) in zip(left, right) {
            guard let one = recorded.elements, let other = ours.elements, one.count == 2, other.count == 2 else {
                found.append("\(place): no pairs")
                continue
            }
            compare(one[0], other[0], place)
            if let error = Raised(instance: one[1]) {
                compare(error, Raised(instance: other[1]), place)
            } else {
                compare(one[1], other[1], place + " serial")
            }
        }
    }

    private mutating func compare(_ recorded: Raised, _ ours: Raised?, _ place: String) {
        guard let ours else {
            found.append("\(place): no error")
            return
        }
        let isUndo = recorded.name.hasSuffix("UndoErrors") && ours.name.hasSuffix("UndoError")
        if recorded.name != ours.name, !isUndo { found.append("\(place): \(recorded.name) is \(ours.name)") }
        for name in ["oid", "serials", "class_name"] {
            // What `class(*arguments)` cannot say.
            if name == "class_name", isBefore308 { continue }
            guard let value = recorded.attributes[name] else { continue }
            if let own = ours.attributes[name] { compare(value, own, name) } else { found.append("no \(name)") }
        }
        if recorded.name.hasSuffix("POSKeyError") { compare(recorded.arguments, ours.arguments, "arguments") }
    }

    private mutating func compareLeaves(_ recorded: WireValue, _ ours: WireValue, _ place: String) {
        if let left = recorded.integer, let right = ours.integer {
            if left != right { found.append("\(place): \(left) is \(right)") }
        } else if let left = recorded.rawBytes, let right = ours.rawBytes {
            if isPython3, !isSameKind(recorded, ours) { found.append("\(place): bytes are text, or text bytes") }
            compareBytes(left, right, place)
        } else if isOldUndo, recorded.isNone, ours.rawBytes == [] {
            // The name of a version.
        } else if recorded != ours {
            found.append("\(place): \(recorded) is \(ours)")
        }
    }

    private func isSameKind(_ left: WireValue, _ right: WireValue) -> Bool {
        switch (left, right) {
        case (.bytes, .bytes), (.text, .text): true
        default: false
        }
    }

    private mutating func compareBytes(_ left: [UInt8], _ right: [UInt8], _ place: String) {
        if left.count == 12, right.count == 12, let one = Base64Text.bytes(left), let other = Base64Text.bytes(right) {
            return compareBytes(one, other, place)
        }
        // Tids of the day of the recording.
        if left.count == 8, right.count == 8, left.starts(with: [0x04, 0x0d, 0x27]) {
            if tids[left] == nil, !tids.values.contains(right) { tids[left] = right }
            if tids[left] != right { found.append("\(place): another transaction") }
        } else if left != right {
            found.append("\(place): \(WireValue.bytes(left)) is \(WireValue.bytes(right))")
        }
    }
}

/// An error in the form of any generation.
private struct Raised {
    var name: String
    var attributes = WireValue.dict([])
    var arguments = WireValue.tuple([])

    /// The value of a reply, or nil when that is no error.
    init?(_ value: WireValue) {
        guard let parts = value.elements, parts.count == 2 else { return nil }
        if case .global(let module, let name) = parts[0] {
            // ZODB 3.7 has a pair again in the place of the instance.
            let instance = parts[1].elements?.last ?? parts[1]
            guard let raised = Raised(instance: instance) else { return nil }
            self = raised
            self.name = "\(module).\(name)"
            return
        }
        guard let name = parts[0].name, name.contains("."), name.contains("Error") else { return nil }
        self.name = name
        if case .dict = parts[1] { attributes = parts[1] } else { arguments = parts[1] }
    }

    init?(instance value: WireValue) {
        guard case .instance(let instance) = value, case .global(let module, let name) = instance.callable else {
            return nil
        }
        self.name = "\(module).\(name)"
        arguments = instance.arguments
        attributes = instance.state ?? attributes
        if name == "_recon", let parts = instance.arguments.elements, case .global(let module, let name) = parts[0] {
            self.name = "\(module).\(name)"
            attributes = parts[1]
            arguments = parts[1]["args"] ?? arguments
        } else if name.hasSuffix("ConflictError"), let parts = arguments.elements, parts.count == 4 {
            // ConflictError(message, object, oid, serials)
            attributes = .dict([.init(.string("oid"), parts[2]), .init(.string("serials"), parts[3])])
        }
    }
}

/// Undo ids.
enum Base64Text {
    static func bytes(_ text: [UInt8]) -> [UInt8]? {
        guard text.count == 12, text.last == UInt8(ascii: "="), let data = Data(base64Encoded: Data(text)) else {
            return nil
        }
        return Array(data)
    }

    static func text(of bytes: [UInt8]) -> [UInt8] { Array(Data(bytes).base64EncodedData()) }
}

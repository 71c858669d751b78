import ByteCoding
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// `expected/undo.json`: what the calls of Python's FileStorage answer for each object at every tid.
struct UndoFacts: Decodable {
    struct Entry: Decodable {
        var tid: String, size: Int, user: String, description: String
    }

    struct LogEntry: Decodable {
        var id: String, tid: String, description: String, userName: String, size: Int

        enum CodingKeys: String, CodingKey {
            case id, tid, description, size
            case userName = "user_name"
        }
    }

    struct Object: Decodable {
        var oid: String
        var load: Answer
        var getTid: Answer
        var history: Answer
        var loadBefore: [String: Answer]
        var loadSerial: [String: Answer]
    }

    var undoLog: [LogEntry]
    var objects: [String: Object]
    var packedTids: [String]?

    enum CodingKeys: String, CodingKey {
        case undoLog, objects
        case packedTids = "packed tids"
    }

    /// `null`; `POSKeyError: …`; a tid or `data[LENGTH]`; a tuple of these; a list of history entries.
    indirect enum Answer: Decodable, Hashable {
        case none
        case missing
        case text(String)
        case tuple([Answer])
        case history([History])

        struct History: Decodable, Hashable {
            var tid: String, size: Int, user: String, description: String
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .none
            } else if let text = try? container.decode(String.self) {
                self = text.hasPrefix("POSKeyError") ? .missing : .text(text)
            } else if let history = try? container.decode([History].self) {
                self = .history(history)
            } else {
                self = .tuple(try container.decode([Answer].self))
            }
        }
    }

    static func read(_ name: String) throws -> UndoFacts { try part(name) }

    /// One part of the file; the others have other forms.
    static func part<Part: Decodable>(_ name: String) throws -> Part {
        let data = Data(try SampleData.bytes("expected/undo.json"))
        let whole = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        let part = try JSONSerialization.data(withJSONObject: #require(whole[name]))
        return try JSONDecoder().decode(Part.self, from: part)
    }
}

@Suite("Undone, deleted and packed objects, against Python's answers")
struct UndoTests {
    static let files = ["undo.fs", "undo-packed.fs", "undo-packed-nogc.fs"]

    private func answer(_ revision: Revision, withNext: Bool) -> UndoFacts.Answer {
        let parts: [UndoFacts.Answer] = [.text("data[\(revision.data.count)]"), .text(revision.serial.hex)]
        return .tuple(withNext ? parts + [revision.next.map { .text($0.hex) } ?? .none] : parts)
    }

    private func attempt(_ call: () throws -> UndoFacts.Answer) throws -> UndoFacts.Answer {
        do {
            return try call()
        } catch StorageError.noSuchObject {
            return .missing
        } catch StorageError.noRevision {
            return .none
        }
    }

    @Test("load of every object answers as Python's", arguments: files)
    func load(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name)"))
        for object in try UndoFacts.read(name).objects.values {
            let oid = ObjectID(hex: object.oid)
            let loaded = try attempt { answer(try storage.load(oid, at: .latest), withNext: false) }
            #expect(loaded == object.load)
            let tid = try attempt { .text(try storage.load(oid, at: .latest).serial.hex) }
            #expect(tid == object.getTid)
        }
    }

    @Test("a load at a tid answers as loadBefore of the tid after it", arguments: files)
    func loadBefore(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name)"))
        for object in try UndoFacts.read(name).objects.values {
            let oid = ObjectID(hex: object.oid)
            for (before, expected) in object.loadBefore {
                let loaded = try attempt {
                    answer(try storage.load(oid, at: TransactionID(hex: before).predecessor), withNext: true)
                }
                // For an oid that is not in the file at all, Python's load and loadBefore raise alike.
                #expect(loaded == expected, "\(object.oid) before \(before)")
            }
        }
    }

    @Test(
        "a load at each serial answers as loadSerial, for every transaction that changed the object", arguments: files)
    func loadSerial(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name)"))
        for object in try UndoFacts.read(name).objects.values {
            let oid = ObjectID(hex: object.oid)
            for (serial, expected) in object.loadSerial {
                let tid = TransactionID(hex: serial)
                let loaded = try attempt {
                    let revision = try storage.load(oid, at: tid)
                    return revision.serial == tid ? .text("data[\(revision.data.count)]") : .missing
                }
                #expect((loaded == .none ? .missing : loaded) == expected, "\(object.oid) at \(serial)")
            }
        }
    }

    @Test("the history of every object is Python's, deletions and sizes included", arguments: files)
    func history(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name)"))
        for object in try UndoFacts.read(name).objects.values {
            let history = try attempt {
                .history(
                    try storage.history(of: ObjectID(hex: object.oid), limit: 20).map { entry in
                        .init(
                            tid: entry.transaction.tid.hex, size: entry.size, user: pythonBytes(entry.transaction.user),
                            description: pythonBytes(entry.transaction.description))
                    })
            }
            #expect(history == object.history)
        }
    }

    /// As `str` writes ASCII bytes.
    private func pythonBytes(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("'") ? "b\"\(text)\"" : "b'\(text)'"
    }

    @Test("the log down to the first packed transaction is Python's undoLog", arguments: files)
    func log(name: String) throws {
        let storage = try FileStorage(Samples.path("fs/\(name)"))
        let facts = try UndoFacts.read(name)
        let log = try storage.transactionLog().rest()
        let undoable = log.prefix { $0.status != .packed }
        #expect(undoable.map(\.tid.hex) == facts.undoLog.map(\.tid))
        #expect(undoable.map { String(decoding: $0.description, as: UTF8.self) } == facts.undoLog.map(\.description))
        #expect(undoable.map { String(decoding: $0.user, as: UTF8.self) } == facts.undoLog.map(\.userName))
        #expect(undoable.map(\.length) == facts.undoLog.map(\.size))
        #expect(undoable.map { Data($0.tid.bytes).base64EncodedString() } == facts.undoLog.map(\.id))
        #expect(log.filter { $0.status == .packed }.reversed().map(\.tid.hex) == facts.packedTids ?? [])
    }
}

import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("Exceptions and pickles as Python's servers send them")
struct PythonExceptionTests {
    private let oid = ObjectID(rawValue: 0xdead)

    private func body(
        _ exception: PythonException, _ generation: Generation, _ python: PythonGeneration, id: Int64 = 5
    ) -> [UInt8] {
        Message(
            id: .integer(id), isException: generation.flagsExceptions, name: ".reply",
            arguments: exception.value(in: generation, for: python)
        ).body(in: .pickle, for: python)
    }

    @Test(
        "a missing object has the very bytes of each generation's server",
        arguments: [
            ("z3101-zodb3-3.10.7-py27", .v3101, .python2), ("z4-zeo-4.3.1-py27", .v4, .python2),
            ("z4-zeo-4.3.1-py36", .v4, .python3),
        ] as [(String, Generation, PythonGeneration)])
    func missing(name: String, generation: Generation, python: PythonGeneration) throws {
        let frames = try Transcript(name).lines.filter(\.fromServer).map(\.body)
        let error = PythonException(StorageError.noSuchObject(oid))
        #expect((0..<30).contains { frames.contains(body(error, generation, python, id: Int64($0))) })
    }

    @Test("a missing object has the very bytes of ZEO 6, whose clients call with pairs as ids")
    func missingInFive() throws {
        let frames = try Transcript("z5-zeo-6.2-py311").lines.filter(\.fromServer).map(\.body)
        let error = PythonException(StorageError.noSuchObject(oid))
        let id = WireValue.tuple([.bytes(oid.bytes), .bytes(TransactionID.latest.bytes)])
        let body = Message(id: id, isException: true, name: ".reply", arguments: error.value(in: .v5, for: .python3))
            .body(in: .pickle)
        #expect(frames.contains(body))
    }

    @Test("what a client has to know of a conflict is there in every generation, under the names it looks for")
    func conflict() throws {
        let committed = try #require(TransactionID(unixTime: 1_700_000_000))
        let exception = PythonException.conflict(
            oid, committed: committed, read: .none, className: "a.B", isRead: false)
        for generation in Generation.allCases {
            let value = exception.value(in: generation, for: generation == .v5 ? .python3 : .python2)
            let parts = try #require(value.elements)
            let serials = WireValue.tuple([.bytes(committed.bytes), .bytes(TransactionID.none.bytes)])
            if generation >= .v5 {
                #expect(parts[0] == .string("ZODB.POSException.ConflictError"))
                #expect(parts[1]["serials"] == serials)
                #expect(parts[1]["oid"] == .bytes(oid.bytes))
                #expect(parts[1]["message"] == .string("database conflict error"))
                continue
            }
            #expect(parts[0] == .global(module: "ZODB.POSException", name: "ConflictError"))
            guard case .instance(let instance) = parts[1] else {
                Issue.record("\(value)")
                continue
            }
            let arguments = try #require(instance.arguments.elements)
            if generation >= .v308 {
                #expect(instance.callable == .global(module: "ZODB.POSException", name: "_recon"))
                #expect(arguments[1]["serials"] == serials)
                #expect(arguments[1]["args"] == .tuple([]))
            } else {
                // ConflictError(message, object, oid, serials)
                #expect(instance.callable == parts[0])
                #expect(arguments == [.string("database conflict error"), .none, .bytes(oid.bytes), serials])
            }
        }
    }

    @Test("Python's own exceptions are in the module where the client's Python has them")
    func builtins() {
        let error = PythonException.valueError("unknown storage: nope")
        func module(_ generation: Generation, _ python: PythonGeneration) -> WireValue? {
            error.value(in: generation, for: python).elements?.first
        }
        #expect(module(.v308, .python2) == .global(module: "exceptions", name: "ValueError"))
        #expect(module(.v4, .python2) == .global(module: "exceptions", name: "ValueError"))
        #expect(module(.v4, .python3) == .global(module: "builtins", name: "ValueError"))
        #expect(module(.v5, .python3) == .string("builtins.ValueError"))
    }

    @Test("every error of a storage becomes an exception that names a class of ZODB or of Python")
    func storageErrors() throws {
        let errors: [StorageError] = [
            .noSuchObject(oid), .noRevision(oid, at: .latest), .noBlob(oid, serial: .none, "a path"), .readOnly("x"),
            .conflict(oid, committed: .latest, read: .none), .noSuchTransaction(.none), .wrongState("x"),
            .unsupported("x"), .interrupted, .undoFailed(.none, [UndoObstacle(oid: oid, reason: "r")]),
            .undoFailed(.none, []),
        ]
        for error in errors {
            let exception = PythonException(error)
            #expect(exception.module == "ZODB.POSException")
            for generation in Generation.allCases {
                let python: PythonGeneration = generation >= .v4 ? .python3 : .python2
                #expect(try Message(body(exception, generation, python), encoding: .pickle).isReply)
            }
        }
        // Where the file of a blob was looked for is nobody's business over there.
        #expect(!PythonException(StorageError.noBlob(oid, serial: .none, "/var/blobs")).text.contains("/var"))
    }

    @Test(
        "what Python 2 servers before generation 5 sent is written again byte for byte",
        arguments: [
            "z303-zodb3-3.7.0-py27", "z308-zodb3-3.8.6-py27", "z3101-zodb3-3.10.7-py27", "z4-zeo-4.3.1-py27",
        ])
    func pickles(name: String) throws {
        let transcript = try Transcript(name)
        var same = 0
        for line in transcript.lines where line.fromServer && !line.isHandshake {
            let message = try Message(line.body, encoding: .pickle)
            let ours = Frame.bytes(message.body(in: .pickle, for: .python2))
            if ours == line.frame {
                same += 1
                continue
            }
            // What is not: text, which ASCII text need not be; small numbers that these servers had as longs.
            let value = try PickleReader.value(of: line.body)
            #expect(holdsText(value) || line.frame.contains(UInt8(ascii: "L")), "\(line.value)")
        }
        #expect(same > 30)
    }

    private func holdsText(_ value: WireValue) -> Bool {
        switch value {
        case .text: true
        case .tuple(let elements), .list(let elements): elements.contains(where: holdsText)
        case .dict(let entries): entries.contains { holdsText($0.key) || holdsText($0.value) }
        case .instance(let instance):
            holdsText(instance.arguments) || instance.state.map(holdsText) ?? false
        default: false
        }
    }
}

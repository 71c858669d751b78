import Testing
import ZODB

@testable import ZEOProtocol

@Suite("What zeoserver tells of itself")
struct OwnStatusTests {
    private var status: OwnStatus {
        var process = ServerProcess()
        (process.id, process.openFiles, process.processorSeconds) = (42, 17, 1.5)
        var client = ServerClient(number: 3, address: "10.0.0.7:41022", age: 12.5)
        (client.label, client.dialect, client.commit, client.loads) = ("zope1 é", "Z3101", .holding, 9)
        (client.isUs, client.isReadOnly, client.hasTransaction, client.bytesWaiting) = (true, true, true, 7)
        return OwnStatus(
            version: "0.1.0", uptime: 99.5, permissions: "read", storages: ["1", "temp"], process: process,
            clients: [client, ServerClient(number: 4, address: "local", age: 0)])
    }

    @Test("comes back as it was, in each encoding, for each Python")
    func roundTrip() throws {
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            for python in [PythonGeneration.python2, .python3] {
                let body = Message(id: .integer(1), name: ".reply", arguments: status.value).body(
                    in: encoding, for: python)
                let message = try Message(body, encoding: encoding)
                #expect(try OwnStatus(message.arguments) == status)
            }
        }
    }

    @Test("fields that are missing, or unknown, are no error; what is no status is")
    func tolerance() throws {
        let small = WireValue.dict([
            .init(.string("version"), .string("9.9")), .init(.string("clients"), .list([])),
            .init(.string("weather"), .string("fine")),
        ])
        let read = try OwnStatus(small)
        #expect(read.version == "9.9" && read.clients.isEmpty && read.process == ServerProcess())
        for wrong in [
            WireValue.none, .integer(1), .dict([]), .dict([.init(.string("version"), .string("1"))]),
            .dict([.init(.string("version"), .string("1")), .init(.string("clients"), .list([.none]))]),
            .dict([.init(.string("version"), .string("1")), .init(.string("clients"), .list([.dict([])]))]),
        ] { #expect(throws: MalformedReply.self) { try OwnStatus(wrong) } }
    }

    @Test("is announced in get_info, where Python's clients pass over it, in every generation")
    func announcement() throws {
        var information = ServedInformation(
            length: 3, size: 9, name: "x", supportsUndo: true, supportsRecordIteration: true, interfaces: ["IStorage"])
        for generation in Generation.allCases {
            #expect(try ServerInformation(information.value(in: generation)).own == nil)
        }
        information.ownVersion = "0.1.0"
        for generation in Generation.allCases {
            let told = try ServerInformation(information.value(in: generation))
            #expect(told.own == .init(version: "0.1.0", calls: [OwnStatus.method]))
            #expect(ServerDialect(Dialect(generation, .pickle), on: .python3, told).hasOwnStatus)
            // Nothing that clients make methods of, or look interfaces up in.
            if generation <= .v4 { #expect(information.value(in: generation)["extensionMethods"] == .dict([])) }
        }
    }

    @Test("server_status is read typed, whatever is missing or odd")
    func figures() {
        let value = WireValue.dict([
            .init(.string("connections"), .integer(4)), .init(.string("lock_time"), .float(12.5)),
            .init(.string("timeout-thread-is-alive"), .bool(false)),
            .init(.string("last-transaction"), .string("040d271ceeeb4855")), .init(.string("loads"), .string("many")),
        ])
        let figures = Reply.figures(value)
        #expect(
            figures.clients == 4 && figures.lockSince == 12.5 && figures.watchesLock == false && figures.loads == nil)
        #expect(figures.lastTransaction == TransactionID(rawValue: 0x040d_271c_eeeb_4855))
        let stub = WireValue.dict([.init(.string("timeout-thread-is-alive"), .string("stub"))])
        #expect(Reply.figures(stub).isEmpty)
        #expect(Reply.figures(.none).isEmpty)
    }
}

import TestSupport
import Testing
import ZODB

@testable import ZEOProtocol

@Suite("One of several servers")
struct RecognitionTests {
    private static let interfaces = WireValue.dict([
        .init(.string("length"), .integer(7)), .init(.string("size"), .integer(900)),
        .init(.string("interfaces"), .tuple([.tuple([.string("ZODB.interfaces"), .string("IStorageIteration")])])),
    ])
    private static let before = Recollection(
        address: "other:8800", rootSerial: TransactionID(3), moment: TransactionID(9))

    /// Registered, with the information given: the next is what the database is recognized by.
    private func dialogue(
        known: TransactionID?, last: UInt64, _ before: Recollection? = Self.before, information: WireValue = interfaces
    ) -> (Dialogue, [ClientConnection.Action]) {
        var configuration = ClientConnection.Configuration(address: "db:8800", knownTransaction: known)
        configuration.isOneOfSeveral = true
        configuration.refusesOlder = known != nil
        configuration.recollection = before
        var dialogue = Dialogue()
        dialogue.connection = ClientConnection(configuration)
        _ = dialogue.server(says: "Z5")
        var actions = dialogue.server(replies: .bytes(TransactionID(last).bytes), to: 1)
        if known.map({ $0.rawValue < last }) ?? false {
            _ = dialogue.server(replies: .tuple([.bytes(TransactionID(last).bytes), .list([])]), to: 2)
            actions = dialogue.server(replies: information, to: 3)
        } else if known.map({ $0.rawValue == last }) ?? true {
            actions = dialogue.server(replies: information, to: 2)
        }
        return (dialogue, actions)
    }

    private func root(_ serial: UInt64, next: UInt64? = nil) -> WireValue {
        .tuple([
            .bytes([1]), .bytes(TransactionID(serial).bytes), next.map { .bytes(TransactionID($0).bytes) } ?? .none,
        ])
    }

    private func welcomed(_ actions: [ClientConnection.Action]) -> ClientConnection.Welcome? {
        for case .ready(let welcome) in actions { return welcome }
        return nil
    }

    private func failure(_ actions: [ClientConnection.Action]) -> ConnectionFailure? {
        for case .close(.connection(let failure)) in actions { return failure }
        return nil
    }

    @Test("the first is looked at for something to know the database by")
    func first() throws {
        var (dialogue, actions) = dialogue(known: nil, last: 9, nil)
        #expect(
            actions == [
                dialogue.call(3, "loadBefore", [.bytes(ObjectID.root.bytes), .bytes(TransactionID(10).bytes)])
            ])
        actions = dialogue.server(replies: root(3), to: 3)
        let welcome = try #require(welcomed(actions))
        #expect(
            welcome.recollection
                == Recollection(address: "db:8800", rootSerial: TransactionID(3), moment: TransactionID(9)))
    }

    @Test("another that has the same root object and the last transaction is taken")
    func same() throws {
        var (dialogue, actions) = dialogue(known: TransactionID(12), last: 20)
        #expect(
            actions == [
                dialogue.call(4, "loadBefore", [.bytes(ObjectID.root.bytes), .bytes(TransactionID(10).bytes)])
            ])
        actions = dialogue.server(replies: root(3, next: 15), to: 4)
        let twelve = WireValue.bytes(TransactionID(12).bytes)
        #expect(actions == [dialogue.call(5, "iterator_start", [twelve, twelve])])
        actions = dialogue.server(replies: .integer(0), to: 5)
        #expect(actions == [dialogue.call(6, "iterator_next", [.integer(0)])])
        actions = dialogue.server(
            replies: .tuple([twelve, .string(" "), .bytes([]), .bytes([]), .dict([])]), to: 6)
        let welcome = try #require(welcomed(actions))
        // The root has changed since: what it was is asked for again.
        #expect(
            welcome.recollection
                == Recollection(address: "db:8800", rootSerial: TransactionID(3), moment: TransactionID(9)))
    }

    @Test("one at the same transaction need not be asked for it")
    func equal() throws {
        var (dialogue, _) = dialogue(known: TransactionID(12), last: 12)
        let actions = dialogue.server(replies: root(3), to: 3)
        #expect(try #require(welcomed(actions)).recollection?.moment == TransactionID(12))
    }

    @Test("another root object is another database, and so is none")
    func otherRoot() {
        for value in [root(4), .none] {
            var (dialogue, _) = dialogue(known: TransactionID(12), last: 12)
            guard case .otherDatabase("db:8800", let why) = failure(dialogue.server(replies: value, to: 3)) else {
                Issue.record("taken")
                continue
            }
            #expect(why.contains("other:8800"))
        }
    }

    @Test("one that does not have the last transaction seen is another database")
    func noTransaction() {
        var (dialogue, _) = dialogue(known: TransactionID(12), last: 20)
        _ = dialogue.server(replies: root(3), to: 4)
        _ = dialogue.server(replies: .integer(0), to: 5)
        guard case .otherDatabase(_, let why) = failure(dialogue.server(replies: .none, to: 6)) else {
            Issue.record("taken")
            return
        }
        #expect(why.contains("transaction 0x0c") || why.contains("\(TransactionID(12))"))
    }

    @Test("one that is behind what was seen is refused; where nobody minds, anything may have changed")
    func behind() throws {
        let (_, actions) = dialogue(known: TransactionID(12), last: 9)
        #expect(
            failure(actions)
                == .behind(address: "db:8800", last: TransactionID(9), seen: TransactionID(12)))
        var plain = Dialogue(known: TransactionID(12))
        let welcome = try #require(welcomed(plain.open(at: TransactionID(9))))
        #expect(welcome.missed == .unknown)
        #expect(welcome.recollection == nil)
    }

    @Test("a server that cannot be asked for the past is believed; what is told meanwhile is told then")
    func untold() throws {
        var (dialogue, _) = dialogue(known: TransactionID(12), last: 20)
        _ = dialogue.server(replies: root(3), to: 4)
        let quiet = dialogue.server(
            notes: "invalidateTransaction", [.bytes(TransactionID(21).bytes), .list([.bytes(ObjectID.root.bytes)])])
        #expect(quiet == [])
        let actions = dialogue.server(
            replies: .tuple([.string("ZODB.POSException.Unsupported"), .string("no")]), to: 5, isException: true)
        #expect(welcomed(actions) != nil)
        #expect(
            actions.last
                == .notification(.invalidate(Invalidation(tid: TransactionID(21), oids: [.root]))))
    }
}

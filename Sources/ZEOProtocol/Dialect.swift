public import ZODB

/// One way of speaking ZEO: a generation of the protocol, and how its messages are written down.
///
/// The greeting of a connection names it: a letter for the encoding and the generation's number, `Z5`.
public struct Dialect: Hashable, Sendable {
    public enum Encoding: Hashable, Sendable {
        case pickle, messagePack

        var letter: String {
            switch self {
            case .pickle: "Z"
            case .messagePack: "M"
            }
        }
    }

    public let generation: Generation
    public let encoding: Encoding

    public init(_ generation: Generation, _ encoding: Encoding) {
        self.generation = generation
        self.encoding = encoding
    }

    public static let z5 = Dialect(.v5, .pickle)
    public static let m5 = Dialect(.v5, .messagePack)
}

extension Dialect: CustomStringConvertible {
    public var description: String { encoding.letter + generation.rawValue }
}

/// The generations of the protocol, oldest first: what was added, and what changed its shape.
///
/// Source: the `protocols`, `Z…` constants and adapters of ZODB 3.2 to ZEO 6.2; see `docs/formats/zeo.md`.
public enum Generation: String, CaseIterable, Hashable, Sendable {
    case v200 = "200"
    case v201 = "201"
    case v303 = "303"
    case v308 = "308"
    case v309 = "309"
    case v310 = "310"
    case v3101 = "3101"
    case v4 = "4"
    case v5 = "5"
}

extension Generation: Comparable {
    /// In order of age, which for these numbers is the order of their digits as text.
    public static func < (left: Generation, right: Generation) -> Bool { left.rawValue < right.rawValue }
}

extension Generation {
    /// The releases that announce it.
    public var releases: String {
        switch self {
        case .v200: "ZODB 3.1"
        case .v201: "ZODB 3.2 or 3.3.0"
        case .v303: "ZODB 3.3.1 to 3.7"
        case .v308: "ZODB 3.8"
        case .v309: "ZODB 3.9"
        case .v310: "a beta of ZODB 3.10"
        case .v3101: "ZODB 3.10, 3.11 or ZEO 4.0, 4.1"
        case .v4: "ZEO 4.2 or 4.3"
        case .v5: "ZEO 5 or 6"
        }
    }

    /// How the current revision of an object is asked for.
    public enum CurrentLoad: Hashable, Sendable {
        /// `zeoLoad(oid)`: data, serial and three fields of the old Versions.
        case zeoLoad
        /// `loadEx(oid)`, up to `v308` with a version.
        case loadEx
        /// `loadBefore(oid, the latest tid there can be)`.
        case loadBefore
    }

    public var currentLoad: CurrentLoad {
        self <= .v201 ? .zeoLoad : self <= .v3101 ? .loadEx : .loadBefore
    }

    /// How one transaction is undone: the method's name.
    public enum Undo: String, Hashable, Sendable {
        /// `transactionalUndo(id, transaction)`, answered with the oids.
        case transactionalUndo
        /// `undo(id, transaction)`, answered with a tid and the oids.
        case undo
        /// `undoa(id, transaction)` without an answer; the oids come with the vote.
        case undoAtVote = "undoa"
    }

    public var undo: Undo { self <= .v201 ? .transactionalUndo : self <= .v309 ? .undo : .undoAtVote }

    /// `tpc_abort` is answered and `tpc_begin` is not; before, it was the other way round.
    public var answersAbortNotBegin: Bool { self >= .v310 }
    /// Calls about objects carry the name of a version (always empty), the feature that ZODB 3.9 took out.
    public var hasVersionArguments: Bool { self <= .v308 }
    /// `loadBefore`, and with it any state but the current one.
    public var hasLoadBefore: Bool { self >= .v303 }
    public var hasRecordIteration: Bool { self >= .v303 }
    public var hasTransactionIteration: Bool { self >= .v309 }
    public var hasBlobs: Bool { self >= .v308 }
    /// The blobs of an aborted transaction are gone. ZODB 3.8 keeps them, and adds them to the next one of the connection;
    /// of 3.9 it is not known.
    public var forgetsAbortedBlobs: Bool { self >= .v310 }
    /// `checkCurrentSerialInTransaction`.
    public var hasReadChecks: Bool { self >= .v3101 }
    public var hasLastTransaction: Bool { self >= .v201 }
    public var hasServerStatus: Bool { self >= .v3101 }
    public var hasClientLabel: Bool { self >= .v310 }
    public var hasPing: Bool { self >= .v5 }
    /// `getAuthProtocol` comes first, and a login may have to follow. Later servers close on that call.
    public var hasAuthentication: Bool { self >= .v201 && self <= .v4 }
    /// `register` answers with the last tid; before, with None.
    public var registrationTellsLastTransaction: Bool { self >= .v5 }
    /// Errors are replies with flag 2; before, a pair of an exception class and its instance.
    public var flagsExceptions: Bool { self >= .v5 }
    /// A call that wants no answer has the id 0; before, it takes the next number like every other.
    public var numbersOnlyCalls: Bool { self >= .v309 }
    /// A call that wants no answer and fails ends the connection; before, it was only logged.
    public var closesOnFailedNotice: Bool { self >= .v5 }
    /// The opcodes to write to a server with. Generation 5 reads protocol 3 whatever Python it runs on. Before 3101 there was
    /// no ZEO on Python 3, whose opcodes Python 2 does not read. In between that depends on the server, which is known from
    /// its first answer: nil.
    public var pickleReader: PythonGeneration? {
        self >= .v5 ? .python3 : self <= .v310 ? .python2 : nil
    }
    /// What a vote led to is told in `serialnos`, ahead of an answer that says nothing.
    public var tellsSerials: Bool { self <= .v4 }
}

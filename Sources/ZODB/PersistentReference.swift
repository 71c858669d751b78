public import Pickle

/// A reference from one record to another, in any of the seven forms that ZODB has written.
///
/// Source: `ZODB/serialize.py`, the comment at its top.
public struct PersistentReference: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// `(oid, class)`, or the bare oid for classes with `__getnewargs__`: keeps its target alive.
        case strong
        /// `['w', (oid,)]`, `['w', (oid, database)]` or `[oid]`: does not.
        case weak
        /// `['m', (database, oid, class)]` or `['n', (database, oid)]`.
        case crossDatabase
    }

    public let kind: Kind
    public let oid: ObjectID
    /// The target's class, where the form carries it: written when the reference was, so possibly out of date.
    public let className: GlobalName?
    /// The other database's name; nil for this one.
    public let database: String?

    public init(kind: Kind, oid: ObjectID, className: GlobalName? = nil, database: String? = nil) {
        self.kind = kind
        self.oid = oid
        self.className = className
        self.database = database
    }
}

extension PersistentReference {
    /// The reference that a persistent id of `document` spells; nil when it has none of the known forms.
    public init?(_ persistentID: PickleDocument.Slot, in document: PickleDocument) {
        switch document[persistentID] {
        case .tuple(let parts):
            guard let oid = parts.first.flatMap({ Self.oid($0, in: document) }) else { return nil }
            let name = parts.dropFirst().first.flatMap { Self.className($0, in: document) }
            self.init(kind: .strong, oid: oid, className: name)
        case .list(let parts):
            guard let reference = Self.listForm(parts, in: document) else { return nil }
            self = reference
        default:
            guard let oid = Self.oid(persistentID, in: document) else { return nil }
            self.init(kind: .strong, oid: oid)
        }
    }

    private static func listForm(_ parts: [PickleDocument.Slot], in document: PickleDocument) -> PersistentReference? {
        if parts.count == 1 { return oid(parts[0], in: document).map { PersistentReference(kind: .weak, oid: $0) } }
        guard parts.count == 2, let letter = document.stringBytes(parts[0]),
            case .tuple(let arguments) = document[parts[1]]
        else { return nil }
        func database(_ index: Int) -> String? {
            guard index < arguments.count, let bytes = document.stringBytes(arguments[index]) else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
        func target(_ index: Int) -> ObjectID? {
            index < arguments.count ? oid(arguments[index], in: document) : nil
        }
        switch String(decoding: letter, as: UTF8.self) {
        case "w":
            return target(0).map { PersistentReference(kind: .weak, oid: $0, database: database(1)) }
        case "m":
            let name = arguments.count > 2 ? className(arguments[2], in: document) : nil
            return target(1).map {
                PersistentReference(kind: .crossDatabase, oid: $0, className: name, database: database(0))
            }
        case "n":
            return target(1).map { PersistentReference(kind: .crossDatabase, oid: $0, database: database(0)) }
        default:
            return nil
        }
    }

    /// Eight bytes of any string kind, or of encoded text.
    private static func oid(_ slot: PickleDocument.Slot, in document: PickleDocument) -> ObjectID? {
        (document.stringBytes(slot) ?? document.encodedBytes(slot)).flatMap { ObjectID(bytes: $0) }
    }

    /// A class as a global, or as the pair `(module, name)`.
    static func className(_ slot: PickleDocument.Slot, in document: PickleDocument) -> GlobalName? {
        switch document[slot] {
        case .global(let name): return name
        case .tuple(let parts):
            guard parts.count == 2, let module = document.stringBytes(parts[0]),
                let name = document.stringBytes(parts[1])
            else { return nil }
            return GlobalName(
                module: String(decoding: module, as: UTF8.self), name: String(decoding: name, as: UTF8.self))
        default: return nil
        }
    }
}

extension PickleDocument {
    /// All persistent references of the document, in the order they are written, repeats included.
    public var references: [PersistentReference] {
        persistentIDs.compactMap { PersistentReference($0, in: self) }
    }

    /// `_codecs.encode(text, 'latin1')`: bytes as Python writes them at protocols below 3; nil for anything else.
    func encodedBytes(_ slot: Slot) -> [UInt8]? {
        guard case .instance(let call) = self[slot], call.kind == .reduce,
            call.className == GlobalName(module: "_codecs", name: "encode"), let first = call.arguments.first,
            case .text(let utf8) = self[first]
        else { return nil }
        let scalars = String(decoding: utf8, as: UTF8.self).unicodeScalars
        guard scalars.allSatisfy({ $0.value < 256 }) else { return nil }
        return scalars.map { UInt8($0.value) }
    }
}

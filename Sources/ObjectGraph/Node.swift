public import Pickle
public import ZODB

/// A child, ready to be shown or entered: an object of its own, or a value inside an object's record.
///
/// A node is made from what its parent's record says; nothing of the child itself has been read yet.
public struct Node: Sendable {
    public enum Target: Hashable, Sendable {
        case object(ObjectID)
        case value(in: ObjectID, PickleDocument.Slot)
    }

    public enum Kind: Hashable, Sendable {
        /// Where a path begins: the application, the root mapping, an object by its oid.
        case origin
        /// What a container contains.
        case item
        /// Hidden from a listing unless all is asked for, like a dotfile.
        case attribute
    }

    /// How it is reached from its parent; nil for an origin.
    public let component: Component?
    public let target: Target
    /// The snapshot in which the target is to be read.
    public let at: TransactionID
    public let kind: Kind
    /// The class as the reference or the value says it. A reference without a class has none, and one may be out of
    /// date: only the object's own record is sure.
    public let className: GlobalName?
    /// What the container keeps about it: `Folder`, `Page Template`.
    public var metaType: String?
    /// The object whose record mentions it.
    public let referrer: ObjectID?
    /// The revision in whose record a value stands: in another its slot would mean something else.
    let serial: TransactionID?
    /// Set when the reference is one that is not followed: a weak one, or one into another database.
    public let reference: PersistentReference?
    /// Why it cannot be read, when that is known already: a lost part of a BTree, an id without its attribute.
    public let problem: StorageError?

    init(
        component: Component?, target: Target, at: TransactionID, kind: Kind, className: GlobalName? = nil,
        metaType: String? = nil, referrer: ObjectID? = nil, serial: TransactionID? = nil,
        reference: PersistentReference? = nil, problem: StorageError? = nil
    ) {
        self.component = component
        self.target = target
        self.at = at
        self.kind = kind
        self.className = className
        self.metaType = metaType
        self.referrer = referrer
        self.serial = serial
        self.reference = reference
        self.problem = problem
    }
}

extension Node {
    /// What a listing shows: `index.html`, `.title`, `[42]`, `["a/b"]`; the oid for an origin.
    public var label: String { component?.description ?? "#\(oid)" }

    /// The object itself, or the one whose record holds the value.
    public var oid: ObjectID {
        switch target {
        case .object(let oid), .value(let oid, _): oid
        }
    }

    public var isObject: Bool {
        if case .object = target { return true }
        return false
    }

    /// An object by its oid.
    public static func object(_ oid: ObjectID, at tid: TransactionID) -> Node {
        Node(component: nil, target: .object(oid), at: tid, kind: .origin)
    }

    /// What a slot of `record` holds: a reference leads to its object, any other value stays where it is.
    init(
        _ component: Component?, _ slot: PickleDocument.Slot, in record: ObjectRecord, at tid: TransactionID,
        kind: Kind,
        metaType: String? = nil
    ) {
        var target = Target.value(in: record.oid, slot)
        var className: GlobalName?
        var unfollowed: PersistentReference?
        switch record.document[slot] {
        case .persistentID(let id):
            guard let reference = PersistentReference(id, in: record.document) else { break }
            className = reference.className
            if reference.kind == .strong { target = .object(reference.oid) } else { unfollowed = reference }
        case .instance(let instance):
            className = instance.effectiveClass(in: record.document)
        default: break
        }
        self.init(
            component: component, target: target, at: tid, kind: kind, className: className, metaType: metaType,
            referrer: record.oid, serial: record.serial, reference: unfollowed)
    }

    /// The same, known not to be readable.
    func broken(by problem: StorageError) -> Node {
        Node(
            component: component, target: target, at: at, kind: kind, className: className, metaType: metaType,
            referrer: referrer, serial: serial, reference: reference, problem: problem)
    }

    /// The same object in another snapshot.
    func moved(to tid: TransactionID) -> Node {
        Node(
            component: component, target: target, at: tid, kind: kind, className: className, metaType: metaType,
            referrer: referrer)
    }
}

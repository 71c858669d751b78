internal import Pickle
public import ZODB

/// A path that leads nowhere: which step failed, and why.
public enum PathError: Error, Sendable {
    case syntax(PathSyntaxError)
    /// The place has neither an item nor an attribute that the component names.
    case notFound(Component, in: Place)
    /// The place is a reference that is not followed by itself: a weak one, or one into another database.
    case notFollowed(PersistentReference, at: Place)
    /// The place is an object that cannot be read: missing, damaged; its node knows who refers to it.
    case unreadable(Place, StorageError)
    /// Nobody knows what is above: the place was found by its oid, and stores no parent.
    case noParent(Place)
    /// `-` without a place before.
    case noPrevious
    /// A pattern where one place is needed.
    case ambiguous(ObjectPath)
    /// The text behind `@`, and what is wrong with it.
    case when(String, reason: String)
    case storage(StorageError)
}

extension PathError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .syntax(let error): return error.description
        case .notFound(let component, let place):
            let name = component.description
            return name.hasPrefix(".")
                ? "\(place) has no attribute \(name)" : "\(place) has no item or attribute \(name)"
        case .notFollowed(let reference, let place):
            let what = reference.kind == .weak ? "a weak reference" : "a reference into another database"
            let database = reference.database.map { " '\(PythonString.escaped($0.utf8))'" } ?? ""
            return "\(place) is \(what)\(database), to \(reference.oid); it is not followed by itself"
        case .unreadable(let place, let error):
            let referrer = place.node.referrer.map { ", referred to by #\($0)" } ?? ""
            return "\(place): \(error)\(referrer)"
        case .noParent(let place): return "nothing is known above \(place)"
        case .noPrevious: return "there is no previous place"
        case .ambiguous(let path): return "\(path) may stand for several objects; here one is needed"
        case .when(let text, let reason): return "@\(text): \(reason)"
        case .storage(let error): return error.description
        }
    }
}

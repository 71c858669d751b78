internal import Pickle
internal import ZODB

extension Workspace {
    /// What a place is in the state that is edited: the edits so far included, whatever the place was looked up in.
    ///
    /// An edit moves the values of a record about; so the way inside the record is gone again.
    /// - Throws: `past` for a place looked up in another transaction than the one the edits are made on.
    func editedSubject(of place: Place) throws(EditError) -> Subject {
        guard place.at.isStaged || place.at == basis else {
            throw EditError(
                .past, at: place.description, expected: "the present state", found: "the state as of \(place.at)",
                advice: "what was can be copied into what is, but not changed")
        }
        if let reference = place.node.reference {
            throw EditError(
                .unsupported, at: place.description, expected: "an object of this database",
                found: reference.kind == .weak ? "a weak reference" : "a reference into another database")
        }
        var components: [Component] = []
        var base = place
        while !base.node.isObject, let parent = base.parent, let component = base.node.component {
            components.append(component)
            base = parent
        }
        guard base.node.isObject else {
            throw EditError(.notFound, at: place.description, expected: "a place with a way to it", found: "none")
        }
        return try EditError.wrap(place.description) { () throws(StorageError) in
            var subject = try subject(of: .object(base.node.oid, at: .staged(editCount)))
            for component in components.reversed() {
                guard let node = try child(component, of: subject) else {
                    throw .noSuchObject(subject.node.oid)
                }
                subject = try self.subject(of: node)
            }
            return subject
        }
    }

    /// The parent of a place and the last step of the way to it: what `set`, `unset` and `remove` take.
    /// - Throws: `notFound` for a place at which a way begins: an object by its oid has no container here.
    public func container(of place: Place) throws(EditError) -> (container: Place, component: Component) {
        guard let parent = place.parent, let component = place.node.component else {
            throw EditError(
                .notFound, at: place.description, expected: "a path that says in which container it is",
                found: "an object by itself", advice: "give the path through its container")
        }
        return (parent, component)
    }
}

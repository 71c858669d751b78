/// An edit that a document does not allow, or that would make it unreadable.
public enum PickleEditError: Error, Hashable, Sendable {
    /// The new value cannot be written here.
    case value(PickleValueError)
    /// The slot holds no such thing: what was expected, what is there.
    case wrongKind(expected: String, found: String)
    case indexOutOfRange(Int, count: Int)
    case noSuchKey
    case noSuchAttribute(String)
    /// A place that takes only one kind of value, such as the class of an instance.
    case unfitting(place: String, needs: String)
    /// A value and the one around it were both edited: finish the one edit, then begin the other.
    case overlapping(offset: Int)
    /// What the document is made with cannot be edited, in words.
    case notEditable(String)
    /// The edited bytes are no pickle any more. Never seen; checked all the same.
    case brokenResult(PickleError)
}

extension PickleEditError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .value(let error): error.description
        case .wrongKind(let expected, let found): "this is \(found), not \(expected)"
        case .indexOutOfRange(let index, let count): "there is no position \(index): it has \(count) items"
        case .noSuchKey: "there is no such key"
        case .noSuchAttribute(let name): "there is no attribute \(PythonString.escaped(name.utf8))"
        case .unfitting(let place, let needs): "\(place) must be \(needs)"
        case .overlapping(let offset): "two edits overlap at offset \(offset): a value and the one around it"
        case .notEditable(let what): "\(what) cannot be edited"
        case .brokenResult(let error): "the edit gives no pickle (\(error)); nothing was changed"
        }
    }
}

/// Iteration that may fail: the one way of going through what is too large, too far or too damaged for an array.
public protocol Cursor<Element>: AnyObject {
    associatedtype Element
    /// The next element, or nil at the end. After an error the cursor is at its end.
    func next() throws(StorageError) -> Element?
}

/// A cursor over elements already at hand.
public final class ArrayCursor<Element>: Cursor {
    private var iterator: Array<Element>.Iterator

    public init(_ elements: [Element]) { iterator = elements.makeIterator() }

    public func next() throws(StorageError) -> Element? { iterator.next() }
}

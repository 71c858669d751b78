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

/// All elements of one cursor, then all of another.
final class ChainedCursor<Element>: Cursor {
    private var cursors: [any Cursor<Element>]

    init(_ first: any Cursor<Element>, _ second: any Cursor<Element>) { cursors = [second, first] }

    func next() throws(StorageError) -> Element? {
        while let cursor = cursors.last {
            if let element = try cursor.next() { return element }
            cursors.removeLast()
        }
        return nil
    }
}

/// The elements of a cursor that satisfy a condition.
final class FilteredCursor<Element>: Cursor {
    private let cursor: any Cursor<Element>
    private let isIncluded: (Element) -> Bool

    init(_ cursor: any Cursor<Element>, _ isIncluded: @escaping (Element) -> Bool) {
        self.cursor = cursor
        self.isIncluded = isIncluded
    }

    func next() throws(StorageError) -> Element? {
        while let element = try cursor.next() {
            if isIncluded(element) { return element }
        }
        return nil
    }
}

internal import ZODB

/// One cursor after the other.
final class ConcatenatedCursor<Element>: Cursor {
    private var cursors: [any Cursor<Element>]

    init(_ cursors: [any Cursor<Element>]) {
        self.cursors = cursors.reversed()
    }

    func next() throws(StorageError) -> Element? {
        while let cursor = cursors.last {
            if let element = try cursor.next() { return element }
            cursors.removeLast()
        }
        return nil
    }
}

/// The elements that pass a test.
final class FilterCursor<Element>: Cursor {
    private let base: any Cursor<Element>
    private let isIncluded: (Element) -> Bool

    init(_ base: any Cursor<Element>, where isIncluded: @escaping (Element) -> Bool) {
        self.base = base
        self.isIncluded = isIncluded
    }

    func next() throws(StorageError) -> Element? {
        while let element = try base.next() {
            if isIncluded(element) { return element }
        }
        return nil
    }
}

/// The elements, each made into another or left out.
final class MapCursor<Base, Element>: Cursor {
    private let base: any Cursor<Base>
    private let transform: (Base) -> Element?

    init(_ base: any Cursor<Base>, _ transform: @escaping (Base) -> Element?) {
        self.base = base
        self.transform = transform
    }

    func next() throws(StorageError) -> Element? {
        while let element = try base.next() {
            if let result = transform(element) { return result }
        }
        return nil
    }
}

/// What a closure gives until it gives nil.
final class GeneratingCursor<Element>: Cursor {
    private let generate: () throws(StorageError) -> Element?
    private var isAtEnd = false

    init(_ generate: @escaping () throws(StorageError) -> Element?) {
        self.generate = generate
    }

    func next() throws(StorageError) -> Element? {
        guard !isAtEnd else { return nil }
        do throws(StorageError) {
            if let element = try generate() { return element }
            isAtEnd = true
            return nil
        } catch {
            isAtEnd = true
            throw error
        }
    }
}

internal import Pickle
public import ZODB

/// An edit that was not made: the workspace is as it was before.
public struct EditError: Error, Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// There is nothing of this name.
        case notFound
        /// Something of this name is there already.
        case exists
        /// A value that the container cannot hold: of the wrong type, out of range.
        case wrongValue
        /// Only Python code could say where a key belongs among the others.
        case unorderedKey
        /// What is there has no form in which this edit can be made.
        case unsupported
        /// The place was looked up in a past state, which is not the one that is edited.
        case past
        /// The structure that is edited contradicts itself; an edit might make it worse.
        case damaged
        case storage(StorageError)
    }

    public let kind: Kind
    /// Where: a path, or an object's id.
    public let path: String
    /// What the edit needed, and what was there instead.
    public let expected: String
    public let found: String
    /// What to try instead; nil where nobody knows.
    public let advice: String?

    public init(_ kind: Kind, at path: String, expected: String, found: String, advice: String? = nil) {
        (self.kind, self.path, self.expected, self.found, self.advice) = (kind, path, expected, found, advice)
    }

    init(_ error: StorageError, at path: String) {
        self.init(.storage(error), at: path, expected: "", found: error.description)
    }
}

extension EditError: CustomStringConvertible {
    public var description: String {
        let problem = expected.isEmpty ? found : "expected \(expected), found \(found)"
        return "\(path): \(problem)" + (advice.map { "; \($0)" } ?? "")
    }
}

extension EditError {
    /// Runs what a storage may refuse, and says where it happened.
    static func wrap<Value>(
        _ path: @autoclosure () -> String, _ body: () throws(StorageError) -> Value
    ) throws(EditError) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            throw EditError(error, at: path())
        }
    }
}

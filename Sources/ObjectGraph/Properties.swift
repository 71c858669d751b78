internal import Pickle
internal import ZODB

/// A property, as Zope's property sheets have it: an attribute with a type.
public struct Property: Sendable {
    public let id: String
    /// `string`, `int`, `lines`, `date`, `selection`, …
    public let type: String
    /// `w` may be written, `d` deleted; nil for the default, both.
    public let mode: String?
    public let label: String?
    /// The attribute with the choices, for a selection.
    public let selectVariable: String?
    /// The value; nil when the object has none and the class's default counts.
    public let value: Node?
}

extension Workspace {
    /// What `_properties` declares, in order. Empty where the object leaves that to its class.
    public func properties(of subject: Subject) -> [Property] {
        let document = subject.document
        let entries = subject.attribute("_properties").flatMap { document.sequence($0) } ?? []
        return entries.compactMap { entry in
            func text(_ key: String) -> String? { document.value(key, of: entry).flatMap { document.displayText($0) } }
            guard let id = text("id") else { return nil }
            return Property(
                id: id, type: text("type") ?? "string", mode: text("mode"), label: text("label"),
                selectVariable: text("select_variable"), value: attribute(id, of: subject))
        }
    }
}

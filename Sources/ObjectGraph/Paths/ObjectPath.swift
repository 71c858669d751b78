internal import Pickle
public import ZODB

/// A path as it was written: where it begins, its steps, and as of when.
///
///     /Plone/news        //Application      #0x1a2b/.title      ../x["a/b"][0]      /Plone/**/*.html      /Plone@yesterday
///
/// The time may also stand in front, as another database's address does: `@yesterday:/Plone`.
public struct ObjectPath: Hashable, Sendable {
    public enum Origin: Hashable, Sendable {
        /// `/`: the object under the root's key `Application`, else the root.
        case application
        /// `//`: the root mapping.
        case root
        /// `#0x1a2b`, `#1a2b`, `#d:42`.
        case object(ObjectID)
        /// No slash at the beginning: where we are.
        case current
        /// `-`: where we were before.
        case previous
    }

    public enum Step: Hashable, Sendable {
        case child(Component)
        /// `..`
        case parent
        /// A name with `*`, `?` or `{a,b}` in it; of attributes when `attributes`, else of items.
        case pattern(GlobPattern, attributes: Bool)
        /// `**`: any number of levels of items, none included.
        case anyDepth
    }

    public enum When: Hashable, Sendable {
        /// `@yesterday`, `@2026-10-01`, `@03d4f5…`: left to whoever knows how to read times.
        case text(String)
        /// `@~3`: so many revisions of this object back.
        case revisionsBack(Int)
    }

    public var origin: Origin
    public var steps: [Step]
    public var when: When?

    public init(origin: Origin, steps: [Step] = [], when: When? = nil) {
        self.origin = origin
        self.steps = steps
        self.when = when
    }

    /// Whether it may stand for any number of objects.
    public var hasPatterns: Bool {
        steps.contains { step in
            switch step {
            case .pattern, .anyDepth: true
            case .child, .parent: false
            }
        }
    }
}

extension ObjectPath: CustomStringConvertible {
    /// The path in its plainest form; read again, it is equal.
    public var description: String {
        var text: String
        switch origin {
        case .application: text = "/"
        case .root: text = "//"
        case .object(let oid): text = "#\(oid)"
        case .current: text = steps.isEmpty ? "." : ""
        case .previous: text = "-"
        }
        for step in steps {
            let part = step.description
            let isBracketed = part.hasPrefix("[")
            if !text.isEmpty, !text.hasSuffix("/"), !isBracketed { text += "/" }
            text += part
        }
        // A pattern cannot be quoted; a slash behind it says that its `@` belongs to it.
        if case .pattern(let pattern, _)? = steps.last, pattern.text.contains("@") { text += "/" }
        switch when {
        case .text(let when)?: text += "@\(when)"
        case .revisionsBack(let count)?: text += "@~\(count)"
        case nil: break
        }
        return text
    }
}

extension ObjectPath.Step: CustomStringConvertible {
    public var description: String {
        switch self {
        case .child(let component): component.description
        case .parent: ".."
        case .pattern(let pattern, let attributes): (attributes ? "." : "") + pattern.text
        case .anyDepth: "**"
        }
    }
}

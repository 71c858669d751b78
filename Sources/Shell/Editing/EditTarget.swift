internal import ObjectGraph
internal import Pickle
internal import Storages
internal import ZODB

/// What an editing command's path names: something that is there, or is to be.
struct EditTarget {
    /// As typed.
    let text: String
    let container: Place
    let component: Component
    /// What is there now; nil for nothing.
    let place: Place?

    /// - Throws: `ShellFailure` for a path into the past, for a pattern, and when the container is not there.
    init(_ text: String, _ session: Session) throws {
        self.text = text
        var path = try Session.parse(text)
        guard path.when == nil else { throw Self.past(text) }
        do {
            if path.hasPatterns { throw PathError.ambiguous(path) }
            guard case .child(let component)? = path.steps.last else {
                let place = try session.resolver(for: path).resolve(path)
                guard let parent = place.parent, let component = place.node.component else {
                    throw ShellFailure(
                        "no-container", .refused, at: text, "this path does not say in which container it is",
                        advice: "give the path through its container")
                }
                (container, self.component, self.place) = (parent, component, place)
                return
            }
            path.steps.removeLast()
            let resolver = try session.resolver(for: path)
            let container = try resolver.resolve(path)
            self.container = container
            let place = try Self.child(component, of: container, resolver)
            self.place = place
            // What is there is called as its container calls it: `name` may be an attribute.
            self.component = place?.node.component ?? component
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    private static func child(
        _ component: Component, of container: Place, _ resolver: PathResolver
    ) throws(PathError) -> Place? {
        do throws(PathError) {
            return try resolver.step(component, from: container)
        } catch {
            if case .notFound = error { return nil }
            throw error
        }
    }

    private static func past(_ text: String) -> ShellFailure {
        ShellFailure(
            "read-only", .refused, at: text, "the past cannot be changed",
            advice: "'cp \(text) PATH' brings back what was")
    }

    /// The canonical path.
    var path: String {
        if let place { return place.description }
        var path = container.path
        path.steps.append(.child(component))
        return path.description
    }

    /// What is removed by one command, in an order in which no removal changes what another one's path names: elements
    /// have moved up once one before them is gone, so the last goes first, and what is inside before what is around it.
    static func inOrderOfRemoval(_ targets: [EditTarget]) -> [EditTarget] {
        targets.sorted { left, right in
            let depths = (left.container.path.steps.count, right.container.path.steps.count)
            if depths.0 != depths.1 { return depths.0 > depths.1 }
            return (left.index ?? -1) > (right.index ?? -1)
        }
    }

    /// The position of an element.
    private var index: Int64? {
        switch component {
        case .key(.integer(let number)): number.int64
        case .ordinal(let number): Int64(number)
        default: nil
        }
    }

    /// - Throws: `ShellFailure` when there is nothing.
    func existing() throws -> Place {
        guard let place else { throw ShellFailure(.notFound(component, in: container), path: text) }
        return place
    }
}

extension Session {
    /// Runs an edit of the workspace, and notes what the objects it touches are called.
    func change<Value>(_ container: Place, _ body: (Workspace) throws(EditError) -> Value) throws -> Value {
        let workspace = try workspace
        var object = container
        while !object.node.isObject, let parent = object.parent { object = parent }
        note(object.description, of: object.node.oid)
        do throws(EditError) {
            return try body(workspace)
        } catch {
            throw ShellFailure(error)
        }
    }
}

extension ShellFailure {
    /// An edit that was not made.
    init(_ error: EditError) {
        if case .storage(let why) = error.kind {
            self.init(why, at: error.path)
            return
        }
        let (code, exitCode): (String, ExitCode) =
            switch error.kind {
            case .notFound: ("no-such-path", .data)
            case .exists: ("exists", .refused)
            case .wrongValue: ("wrong-value", .usage)
            case .unorderedKey, .unsupported: ("unsupported", .refused)
            case .past: ("read-only", .refused)
            case .damaged, .storage: ("damaged", .data)
            }
        let what = error.expected.isEmpty ? error.found : "expected \(error.expected), found \(error.found)"
        self.init(code, exitCode, at: error.path, what, advice: error.advice)
    }
}

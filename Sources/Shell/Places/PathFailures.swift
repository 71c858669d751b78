internal import ObjectGraph
internal import ZODB

extension ShellFailure {
    /// A path that leads nowhere, in words, and with what to try.
    /// - Parameter path: the path as it was typed.
    init(_ error: PathError, path: String) {
        switch error {
        case .syntax(let error):
            self.init("usage", .usage, at: path, error.description, advice: "see 'help paths'")
        case .notFound(let component, let place):
            let name = component.description
            let kind = name.hasPrefix(".") ? "attribute" : "item or attribute"
            self = .noSuchPath(path, advice: Self.advice(path, place))
            what = "\(place) has no \(kind) \(name)"
        case .notFollowed(let reference, _):
            self.init(
                "not-followed", .data, at: path, error.description,
                advice: reference.kind == .weak
                    ? "go there by oid: \(reference.oid.path)"
                    : "connect to that database, and go to \(reference.oid.path)",
                details: [Detail("path", path), Detail("oid", reference.oid.hex)])
        case .unreadable(let place, let error):
            self.init(error, at: path)
            if let referrer = place.node.referrer {
                what += "; \(referrer.path) refers to it"
                details.append(Detail("referrer", referrer.hex))
            }
            details.append(Detail("path", path))
        case .noParent(let place):
            self.init(
                "no-parent", .data, at: path, "nothing is known above \(place)",
                advice: "'referrers \(place.node.oid.path)' tells who refers to it")
        case .noPrevious: self.init("usage", .usage, at: path, "there is no place before this one")
        case .ambiguous:
            self.init(
                "usage", .usage, at: path, "a pattern may stand for several objects; here one is needed",
                advice: "ls \(path) lists them")
        case .when(let text, let reason):
            self.init("usage", .usage, at: path, "'\(text)' \(reason)", advice: "see 'help dates'")
        case .storage(let error): self.init(error)
        }
    }

    private static func advice(_ path: String, _ place: Place) -> String? {
        if let at = path.firstIndex(of: "@"), path[at...].contains("/") { return "a time stands at the end: PATH@WHEN" }
        if let meant = Suggestions.zopePath(path), meant != path { return "did you mean \(meant) ?" }
        return place.path.steps.isEmpty && place.path.origin == .application
            ? "ls / lists what there is; // is the root mapping" : "ls -a \(place) lists what there is"
    }
}

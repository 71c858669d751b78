internal import ObjectGraph
internal import Pickle
internal import ZODB

/// What a path that is being typed could become: the children of what stands before its last part, by how they begin.
///
/// In a BTree only the stretch with that beginning is read. An interruption, such as the editor's deadline, ends the
/// search with what has been found.
struct PathCompletion {
    private let session: Session

    init(_ session: Session) { self.session = session }

    func complete(_ typed: String, limit: Int) -> (names: [Session.PathCandidate], isPartial: Bool) {
        guard let (directory, beginning) = Self.split(typed) else { return ([], false) }
        var candidates: [Session.PathCandidate] = []
        if beginning == ".." {
            candidates.append(Session.PathCandidate(path: directory + "../", name: "..", isContainer: true))
        }
        do {
            let place = try session.place(directory.isEmpty ? nil : directory)
            let workspace = try session.workspace
            let names = try Names(place, beginning, workspace)
            while let node = try names.next() {
                guard candidates.count < limit else { return (candidates, true) }
                candidates.append(candidate(node, in: directory, workspace))
            }
            try lookInto(names.found, &candidates, workspace)
        } catch {
            let isCutShort = ShellFailure(error).exitCode == .interrupted
            return (candidates, isCutShort)
        }
        return (candidates, false)
    }

    private func candidate(_ node: Node, in directory: String, _ workspace: Workspace) -> Session.PathCandidate {
        Session.PathCandidate(
            path: directory + node.label, name: node.label, note: node.metaType ?? node.className?.name ?? "",
            isContainer: node.isObject || hasItems(node, workspace))
    }

    /// So few candidates are looked into for whether they have items; of more, every object may have some.
    private static let closeLimit = 20

    private func lookInto(
        _ nodes: [Node], _ candidates: inout [Session.PathCandidate], _ workspace: Workspace
    ) throws(StorageError) {
        guard nodes.count <= Self.closeLimit else { return }
        workspace.prefetch(nodes)
        let first = candidates.count - nodes.count
        for (index, node) in nodes.enumerated() where node.isObject {
            do throws(StorageError) {
                candidates[first + index].isContainer = try workspace.items(of: node).next() != nil
            } catch {
                guard error.isAboutOneObject else { throw error }
                candidates[first + index].isContainer = false
            }
        }
    }

    /// Whether a value inside a record is a container; the record is at hand.
    private func hasItems(_ node: Node, _ workspace: Workspace) -> Bool {
        guard let subject = try? workspace.subject(of: node) else { return false }
        return (try? workspace.knownCount(of: subject)).flatMap { $0 } ?? 0 > 0
    }

    /// What precedes the last part, and the part; nil where nothing can be completed: an oid, a time, a pattern.
    static func split(_ typed: String) -> (directory: String, beginning: String)? {
        let bytes = Array(typed.utf8)
        var cut = 0
        var open: Int?
        var quote: UInt8?
        for (index, byte) in bytes.enumerated() {
            if open != nil {
                if let mark = quote {
                    if byte == mark { quote = nil }
                } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                    quote = byte
                } else if byte == UInt8(ascii: "]") {
                    open = nil
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "/"): cut = index + 1
            case UInt8(ascii: "["): (open, cut) = (index, index)
            case UInt8(ascii: "@"), UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"): return nil
            default: break
            }
        }
        // After a closed bracket only a slash or another bracket goes on.
        if open == nil, bytes.last == UInt8(ascii: "]") { return nil }
        let directory = String(decoding: bytes[..<cut], as: UTF8.self)
        let beginning = String(decoding: bytes[cut...], as: UTF8.self)
        return beginning.hasPrefix("#") ? nil : (directory, beginning)
    }
}

/// The children whose path component begins as typed.
private final class Names {
    private let nodes: any Cursor<Node>
    /// What the component begins with, where the beginning is more than a name: `["a/`, `[4`.
    private let bracket: String?
    private(set) var found: [Node] = []

    init(_ place: Place, _ beginning: String, _ workspace: Workspace) throws(StorageError) {
        guard beginning.hasPrefix("[") else {
            bracket = nil
            let nodes = try workspace.completions(of: place.node, prefix: beginning)
            guard beginning.isEmpty, try workspace.items(of: place.node).next() == nil else {
                self.nodes = nodes
                return
            }
            // Nothing but attributes: they are what one may want.
            self.nodes = try workspace.completions(of: place.node, prefix: ".")
            return
        }
        bracket = beginning
        nodes = try workspace.completions(of: place.node, prefix: Self.text(inBracket: beginning))
    }

    func next() throws(StorageError) -> Node? {
        while let node = try nodes.next() {
            guard node.component != nil, bracket.map({ node.label.hasPrefix($0) }) ?? true else { continue }
            found.append(node)
            return node
        }
        return nil
    }

    /// `["a/b` begins with the text `a/b`; what is not a plain text in quotes could be anything.
    private static func text(inBracket beginning: String) -> String {
        var rest = beginning.dropFirst()
        while let first = rest.first, first == "u" || first == "b" { rest = rest.dropFirst() }
        guard let quote = rest.first, quote == "\"" || quote == "'" else { return "" }
        return String(rest.dropFirst().prefix { $0 != "\\" && $0 != quote })
    }
}

internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct GetCommand: ShellCommand {
    static let name = "get"
    static let summary = "write a value as it is: a text, a number, a file's content"
    static let synopsis = "PATH…"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        A text is written without quotes, followed by a line end when it has none (-o raw leaves that out); bytes, and the
        content of files, images and blobs, are written as they are; of a script or template the source. Anything else
        reads like Python, whole. With -o json: the value as JSON, bytes as {"@b": "base64"}.
        """
    static let examples = [
        CommandExample("get /Plone/.title", "an attribute"),
        CommandExample("get /Plone/logo.png > logo.png", "the content of an image"),
        CommandExample("get /Plone/news/.effective_date -o json", "typed, for a script"),
        CommandExample("get //Application/.title@~1", "before the last change"),
    ]

    @Argument(help: "What to write; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let text = ObjectText(workspace: workspace, isComplete: true, zone: .utc, width: 100)
        let values = ClosureCursor { () throws(StorageError) in
            try operands.next { place throws(StorageError) in try Self.value(place, workspace, text) }
        }
        return Report(.values(values, isList: operands.isMany)) { operands.conclusion }
    }

    private static func value(
        _ place: Place, _ workspace: Workspace, _ writer: ObjectText
    ) throws(StorageError) -> Report.Value {
        let subject = try workspace.subject(of: place.node)
        let title = place.description
        if let content = try workspace.content(of: subject) {
            return Report.Value(title: title, bytes: try content.chunks(), isText: false, json: nil)
        }
        func value(_ bytes: [UInt8], isText: Bool, json: String) -> Report.Value {
            Report.Value(title: title, bytes: ArrayCursor([bytes]), isText: isText, json: json)
        }
        if subject.isObject, let source = subject.source {
            return value(Array(source.text.utf8), isText: true, json: JSONText.string(source.text))
        }
        let json = try writer.json(subject)
        switch subject.value {
        case .text(let bytes), .nativeString(let bytes): return value(bytes, isText: true, json: json)
        case .bytes(let bytes), .byteArray(let bytes): return value(bytes, isText: false, json: json)
        default: return value(Array(try writer.state(subject).utf8), isText: true, json: json)
        }
    }
}

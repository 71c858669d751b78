internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct MakeFolderCommand: EditingCommand {
    static let name = "mkdir"
    static let summary = "make an empty folder, of the kind that its container takes"
    static let synopsis = "[--if-missing] PATH…"
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        In a Zope folder a Folder, in a BTreeFolder another one, in a mapping or BTree one of the same class. For any other
        kind, copy an existing one: cp.
        """
    static let examples = [CommandExample("mkdir /Plone/archive", "a folder")]

    @Flag(name: .customLong("if-missing"), help: "What is there already is no error.") var ifMissing = false
    @Argument(help: "The new folder.") var paths: [String]
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        for path in paths {
            let target = try EditTarget(path, session)
            if target.place != nil {
                if ifMissing { continue }
                throw ShellFailure(
                    "exists", .refused, at: path, "there is something already", advice: "--if-missing: no error then")
            }
            _ = try session.change(target.container) { (workspace) throws(EditError) in
                try workspace.makeFolder(target.component.plainText, in: target.container)
            }
        }
        return .nothing
    }
}

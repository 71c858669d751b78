internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct ExportCommand: ShellCommand {
    static let name = "export"
    static let summary = "write an object, with all in it, to a file that Zope imports"
    static let synopsis = "[--force] PATH FILE.zexp"
    static let group = CommandGroup.change
    static let operands: [OperandKind] = [.path, .file]
    static let examples = [
        CommandExample("export /Plone/news news.zexp", "for 'import', here or in Zope's import directory"),
        CommandExample("export /Plone/news@yesterday news.zexp", "as it was"),
    ]

    @Flag(name: .customLong("force"), help: "Replace a file that is there.") var isForced = false
    @Argument(help: "What to export.") var path: String
    @Argument(help: "The new file.") var file: String

    func run(in session: Session) throws -> Report {
        let place = try session.place(path)
        if !isForced, NewFile.exists(file) { throw ShellFailure.exists(file) }
        let new = try NewFile(beside: file)
        let progress = session.progress
        let workspace = try session.workspace
        let result: ExportResult
        do throws(EditError) {
            result = try workspace.export(
                place, progress: { progress.update("exporting", $0, "objects") },
                to: { (bytes) throws(StorageError) in try new.append(bytes) })
        } catch {
            throw ShellFailure(error)
        }
        try new.finish(replacing: isForced)
        var messages: [Report.Message] = []
        if result.blankedCount > 0 {
            messages.append(
                Report.Message("\(counted(result.blankedCount, "reference")) to what contains it became None"))
        }
        if result.weakReferenceCount > 0 {
            messages.append(
                Report.Message(
                    "\(counted(result.weakReferenceCount, "weak reference")) in it: Zope's own import stops at one",
                    severity: .warning))
        }
        let fields = [
            Report.Field("path", .text(place.description)), Report.Field("file", .text(file)),
            Report.Field("objects", .integer(result.objectCount)), Report.Field("blobs", .integer(result.blobCount)),
            Report.Field("size", .size(new.size)),
        ]
        return Report(.record(fields)) { Report.Conclusion(messages: messages) }
    }
}

struct ImportCommand: EditingCommand {
    static let name = "import"
    static let summary = "make the objects of an exported file children of a container"
    static let synopsis = "FILE.zexp DESTINATION"
    static let operands: [OperandKind] = [.file, .path]
    static let discussion = """
        The objects get new oids. A destination that is a container takes the object under the id that it has itself.
        """
    static let examples = [CommandExample("import news.zexp /Plone/", "into a folder")]

    @Option(
        name: .customLong("meta-type"),
        help: ArgumentHelp("What a Zope folder lists the object as, where nothing tells.", valueName: "name"))
    var metaType: String?
    @Argument(help: "A file that 'export' or Zope wrote.") var file: String
    @Argument(help: "The new path, or a container.") var destination: String
    @OptionGroup var editing: EditOptions

    func edit(_ session: Session) throws -> Report {
        let bytes = try FileBytes(file)
        let (container, name) = try target(session)
        var options = CopyOptions()
        options.metaType = metaType
        let progress = session.progress
        options.progress = { progress.update("importing", $0, "objects") }
        _ = try session.change(container) { (workspace) throws(EditError) in
            try workspace.importObjects(from: bytes, to: container, as: name, options)
        }
        return .nothing
    }

    private func target(_ session: Session) throws -> (Place, String?) {
        if destination.hasSuffix("/") || destination == "." { return (try session.place(destination), nil) }
        let target = try EditTarget(destination, session)
        guard let place = target.place else { return (target.container, target.component.plainText) }
        return (place, nil)
    }
}

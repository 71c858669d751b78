internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct BlobCommand: ShellCommand {
    static let name = "blob"
    static let summary = "tell about a blob or a file's content; write it to a file"
    static let synopsis = "PATH [--extract FILE|-] [--force]"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        The path may lead to a blob, to an object that keeps one, or to a File or Image of Zope, whose content lies in the
        database itself. --extract writes beside FILE first and renames when all is there; a file that exists is replaced
        only with --force. - is standard output.
        """
    static let examples = [
        CommandExample("blob /Plone/report.pdf", "size, revision, where it lies"),
        CommandExample("blob /Plone/report.pdf --extract report.pdf", "into a file"),
        CommandExample("blob /Plone/report.pdf@yesterday --extract - | sha256sum", "as it was, into a pipe"),
    ]

    @Option(help: ArgumentHelp("Write the content to this file; - is standard output.", valueName: "file"))
    var extract: String?
    @Flag(name: .customLong("force"), help: "Replace a file that exists.") var isForced = false
    @Argument(help: "The blob, or the object that keeps it.") var path: String

    func run(in session: Session) throws -> Report {
        let place = try session.place(path)
        let workspace = try session.workspace
        let subject: Subject
        do {
            subject = try session.read(place)
        } catch {
            throw ShellFailure(error, at: path)
        }
        guard let content = try workspace.content(of: subject) else {
            throw ShellFailure(
                "no-content", .data, at: path, "no blob and no file: it has no content",
                advice: "'file \(path)' tells what it is")
        }
        guard let extract else { return try information(place, subject, content, workspace) }
        if extract == "-" { return Report(.bytes(try content.chunks())) }
        let size = try save(content, to: extract, session)
        return .record([
            Report.Field("path", .text(place.description)), Report.Field("file", .text(extract)),
            Report.Field("size", .size(size)),
        ])
    }

    // MARK: Facts

    private func information(
        _ place: Place, _ subject: Subject, _ content: Content, _ workspace: Workspace
    ) throws -> Report {
        let oid = content.blob ?? subject.record.oid
        let serial = try workspace.object(oid, at: place.at).serial
        var fields = [
            Report.Field(Report.Column("path", tone: .path), .text(place.description)),
            Report.Field("kind", .text(content.blob == nil ? "content in the database" : "blob")),
            Report.Field("oid", .oid(oid)), Report.Field("size", content.size.map { .size($0) } ?? .none),
            Report.Field("content_type", title: "type", content.mediaType.map { .text($0) } ?? .none),
            Report.Field("serial", .tid(serial)), Report.Field("time", .time(serial)),
        ]
        guard content.blob != nil, let storage = workspace.storage as? any BlobStorage else { return .record(fields) }
        do throws(StorageError) {
            let file = try storage.blobPath(oid, serial: serial)
            fields.append(Report.Field("where", .text(file ?? "on the server, which tells no size")))
            return .record(fields)
        } catch {
            // What the record says is shown all the same.
            fields.append(Report.Field("where", .alert("missing")))
            let failure = ShellFailure(error, at: path)
            return Report(.record(fields)) { Report.Conclusion(failures: [failure]) }
        }
    }

    // MARK: Extracting

    private func save(_ content: Content, to file: String, _ session: Session) throws -> Int {
        if !isForced, NewFile.exists(file) { throw ShellFailure.exists(file) }
        let new = try NewFile(beside: file)
        let chunks = try content.chunks()
        while let chunk = try chunks.next() {
            try session.interruption.check()
            try new.write(chunk)
            session.progress.update("extracting", new.size, "bytes", of: content.size)
        }
        try new.finish(replacing: isForced)
        return new.size
    }
}

extension ShellFailure {
    static func exists(_ file: String) -> ShellFailure {
        ShellFailure("exists", .refused, at: file, "the file exists", advice: "--force replaces it")
    }
}

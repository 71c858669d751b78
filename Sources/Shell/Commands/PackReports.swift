internal import ObjectGraph
internal import Storages
internal import ZODB

/// What a pack would drop, as a table: by class, and the objects of which most would go.
struct PackPreviewReport {
    let session: Session
    let top: Int

    func report(_ preview: PackPreview, _ tid: TransactionID) throws -> Report {
        typealias Field = Report.Field
        let fields = [
            Field("to", title: "packed to", .time(tid)),
            Field("objects_before", title: "objects", .integer(preview.objectsBefore)),
            Field("objects_dropped", title: "objects that would go", .integer(preview.droppedObjects)),
            Field("revisions_dropped", title: "revisions that would go", .integer(preview.droppedRevisions)),
            Field("bytes_before", title: "bytes before", .size(preview.bytesBefore)),
            Field("bytes_after", title: "bytes after", .size(preview.bytesAfter)),
            Field("dangling", title: "dangling references", .integer(preview.danglingCount)),
            Field("rescued", title: "kept, garbage then and used later", .integer(preview.rescued)),
        ]
        let classes = preview.classes.prefix(top).map { line -> [Cell] in
            [
                .text("class"), .text(line.className ?? "(class not readable)"), .integer(line.records),
                .size(line.bytes),
            ]
        }
        let losses = preview.largest.prefix(top)
        let places =
            (try? PathFinder(session.workspace).places(of: Set(losses.filter { !$0.isGarbage }.map(\.oid)))) ?? [:]
        let objects = losses.map { loss -> [Cell] in
            let place =
                loss.isGarbage ? "\(loss.oid) (nothing refers to it)" : places[loss.oid]?.description ?? "\(loss.oid)"
            return [.text("object"), .text(place), .none, .size(loss.bytes)]
        }
        let columns = [
            Report.Column("kind"), Report.Column("name", isFlexible: true), Report.Column("revisions"),
            Report.Column("bytes"),
        ]
        // The sum too, for who reads the rows alone: in a pipe there is nothing else.
        let all: [Cell] = [
            .text("all"), .text("\(grouped(preview.droppedObjects)) of \(grouped(preview.objectsBefore)) objects"),
            .integer(preview.droppedRevisions), .size(preview.bytesBefore - preview.bytesAfter),
        ]
        let rows = [all] + classes + objects
        var messages = try DanglingText(session: session).messages(preview.dangling, count: preview.danglingCount)
        if let reason = preview.redundancy { messages.insert(Report.Message("nothing to do: \(reason)"), at: 0) }
        let told = messages
        return Report(
            .detailed(fields, name: "dropped", Report.Table(columns, ArrayCursor(rows), total: rows.count))
        ) { Report.Conclusion(messages: told) }
    }
}

/// How far a pack is that somebody else has begun.
struct PackStatus {
    let session: Session

    func report() throws -> Report {
        let storage = try session.storage
        if storage is any RemoteStorage {
            // zeoserver has this field while it packs; Python's servers never have.
            guard let text = try storage.information().details.first(where: { $0.name == "pack" })?.value else {
                return none("no pack is known of (zeoserver tells of its own; of a Python server only its log does)")
            }
            return .record([Report.Field("pack", .text(text))])
        }
        guard let progress = packProgress(ofFileAt: storage.name) else { return none("nobody packs it") }
        return .record([
            Report.Field("phase", .text(progress.phase.rawValue)),
            Report.Field("done", .integer(progress.done)),
            Report.Field("total", .integer(progress.total)),
            Report.Field("percent", .integer(Int(progress.fraction * 100))),
            Report.Field("seconds", title: "time", .seconds(progress.elapsed)),
            Report.Field("remaining", title: "time left", progress.remaining.map { .seconds($0) } ?? .none),
        ])
    }

    private func none(_ text: String) -> Report {
        Report(.nothing) { Report.Conclusion(messages: [Report.Message(text)], isNegative: true) }
    }
}

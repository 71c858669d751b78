internal import ByteCoding
internal import Pickle
public import ZODB

/// A file that can be read anywhere: blobs in an export are read again when they are committed.
public protocol RandomAccessBytes: Sendable {
    /// What to call it in messages.
    var name: String { get }
    var count: Int { get }
    /// Exactly these bytes. The range lies within `0..<count`.
    func bytes(in range: Range<Int>) throws(StorageError) -> [UInt8]
}

extension Workspace {
    /// Stages the objects of a `.zexp` file under new oids, and makes the first of them a child of a container.
    ///
    /// - Parameters:
    ///   - name: nil for the id that the object has itself.
    ///   - options: `outside` says what becomes of references to objects that the file does not have: `refuse` (the
    ///     default) or `blank`.
    /// - Throws: `storage(corrupt)` for a file that is none, with the offset.
    @discardableResult
    public func importObjects(
        from file: some RandomAccessBytes, to container: Place, as name: String? = nil,
        _ options: CopyOptions = CopyOptions()
    ) throws(EditError) -> CopyResult {
        try atomically { () throws(EditError) in
            let members = try ExportReader(file).members(limit: options.limit, options.progress)
            try requireGeneration(of: members, file.name)
            let closure = Closure(members, in: self)
            var transplant = Transplant(self, closure, options.outside == .blank ? .blank : .refuse)
            let oid = try transplant.stage(at: file.name)
            let subject = try editedSubject(of: .object(oid, at: .staged(editCount)))
            let ownID = subject.text(of: "id") ?? subject.text(of: "__name__")
            guard let name = name ?? ownID, !name.isEmpty else {
                throw EditError(
                    .notFound, at: file.name, expected: "an object with an id", found: subject.kindText,
                    advice: "give a name for it")
            }
            try PlaceEditor(self, container).add(
                try reference(to: oid, for: try editedSubject(of: container).record, at: container.description),
                as: name, metaType: options.metaType)
            try adopt(oid, as: name, of: container, was: ownID, nil)
            return CopyResult(oid: oid, objectCount: members.count, blankedCount: transplant.blankedCount)
        }
    }

    /// Records of one Python cannot be put into the database of another.
    private func requireGeneration(of members: [Closure.Member], _ name: String) throws(EditError) {
        let mine = try EditError.wrap(name) { () throws(StorageError) in try generation() }
        for member in members {
            let theirs: PythonGeneration = PickleStyle(of: member.record.document).isPython2 ? .python2 : .python3
            // Of Python 2 a record may lack every sign.
            guard theirs != mine, theirs == .python2 || member.record.document.nodeCount > 2 else { continue }
            throw EditError(
                .unsupported, at: name, expected: "objects of Python \(mine.rawValue), like this database",
                found: "objects of Python \(theirs.rawValue): #\(member.record.oid)")
        }
    }
}

/// Reads a `.zexp` file.
struct ExportReader {
    private let file: any RandomAccessBytes
    /// A record, as opposed to a blob, of more bytes is taken for damage.
    private static let recordLimit = PickleDocument.maximumLength

    init(_ file: some RandomAccessBytes) { self.file = file }

    func members(limit: Int, _ progress: (Int) -> Void) throws(EditError) -> [Closure.Member] {
        do throws(StorageError) {
            return try read(limit: limit, progress)
        } catch {
            throw EditError(error, at: file.name)
        }
    }

    private func read(limit: Int, _ progress: (Int) -> Void) throws(StorageError) -> [Closure.Member] {
        var at = 0
        guard try take(4, &at, "header") == ExportFormat.magic else { throw damage("header, not ZEXP", 0) }
        var members: [Closure.Member] = []
        var seen: Set<ObjectID> = []
        while true {
            let start = at
            let header = try take(16, &at, "object header")
            if header == ExportFormat.end { break }
            let oid = ObjectID(rawValue: Self.number(header[..<8]))
            let length = Self.number(header[8...])
            guard length <= UInt64(Self.recordLimit) else { throw damage("record length \(length)", start + 8) }
            guard seen.insert(oid).inserted else { throw damage("object \(oid) for the second time", start) }
            guard members.count < limit else { throw .unsupported("\(file.name): more than \(limit) objects") }
            let data = try take(Int(length), &at, "record of \(oid)")
            let record = try ObjectRecord(Revision(data: data, serial: .none, next: nil), oid: oid)
            var member = Closure.Member(record: record, contents: nil)
            if record.className == Workspace.blobClass {
                guard try take(ExportFormat.blobMarker.count, &at, "blob of \(oid)") == ExportFormat.blobMarker else {
                    throw damage("marker of blob \(oid)", at)
                }
                let size = Self.number(try take(8, &at, "length of blob \(oid)")[...])
                guard size <= UInt64(file.count - at) else { throw damage("length \(size) of blob \(oid)", at - 8) }
                let range = at..<at + Int(size)
                let file = self.file
                member.contents = { () throws(StorageError) in RangeCursor(file, range) }
                at = range.upperBound
            }
            members.append(member)
            if members.count.isMultiple(of: 256) { progress(members.count) }
        }
        guard !members.isEmpty else { throw damage("no objects", at) }
        return members
    }

    private func take(_ count: Int, _ at: inout Int, _ what: String) throws(StorageError) -> [UInt8] {
        guard count <= file.count - at else {
            throw .corrupt(
                "\(file.name): \(what)", FormatError(.truncated(needed: count, available: file.count - at), at: at))
        }
        defer { at += count }
        return try file.bytes(in: at..<at + count)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private func damage(_ found: String, _ at: Int) -> StorageError {
        .corrupt("export file \(file.name)", FormatError(.invalid(field: "export", found: found), at: at))
    }
}

/// A part of a file, in chunks.
private final class RangeCursor: Cursor {
    private let file: any RandomAccessBytes
    private var range: Range<Int>

    private static let chunk = 64 << 10

    init(_ file: any RandomAccessBytes, _ range: Range<Int>) {
        (self.file, self.range) = (file, range)
    }

    func next() throws(StorageError) -> [UInt8]? {
        guard !range.isEmpty else { return nil }
        let end = min(range.lowerBound + Self.chunk, range.upperBound)
        defer { range = end..<range.upperBound }
        return try file.bytes(in: range.lowerBound..<end)
    }
}

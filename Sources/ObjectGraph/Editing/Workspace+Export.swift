internal import ByteCoding
internal import Pickle
public import ZODB

/// What an export wrote.
public struct ExportResult: Hashable, Sendable {
    public var objectCount: Int
    public var blobCount: Int
    /// References to what contains the object, which became `None`.
    public var blankedCount: Int
    /// Python's own import stops at a weak reference; ours does not.
    public var weakReferenceCount: Int
}

/// The form of `.zexp` files: `ZEXP`, for each object its oid, the length of its record (8 bytes each, big-endian) and
/// the record, for a blob then a marker, a length and its bytes; 16 bytes 0xff at the end.
///
/// Source: `ZODB/ExportImport.py`.
enum ExportFormat {
    static let magic: [UInt8] = Array("ZEXP".utf8)
    static let blobMarker: [UInt8] = [0] + Array("BLOBSTART".utf8)
    static let end = [UInt8](repeating: 0xff, count: 16)
}

extension Workspace {
    /// Writes an object, with all that can be reached from it, in the form that Zope exports and imports.
    ///
    /// References by names for the container (`__parent__`) are not followed; those that lead out become `None`.
    /// - Parameter write: takes the file's bytes, piece by piece.
    public func export(
        _ place: Place, limit: Int = 100_000, progress: (Int) -> Void = { _ in },
        to write: ([UInt8]) throws(StorageError) -> Void
    ) throws(EditError) -> ExportResult {
        let path = place.description
        guard place.node.isObject else {
            throw EditError(
                .unsupported, at: path, expected: "an object", found: "a value inside the record of #\(place.node.oid)")
        }
        let closure = try Closure(of: place, in: self, takingAll: true, limit: limit, progress: progress)
        var result = ExportResult(objectCount: 0, blobCount: 0, blankedCount: 0, weakReferenceCount: 0)
        try EditError.wrap(path) { () throws(StorageError) in try write(ExportFormat.magic) }
        for member in closure.members {
            let data = try exported(member.record, of: closure, &result, at: path)
            try EditError.wrap(path) { () throws(StorageError) in
                try interruption.check()
                var writer = ByteWriter(capacity: data.count + 16)
                writer.write(member.record.oid.rawValue)
                writer.write(UInt64(data.count))
                writer.write(data)
                try write(writer.bytes)
                if let contents = member.contents {
                    result.blobCount += 1
                    try self.write(blob: contents, of: member.record, to: write)
                }
            }
            result.objectCount += 1
        }
        try EditError.wrap(path) { () throws(StorageError) in try write(ExportFormat.end) }
        return result
    }

    private func exported(
        _ record: ObjectRecord, of closure: Closure, _ result: inout ExportResult, at path: String
    ) throws(EditError) -> [UInt8] {
        let style = try style(of: record, at: path)
        var (blanked, weak) = (0, 0)
        let data: [UInt8]
        do throws(PickleEditError) {
            data = try record.rewritingReferences(style: style) { site in
                if site.reference.kind == .weak { weak += 1 }
                guard site.isUpward, site.reference.kind == .strong, !closure.oids.contains(site.reference.oid) else {
                    return .keep
                }
                blanked += 1
                return .blank
            }
        } catch {
            throw EditError(
                .unsupported, at: "#\(record.oid), below \(path)", expected: "references that can be changed",
                found: "\(error)")
        }
        result.blankedCount += blanked
        result.weakReferenceCount += weak
        return data
    }

    /// The length comes first, so a blob whose storage does not know it is read twice.
    private func write(
        blob contents: StagedObject.BlobContents, of record: ObjectRecord,
        to write: ([UInt8]) throws(StorageError) -> Void
    ) throws(StorageError) {
        var size =
            record.serial.isStaged
            ? nil : try (storage as? any BlobStorage)?.blobSize(record.oid, serial: record.serial)
        if size == nil {
            var count = 0
            let chunks = try contents()
            while let chunk = try chunks.next() { count += chunk.count }
            size = count
        }
        let expected = size ?? 0
        var header = ByteWriter()
        header.write(ExportFormat.blobMarker)
        header.write(UInt64(expected))
        try write(header.bytes)
        var written = 0
        let chunks = try contents()
        while let chunk = try chunks.next() {
            try interruption.check()
            written += chunk.count
            try write(chunk)
        }
        guard written == expected else {
            throw .corrupt(
                "blob \(record.oid)",
                FormatError(.invalid(field: "length", found: "\(written) bytes where \(expected) were promised"), at: 0)
            )
        }
    }
}

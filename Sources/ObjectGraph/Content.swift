internal import ByteCoding
internal import Pickle
public import ZODB

/// The bytes that a file-like object is about.
public struct Content {
    /// Bytes, as the object or the storage has it noted; nil when only reading tells.
    public let size: Int?
    public let mediaType: String?
    /// The object that keeps the blob, for content in one: where `blob` commands look.
    public let blob: ObjectID?
    private let open: () throws(StorageError) -> any Cursor<[UInt8]>

    init(
        size: Int?, mediaType: String?, blob: ObjectID? = nil,
        open: @escaping () throws(StorageError) -> any Cursor<[UInt8]>
    ) {
        (self.size, self.mediaType, self.blob, self.open) = (size, mediaType, blob, open)
    }

    /// The content, piece by piece.
    public func chunks() throws(StorageError) -> any Cursor<[UInt8]> { try open() }

    /// The true size, by reading everything.
    public func measuredSize() throws(StorageError) -> Int {
        let chunks = try chunks()
        var size = 0
        while let chunk = try chunks.next() { size += chunk.count }
        return size
    }
}

extension Workspace {
    /// The content of a File, an Image, a blob, or whatever keeps one of these; nil for everything else.
    public func content(of node: Node) throws(StorageError) -> Content? { try content(of: try subject(of: node)) }

    public func content(of subject: Subject) throws(StorageError) -> Content? {
        if subject.isObject, subject.className == Self.blobClass { return try blob(subject, mediaType: nil) }
        let mediaType = subject.text(of: "content_type") ?? subject.text(of: "contentType")
        for name in ["_blob", "blob"] {
            guard let slot = subject.attribute(name), let reference = subject.document.strongReference(slot),
                reference.className == Self.blobClass
            else { continue }
            let node = Node(.attribute(name), slot, in: subject.record, at: subject.node.at, kind: .attribute)
            return try blob(try self.subject(of: node), mediaType: mediaType)
        }
        // OFS.Image.File and Image: `data`; plone.namedfile without blobs: `_data`. A chain's parts have the same name for theirs.
        for name in ["data", "_data"] where mediaType != nil || Self.isChunk(subject) {
            guard let slot = subject.attribute(name) else { continue }
            if let bytes = subject.document.stringBytes(slot) {
                return Content(size: bytes.count, mediaType: mediaType) { ArrayCursor([bytes]) }
            }
            let size = subject.attribute("size").flatMap { subject.document.int($0) }
            guard let reference = subject.document.strongReference(slot) else { continue }
            let at = subject.node.at
            return Content(size: size, mediaType: mediaType) { [self] in
                ChunkChain(self, first: reference.oid, attribute: name, at: at)
            }
        }
        return nil
    }

    static let blobClass = GlobalName(module: "ZODB.blob", name: "Blob")

    private static func isChunk(_ subject: Subject) -> Bool {
        guard let name = subject.className?.name else { return false }
        return (name == "Pdata" || name == "FileChunk") && subject.attribute("next") != nil
    }

    private func blob(_ subject: Subject, mediaType: String?) throws(StorageError) -> Content {
        let (oid, serial) = (subject.record.oid, subject.record.serial)
        guard let storage = storage as? any BlobStorage else {
            return Content(size: nil, mediaType: mediaType, blob: oid) { () throws(StorageError) in
                throw .unsupported("this storage has no blobs")
            }
        }
        var size: Int?
        do throws(StorageError) {
            size = try storage.blobSize(oid, serial: serial)
        } catch {
            switch error {
            case .noBlob, .unsupported: break
            default: throw error
            }
        }
        return Content(size: size, mediaType: mediaType, blob: oid) { () throws(StorageError) in
            try storage.blob(oid, serial: serial)
        }
    }
}

/// `Pdata` objects, each with its piece and a reference to the next.
private final class ChunkChain: Cursor {
    private let workspace: Workspace
    private let attribute: String
    private let at: TransactionID
    private var upcoming: ObjectID?
    private var seen: Set<ObjectID> = []

    init(_ workspace: Workspace, first: ObjectID, attribute: String, at: TransactionID) {
        (self.workspace, self.attribute, self.at) = (workspace, attribute, at)
        upcoming = first
    }

    func next() throws(StorageError) -> [UInt8]? {
        guard let oid = upcoming else { return nil }
        upcoming = nil
        guard seen.insert(oid).inserted else {
            throw damage(oid, "next", "a chunk that came before: the chain is a ring")
        }
        let subject = Subject(.object(oid, at: at), record: try workspace.object(oid, at: at))
        guard let slot = subject.attribute(attribute), let bytes = subject.document.stringBytes(slot) else {
            throw damage(oid, attribute, "no bytes")
        }
        if let slot = subject.attribute("next") {
            if let reference = subject.document.strongReference(slot) {
                upcoming = reference.oid
            } else if subject.document[slot] != .none {
                throw damage(oid, "next", subject.document[slot].kindWord)
            }
        }
        return bytes
    }

    private func damage(_ oid: ObjectID, _ field: String, _ found: String) -> StorageError {
        .corrupt("chunk \(oid) of a file", FormatError(.invalid(field: field, found: found), at: 0))
    }
}

internal import ByteCoding
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The list of blob revisions that a pack drops, in the file `.removed` of the blob directory: a line of 16 digits for an
/// object that goes as a whole, of 32 for a revision.
///
/// The file is Python's. Nothing in it is believed: whoever removes a blob looks whether its revision is still there. So one
/// that a crash left behind is no harm, and is gone through by the next pack, whether or not that has anything to do.
final class DroppedBlobs {
    private static let flushSize = 64 << 10

    let directory: BlobDirectory
    let path: String
    private let file: DataFile
    private var size: Int
    /// What a pack that was cut off has left in it.
    private let earlierSize: Int
    private var buffer: [UInt8] = []
    private var failure: StorageError?

    /// The list that a pack has left which was cut off; nil when there is none.
    static func left(in directory: BlobDirectory, calls: FileCalls) throws(StorageError) -> DroppedBlobs? {
        guard FileIdentity(path: path(in: directory)) != nil else { return nil }
        return try DroppedBlobs(directory, calls: calls)
    }

    private static func path(in directory: BlobDirectory) -> String { "\(directory.path)/.removed" }

    init(_ directory: BlobDirectory, calls: FileCalls) throws(StorageError) {
        self.directory = directory
        path = Self.path(in: directory)
        do throws(StorageError) {
            file = try DataFile(path, .writing, calls: calls)
        } catch .io(_, errno: ENOENT) {
            file = try DataFile(path, .creating(permissions: 0o666), calls: calls)
        }
        size = try file.size()
        earlierSize = size
        // A line that a crash has cut short is no line.
        if size > 0 { buffer.append(UInt8(ascii: "\n")) }
    }

    /// - Parameter serial: nil for all revisions.
    func add(_ oid: ObjectID, serial: TransactionID?) {
        buffer += Array("\(oid.hex)\(serial?.hex ?? "")\n".utf8)
        if buffer.count > Self.flushSize { flush() }
    }

    private func flush() {
        guard failure == nil else { return }
        do throws(StorageError) {
            try file.write(buffer, at: size)
            size += buffer.count
            buffer.removeAll(keepingCapacity: true)
        } catch {
            failure = error
        }
    }

    /// - Throws: what kept it from being written.
    func sync() throws(StorageError) {
        flush()
        if let failure { throw failure }
        try file.sync()
    }

    /// Calls `body` with each line.
    func forEach(
        _ body: (ObjectID, TransactionID?) throws(StorageError) -> Void
    ) throws(StorageError) {
        var rest: [UInt8] = []
        var offset = 0
        while true {
            let chunk = try file.bytes(at: offset, count: Self.flushSize)
            guard !chunk.isEmpty else { return }
            offset += chunk.count
            rest += chunk
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest.removeSubrange(...end)
                guard let bytes = Hexadecimal.bytes(line), bytes.count == 8 || bytes.count == 16,
                    let oid = ObjectID(bytes: bytes[..<8])
                else { continue }
                try body(oid, bytes.count == 16 ? TransactionID(bytes: bytes[8...]) : nil)
            }
        }
    }

    func remove() { Directories.remove(path) }

    /// Forgets what was added, and nothing else: what an earlier pack has left is still to be gone through.
    func giveUp() {
        buffer.removeAll()
        if earlierSize == 0 { remove() } else { try? file.truncate(to: earlierSize) }
    }
}

/// Takes the blobs of dropped revisions out of the blob directory, or moves them to another one beside it.
struct BlobRemoval {
    let storage: FileStorage
    let list: DroppedBlobs
    private var keepsOld: Bool
    /// Blobs of transactions after that one are not touched.
    let last: TransactionID
    let watch: PackWatch
    /// The pack before had begun with it, and was cut off: what it has moved to the old directory stays there.
    private var completesEarlier = false
    /// Revisions of listed objects that are in the file, whatever its index says.
    private var present: Set<BlobRevision> = []
    private(set) var count = 0

    private struct BlobRevision: Hashable {
        var oid: ObjectID
        var serial: TransactionID
    }

    /// What a pack that was cut off has left, as the file is now.
    ///
    /// The file was not made anew, and its index may be an old one that lacks objects: so the file itself is asked what it has.
    /// - Parameter keepsOld: old blobs are kept in any case where there is a directory of them, for the old file.
    init(
        completing list: DroppedBlobs, of storage: FileStorage, _ source: PackSource, end: FileEnd, keepsOld: Bool
    ) throws(StorageError) {
        self.init(storage, list, keepsOld: keepsOld, last: end.last?.tid ?? .none, watch: source.watch)
        if try Directories.names(in: oldPath) != nil { self.keepsOld = true }
        completesEarlier = true
        var listed: Set<ObjectID> = []
        try list.forEach { (oid, _) throws(StorageError) in listed.insert(oid) }
        guard !listed.isEmpty else { return }
        var scanner = try source.scanner(from: FileFormat.firstTransaction, to: end.position)
        while try scanner.next() {
            if listed.contains(scanner.oid) { present.insert(BlobRevision(oid: scanner.oid, serial: scanner.serial)) }
        }
    }

    init(_ storage: FileStorage, _ list: DroppedBlobs, keepsOld: Bool, last: TransactionID, watch: PackWatch) {
        self.storage = storage
        self.list = list
        self.keepsOld = keepsOld
        self.last = last
        self.watch = watch
    }

    private var directory: BlobDirectory { list.directory }
    private var oldPath: String { directory.path + ".old" }

    mutating func perform() throws(StorageError) {
        if keepsOld {
            // The old one belongs to an older data file.
            if !completesEarlier { try Directories.removeTree(oldPath) }
            try Directories.make(oldPath)
            try keep(".layout")
        }
        try list.forEach { (oid, serial) throws(StorageError) in
            let serials = if let serial { [serial] } else { try directory.serials(of: oid) }
            for serial in serials {
                try watch.advance(to: count)
                guard serial <= last, !present.contains(BlobRevision(oid: oid, serial: serial)),
                    try !storage.hasRevision(oid, serial)
                else { continue }
                try remove(oid, serial)
            }
        }
        if keepsOld { try keepRest(under: "") }
        list.remove()
    }

    private mutating func remove(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) {
        let path = try directory.knownPath(of: oid, serial: serial)
        if keepsOld {
            let target = oldPath + path.dropFirst(directory.path.count)
            try Directories.make(Directories.parent(of: target))
            do throws(StorageError) {
                try Directories.rename(path, to: target)
            } catch .io(_, errno: ENOENT) {
                return
            }
        } else {
            // The list may have it twice.
            guard Directories.removed(path) else { return }
        }
        count += 1
        var parent = Directories.parent(of: path)
        while parent.utf8.count > directory.path.utf8.count, Directories.removeEmpty(parent) {
            parent = Directories.parent(of: parent)
        }
    }

    /// Gives the blobs that stay a second name in the old directory: it is whole then.
    private func keepRest(under relative: String) throws(StorageError) {
        for name in try Directories.names(in: directory.path + relative) ?? [] where !name.hasPrefix(".") {
            if name.hasSuffix(".blob") {
                try keep(String((relative + "/" + name).dropFirst()))
            } else if relative != "" || name != "tmp" {
                try watch.advance(to: count)
                try keepRest(under: relative + "/" + name)
            }
        }
    }

    private func keep(_ relative: String) throws(StorageError) {
        let target = "\(oldPath)/\(relative)"
        try Directories.make(Directories.parent(of: target))
        do throws(StorageError) {
            try Directories.link("\(directory.path)/\(relative)", to: target)
        } catch .io(_, errno: EEXIST) {
            return
        } catch .io(_, errno: ENOENT) {
            return
        }
    }
}

extension BlobDirectory {
    /// The revisions of an object whose files are there.
    fileprivate func serials(of oid: ObjectID) throws(StorageError) -> [TransactionID] {
        let folder = Directories.parent(of: try knownPath(of: oid, serial: .none))
        return try Directories.names(in: folder)?.compactMap { name in
            guard name.hasPrefix("0x"), name.hasSuffix(".blob"),
                let bytes = Hexadecimal.bytes(name.dropFirst(2).dropLast(5)), bytes.count <= 8
            else { return nil }
            return TransactionID(bytes: [UInt8](repeating: 0, count: 8 - bytes.count) + bytes)
        } ?? []
    }
}

extension FileStorage {
    /// Whether the file has, or is about to have, that revision of the object.
    fileprivate func hasRevision(_ oid: ObjectID, _ serial: TransactionID) throws(StorageError) -> Bool {
        if writer?.core.withLock({ $0.pending.positions[oid] != nil }) == true { return true }
        let (view, position) = try lookUp(oid)
        guard let position else { return false }
        let reader = recordReader(for: view)
        var record: RecordReader.Record? = try reader.read(at: position, oid: oid, withData: false)
        while let current = record {
            if current.header.serial <= serial { return current.header.serial == serial }
            record = try reader.older(than: current)
        }
        return false
    }
}

internal import ByteCoding
package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The directory that holds the blobs of a database, a file for each revision.
///
/// How they lie in it, the marker file `.layout` says. Source: ZODB 6, `src/ZODB/blob.py`.
package struct BlobDirectory: Sendable {
    package enum Layout: String, CaseIterable, Sendable {
        /// A directory for each byte of the oid: `0x00/0x00/…/0x02/0x040d271d214343aa.blob`.
        case bushy
        /// One directory for each oid: `0x02/0x040d271d217a6411.blob`.
        case lawn
        /// The cache of a ZEO client, by the oid's remainder and quotient by 997: `2/0.040d271d2168d911.blob`.
        case zeocache
    }

    let path: String
    /// What the marker says; without one, both layouts that a server may use, the likelier first.
    let layouts: [Layout]

    /// - Throws: `io` when there is no such directory, `unsupported` when its marker names a layout of later times.
    init(_ path: String) throws(StorageError) {
        self.path = path
        let isEmpty = try Self.isEmpty(path)
        guard let marker = try Self.marker(in: path) else {
            // Python takes a directory without marker for a lawn unless nothing is in it, because the first releases
            // wrote none. A copy may have lost the marker as well: so the other layout is tried too.
            layouts = isEmpty ? [.bushy, .lawn] : [.lawn, .bushy]
            return
        }
        guard let layout = Layout(rawValue: marker) else {
            throw .unsupported("\(path): a blob directory of the layout '\(marker)'")
        }
        layouts = [layout]
    }

    /// Where the blob's file may be, from the directory.
    package static func file(of oid: ObjectID, serial: TransactionID, in layout: Layout) -> String {
        let name = "\(ObjectID(rawValue: serial.rawValue)).blob"
        switch layout {
        case .bushy:
            let directories = oid.bytes.map { "0x\(Hexadecimal.text($0, width: 2))/" }
            return directories.joined() + name
        case .lawn:
            return "\(oid)/\(name)"
        case .zeocache:
            return "\(oid.rawValue % 997)/\(oid.rawValue / 997).\(serial.hex).blob"
        }
    }

    /// - Throws: `noBlob` when the file is missing; `io`.
    func open(_ oid: ObjectID, serial: TransactionID, calls: FileCalls) throws(StorageError) -> DataFile {
        for layout in layouts {
            do throws(StorageError) {
                return try DataFile("\(path)/\(Self.file(of: oid, serial: serial, in: layout))", calls: calls)
            } catch .io(_, errno: ENOENT) {
                continue
            } catch .io(_, errno: ENOTDIR) {
                continue
            }
        }
        throw .noBlob(oid, serial: serial, "\(path)/\(Self.file(of: oid, serial: serial, in: layouts[0])) is missing")
    }

    /// Whether the directory holds nothing but hidden files.
    static func isEmpty(_ path: String) throws(StorageError) -> Bool {
        guard let directory = unsafe opendir(path) else { throw .io(path, errno: errno) }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            if unsafe entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { return false }
        }
        return true
    }

    private static func marker(in path: String) throws(StorageError) -> String? {
        do throws(StorageError) {
            let bytes = try DataFile("\(path)/.layout").bytes(at: 0, count: 64)
            return String(decoding: bytes.filter { $0 > 0x20 && $0 < 0x7f }, as: UTF8.self)
        } catch .io(_, errno: ENOENT) {
            return nil
        }
    }
}

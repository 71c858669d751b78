internal import ByteCoding
package import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The files of a blob directory, one after the other, and what revision each is of.
///
/// Only names are read. Hidden files and `tmp` are passed over; what has no name of a blob is given without a revision.
package final class BlobListing: Cursor {
    package struct Entry: Hashable, Sendable {
        /// From the directory: `0x00/…/0x02/0x040d271d214343aa.blob`.
        package var name: String
        package var oid: ObjectID?
        package var serial: TransactionID?
    }

    /// The path, as given.
    package let path: String
    private let directory: BlobDirectory
    private var folders = [""]
    private var names: [String] = []
    private var folder = ""

    /// - Throws: `io` when there is no such directory; `unsupported` when its layout is unknown.
    package init(_ path: String) throws(StorageError) {
        self.path = path
        directory = try BlobDirectory(path)
    }

    /// Whether the revision's file is there.
    package func has(_ oid: ObjectID, serial: TransactionID) -> Bool {
        directory.layouts.contains {
            access("\(path)/\(BlobDirectory.file(of: oid, serial: serial, in: $0))", F_OK) == 0
        }
    }

    /// Where the revision's file should be.
    package func expectedPath(_ oid: ObjectID, serial: TransactionID) -> String {
        "\(path)/\(BlobDirectory.file(of: oid, serial: serial, in: directory.layouts[0]))"
    }

    package func next() throws(StorageError) -> Entry? {
        while true {
            if let name = names.popLast() {
                let relative = folder + name
                if Self.isDirectory("\(path)/\(relative)") {
                    if !(folder.isEmpty && name == "tmp") { folders.append(relative + "/") }
                    continue
                }
                if name.hasSuffix(".lock") || name.hasPrefix("check_size") { continue }
                return Self.entry(relative)
            }
            guard let next = folders.popLast() else { return nil }
            folder = next
            names = try Self.names(in: "\(path)/\(next)")
        }
    }

    private static func entry(_ name: String) -> Entry {
        var entry = Entry(name: name)
        let parts = name.split(separator: "/")
        guard let file = parts.last, file.hasSuffix(".blob") else { return entry }
        let stem = file.dropLast(5)
        if stem.hasPrefix("0x") {
            entry.serial = UInt64(stem.dropFirst(2), radix: 16).map(TransactionID.init(rawValue:))
            let digits = parts.dropLast().map { $0.hasPrefix("0x") ? $0.dropFirst(2) : "?" }.joined()
            entry.oid = UInt64(digits, radix: 16).map(ObjectID.init(rawValue:))
        } else if let dot = stem.firstIndex(of: "."), parts.count == 2, let remainder = UInt64(parts[0]),
            let quotient = UInt64(stem[..<dot]), quotient < UInt64.max / 997 - 1
        {
            entry.oid = ObjectID(rawValue: quotient * 997 + remainder)
            entry.serial = UInt64(stem[stem.index(after: dot)...], radix: 16).map(TransactionID.init(rawValue:))
        }
        return entry
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func names(in path: String) throws(StorageError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw .io(path, errno: errno) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted(by: >)
    }
}

internal import ByteCoding
internal import Pickle
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What records refer to, strongly: what a garbage collection follows.
struct PackReferences: ~Copyable {
    private var scanner = ReferenceScanner()
    private var parsed: [UInt64] = []
    private var isParsed = false

    /// The oids that the record refers to, repeats included.
    var found: [UInt64] { isParsed ? parsed : scanner.references }

    /// Whether the record may refer to anything. Every reference is an operand of BINPERSID, unless the record is
    /// compressed. (PERSID, the same in text, is not used by ZODB.)
    @inline(__always)
    static func mayRefer(_ record: UnsafeRawBufferPointer) -> Bool {
        guard let start = record.baseAddress else { return false }
        return unsafe record.first == UInt8(ascii: ".") || memchr(start, 0x51, record.count) != nil
    }

    /// - Throws: `corrupt` when it cannot be told: then nothing may be dropped.
    mutating func read(_ record: UnsafeRawBufferPointer, of oid: ObjectID) throws(StorageError) {
        isParsed = unsafe scanner.scan(record: record) != .complete
        guard isParsed else { return }
        let revision = unsafe Revision(data: Array(record), serial: .none, next: nil)
        do throws(StorageError) {
            parsed = try ObjectRecord(revision, oid: oid).document.references.filter { $0.kind == .strong }
                .map(\.oid.rawValue)
        } catch {
            throw .unsupported(
                "\(error): nobody can tell what it refers to, and what a pack would drop; nothing was changed. Repair "
                    + "the object, or pack without garbage collection")
        }
    }
}

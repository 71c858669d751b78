import ByteCoding
import Testing
import ZODB
import ZODBFile

/// Writes a Data.fs by the book, and against it: what no Python would write has to be read too.
struct FileBuilder {
    enum Record {
        case data(UInt64, String)
        /// A back pointer to a position.
        case back(UInt64, to: UInt64)
        /// A record of a version, whose object's last public record is at a position.
        case version(UInt64, String, publicAt: UInt64)
        /// Data, with a wrong previous position.
        case previous(UInt64, String, at: UInt64)

        var oid: UInt64 {
            switch self {
            case .data(let oid, _), .back(let oid, _), .version(let oid, _, _), .previous(let oid, _, _): oid
            }
        }
    }

    private(set) var bytes: [UInt8]
    private(set) var positions: [UInt64: UInt64] = [:]
    private var nextTID: UInt64 = 0x050d_0000_0000_0000
    private let directory = try? TemporaryDirectory()

    init(continuing bytes: [UInt8] = Array("FS30".utf8)) { self.bytes = bytes }

    /// Appends a transaction; its tid.
    @discardableResult
    mutating func transaction(_ records: [Record], status: Unicode.Scalar = " ", description: String = "")
        -> TransactionID
    {
        let start = UInt64(bytes.count)
        var body = ByteWriter()
        var found: [UInt64: UInt64] = [:]
        let head = 23 + description.utf8.count
        for record in records {
            found[record.oid] = start + UInt64(head + body.bytes.count)
            write(record, to: &body, transaction: start)
        }
        let length = UInt64(head + body.bytes.count)
        var writer = ByteWriter()
        writer.write(nextTID)
        writer.write(length)
        writer.write(UInt8(ascii: status))
        writer.write(UInt16(0))
        writer.write(UInt16(description.utf8.count))
        writer.write(UInt16(0))
        writer.write(description.utf8)
        writer.write(body.bytes)
        writer.write(length)
        bytes += writer.bytes
        positions.merge(found) { $1 }
        defer { nextTID += 1 }
        return TransactionID(rawValue: nextTID)
    }

    private func write(_ record: Record, to body: inout ByteWriter, transaction: UInt64) {
        body.write(record.oid)
        body.write(nextTID)
        if case .previous(_, _, let position) = record {
            body.write(position)
        } else {
            body.write(positions[record.oid] ?? 0)
        }
        body.write(transaction)
        switch record {
        case .data(_, let data), .previous(_, let data, _):
            body.write(UInt16(0))
            body.write(UInt64(data.utf8.count))
            body.write(data.utf8)
        case .back(_, let position):
            body.write(UInt16(0))
            body.write(UInt64(0))
            body.write(position)
        case .version(_, let data, let position):
            body.write(UInt16(2))
            body.write(UInt64(data.utf8.count))
            body.write(position)
            body.write(UInt64(0))
            body.write("v1".utf8)
            body.write(data.utf8)
        }
    }

    func write() throws -> String { try #require(directory).write(bytes) }

    func storage() throws -> FileStorage { try FileStorage(write()) }
}

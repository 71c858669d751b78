internal import ZODB

/// Recognizes the record of a blob: its class is `ZODB.blob.Blob`.
package enum BlobRecord {
    package static func isBlob(_ data: [UInt8]) -> Bool {
        // A cheap look first: a blob's record has 25 bytes, with a transformation a few more.
        guard data.count < 1024, let plain = try? RecordTransformation.undone(data, limit: 4096) else { return false }
        let marker = Array("cZODB.blob\nBlob\n".utf8)
        // Behind the protocol, where one is named.
        let start = plain.first == 0x80 ? 2 : 0
        return plain.count > start + marker.count && plain[start..<start + marker.count].elementsEqual(marker)
    }
}

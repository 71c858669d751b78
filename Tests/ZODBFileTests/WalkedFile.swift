import ByteCoding
import ZODB

/// `expected/NAME.fs.json`: a Data.fs as Python's own iterator walks it.
struct WalkedFile: Decodable {
    struct Transaction: Decodable {
        var pos: Int, tid: String, tlen: Int, status: String
        var user: Text, description: Text
        var extensionHex: String
        var unix: Double
        var records: [Record]

        enum CodingKeys: String, CodingKey {
            case pos, tid, tlen, status, user, description, unix, records
            case extensionHex = "extension_hex"
        }
    }

    struct Record: Decodable {
        struct Content: Decodable {
            var len: Int, sha1: String
        }

        var pos: Int, oid: String, tid: String, prev: UInt64, tloc: UInt64, plen: UInt64
        var back: UInt64?
        var version: String?
        var pnv: UInt64?
        var data: Content?
        var dataTransaction: String?

        enum CodingKeys: String, CodingKey {
            case pos, oid, tid, prev, tloc, plen, back, version, pnv, data
            case dataTransaction = "data_txn"
        }
    }

    struct Current: Decodable {
        var tid: String?, pos: Int?, len: Int?
        /// Present where Python raises the error.
        var isMissing: Bool?

        enum CodingKeys: String, CodingKey {
            case tid, pos, len
            case isMissing = "POSKeyError"
        }
    }

    var magic: String
    var size: Int
    var end: Int
    var objects: Int
    var lastTID: String
    var largestOID: String
    var transactions: [Transaction]
    var current: [String: Current]

    enum CodingKeys: String, CodingKey {
        case magic, transactions, current
        case size = "file_size"
        case end = "end_of_valid_data"
        case objects = "objects_in_index"
        case lastTID = "last_tid"
        case largestOID = "max_oid"
    }

    /// A string, or `{"hex": …}` where the bytes are not UTF-8.
    struct Text: Decodable {
        var bytes: [UInt8]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                bytes = Array(text.utf8)
            } else {
                let hex = try container.decode([String: String].self)["hex"]
                bytes = hex.flatMap { Hexadecimal.bytes($0) } ?? []
            }
        }
    }
}

extension WalkedFile.Transaction {
    /// What `TransactionSummary` should be.
    var summary: TransactionSummary {
        TransactionSummary(
            tid: TransactionID(hex: tid), status: .init(rawValue: status.utf8.first ?? 0) ?? .other,
            user: user.bytes, description: description.bytes, extensionData: Hexadecimal.bytes(extensionHex) ?? [],
            length: tlen)
    }
}

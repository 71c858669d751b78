internal import ByteCoding

/// A transaction of a dump.
public struct DumpedTransaction: Hashable, Sendable {
    public var tid: TransactionID
    /// The byte of the status, as written.
    public var status: UInt8
    public var metadata: TransactionMetadata
    public var records: [Record]

    public struct Record: Hashable, Sendable {
        public enum Content: Hashable, Sendable {
            case data([UInt8])
            /// The object's data as of that transaction.
            case copy(of: TransactionID)
            case deletion
        }

        public var oid: ObjectID
        public var content: Content
    }
}

/// Reads what `DumpWriter` or `zodb dump` has written, a transaction at a time, and compares the data with its hashes.
public struct DumpReader {
    public typealias Source = () throws(StorageError) -> [UInt8]

    private let name: String
    private let source: Source
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    /// Bytes taken so far.
    public private(set) var offset = 0
    private var line = 0

    /// Three strings of 65,535 bytes, each byte four characters.
    private static let longestLine = 4 * 65_535 + 1024
    private static let largestRecord = 1 << 30

    /// - Parameters:
    ///   - name: what to call it in messages.
    ///   - source: gives the bytes, piece by piece; an empty piece is the end.
    public init(_ name: String, _ source: @escaping Source) {
        self.name = name
        self.source = source
    }

    /// The next transaction; nil at the end.
    /// - Throws: `corrupt` with the line, when the text is no dump or data does not have its hash; `unsupported` for a
    ///   dump that has hashes only; what the source throws.
    public mutating func next() throws(StorageError) -> DumpedTransaction? {
        guard let head = try readLine() else { return nil }
        let words = head.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3, words[0].elementsEqual("txn".utf8), let tid = Self.number(words[1]),
            let status = DumpQuoting.unquoted(words[2]), status.count == 1
        else { throw damage("beginning of a transaction", head) }
        var metadata = TransactionMetadata()
        metadata.user = try readString("user")
        metadata.description = try readString("description")
        metadata.extensionData = try readString("extension")
        var transaction = DumpedTransaction(
            tid: TransactionID(rawValue: tid), status: status[0], metadata: metadata, records: [])
        while true {
            guard let text = try readLine() else { throw damage("transaction", Array("it has no end".utf8)) }
            if text.isEmpty { return transaction }
            transaction.records.append(try readRecord(text))
        }
    }

    private mutating func readString(_ field: String) throws(StorageError) -> [UInt8] {
        guard let text = try readLine() else { throw damage(field, Array("the end".utf8)) }
        let prefix = Array((field + " ").utf8)
        guard text.starts(with: prefix), let bytes = DumpQuoting.unquoted(text[prefix.count...]) else {
            throw damage(field, text)
        }
        return bytes
    }

    private mutating func readRecord(_ text: [UInt8]) throws(StorageError) -> DumpedTransaction.Record {
        let words = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count >= 3, words[0].elementsEqual("obj".utf8), let number = Self.number(words[1]) else {
            throw damage("line of an object", text)
        }
        let oid = ObjectID(rawValue: number)
        if words.count == 3, words[2].elementsEqual("delete".utf8) {
            return DumpedTransaction.Record(oid: oid, content: .deletion)
        }
        if words.count == 4, words[2].elementsEqual("from".utf8), let source = Self.number(words[3]) {
            return DumpedTransaction.Record(oid: oid, content: .copy(of: TransactionID(rawValue: source)))
        }
        let isHashOnly = words.count == 5 && words[4].elementsEqual("-".utf8)
        guard words.count == 4 || isHashOnly, let size = Int(String(decoding: words[2], as: UTF8.self)), size > 0,
            size <= Self.largestRecord
        else { throw damage("line of an object", text) }
        guard !isHashOnly else {
            throw .unsupported("\(name), line \(line): a dump of hashes alone, from which nothing can be restored")
        }
        let expected = words[3].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard expected.count == 2 else { throw damage("hash", text) }
        let function = String(decoding: expected[0], as: UTF8.self)
        let data = try read(size)
        guard try read(1) == [10] else { throw damage("end of an object's data", Array("no line end".utf8)) }
        let found = try hash(function, data)
        guard expected[1].elementsEqual(found.utf8) else {
            throw damage("\(function) of the data of \(oid)", Array("\(found), not as written".utf8))
        }
        line += data.count { $0 == 10 } + 1
        return DumpedTransaction.Record(oid: oid, content: .data(data))
    }

    private func hash(_ function: String, _ data: [UInt8]) throws(StorageError) -> String {
        switch function {
        case "sha1": return Hexadecimal.text(SHA1.digest(data))
        case "sha256": return Hexadecimal.text(SHA256.digest(data))
        case "null": return "00"
        default:
            throw .unsupported("\(name), line \(line): the hash '\(function)'; sha1, sha256 and null are known")
        }
    }

    /// 16 hexadecimal digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard digits.count == 16, let bytes = Hexadecimal.bytes(String(decoding: digits, as: UTF8.self)) else {
            return nil
        }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Bytes

    /// Without its end; nil at the end of the source.
    private mutating func readLine() throws(StorageError) -> [UInt8]? {
        var searched = 0
        while true {
            if let end = buffer[(start + searched)...].firstIndex(of: 10) {
                let text = Array(buffer[start..<end])
                offset += end + 1 - start
                start = end + 1
                line += 1
                return text
            }
            searched = buffer.count - start
            guard searched <= Self.longestLine else {
                throw damage("line", Array("longer than \(Self.longestLine) bytes".utf8))
            }
            guard try fill() else {
                guard searched == 0 else { throw damage("line", Array("it has no end".utf8)) }
                return nil
            }
        }
    }

    private mutating func read(_ count: Int) throws(StorageError) -> [UInt8] {
        while buffer.count - start < count {
            guard try fill() else {
                let needed = FormatError.Reason.truncated(needed: count, available: buffer.count - start)
                throw .corrupt("\(name), line \(line)", FormatError(needed, at: offset))
            }
        }
        let bytes = Array(buffer[start..<start + count])
        start += count
        offset += count
        return bytes
    }

    /// - Returns: false at the end.
    private mutating func fill() throws(StorageError) -> Bool {
        guard !isAtEnd else { return false }
        let piece = try source()
        isAtEnd = piece.isEmpty
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += piece
        return !isAtEnd
    }

    private func damage(_ field: String, _ found: [UInt8]) -> StorageError {
        let shown = found.prefix(60).map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }
        let text = "'\(String(decoding: shown, as: UTF8.self))'"
        return .corrupt("\(name), line \(line)", FormatError(.invalid(field: field, found: text), at: offset))
    }
}

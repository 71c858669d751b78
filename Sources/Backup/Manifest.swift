internal import ByteCoding
public import ZODB

/// What a backup of ours says of itself, beside the files that repozo knows: `NAME.manifest`, text, a line a fact.
///
///     zeoshell-backup 1
///     source file /srv/Data.fs
///     data 2026-11-27-21-09-12.deltafs 7619 9034 d41d8cd98f00b204e9800998ecf8427e
///     last 040d271d2168d911
///     objects 498
///     blob 0000000000000002 040d271d2168d911 1234 e3b0c442…
///     missing-blob 0000000000000003 040d271d2168d911
///     end 3f1c9a…
///
/// The last line has the SHA-256 of all before it: a manifest without it, or with another, is not believed. The blobs are
/// those whose records are in this chunk. `docs/formats/backup.md` has every line.
public struct Manifest: Hashable, Sendable {
    /// Where the bytes came from. A chain has chunks of one kind only: the same transactions have other positions in a
    /// file that was written from a server's answers.
    public enum Source: String, Hashable, Sendable {
        case file, server
    }

    /// A blob's file: size in bytes, and the SHA-256 of its content in hexadecimal digits.
    public struct Blob: Hashable, Sendable {
        public var oid: ObjectID
        public var serial: TransactionID
        public var size: Int
        public var sha256: String
    }

    /// A blob whose record is there and whose file was not.
    public struct MissingBlob: Hashable, Sendable {
        public var oid: ObjectID
        public var serial: TransactionID
    }

    public var source: Source
    /// A path or an address, for people.
    public var place: String
    public var chunk: ChunkFile
    public var start: Int, end: Int
    public var md5: String
    /// The last transaction of the chunk, or of those before it when it has none.
    public var last: TransactionID
    /// Objects in the index at that moment, deleted ones included; nil when nobody counted.
    public var objectCount: Int?
    /// The Python of the database, as the magic of the Data.fs says.
    public var generation: PythonGeneration?
    /// The first transaction that no pack had been over, as far as a server told.
    public var firstUnpacked: TransactionID?
    /// Whether blobs were backed up at all.
    public var hasBlobs = false
    public var blobs: [Blob] = []
    public var missingBlobs: [MissingBlob] = []

    static func fileName(of name: BackupName) -> String { "\(name).manifest" }
}

extension Manifest {
    private static let heading = "zeoshell-backup 1"

    var bytes: [UInt8] {
        var lines = [
            Self.heading, "source \(source.rawValue) \(place.split(separator: "\n").joined(separator: " "))",
            "data \(chunk.fileName) \(start) \(end) \(md5)",
            "last \(last.hex)",
        ]
        if let objectCount { lines.append("objects \(objectCount)") }
        if let generation { lines.append("python \(generation.rawValue)") }
        if let firstUnpacked { lines.append("unpacked-from \(firstUnpacked.hex)") }
        if hasBlobs { lines.append("blobs \(blobs.count)") }
        for blob in blobs { lines.append("blob \(blob.oid.hex) \(blob.serial.hex) \(blob.size) \(blob.sha256)") }
        for blob in missingBlobs { lines.append("missing-blob \(blob.oid.hex) \(blob.serial.hex)") }
        let text = Array((lines.joined(separator: "\n") + "\n").utf8)
        return text + Array("end \(Hexadecimal.text(SHA256.digest(text)))\n".utf8)
    }

    /// - Returns: nil when it is no manifest, or damaged.
    init?(_ bytes: [UInt8]) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let ending = lines.last, lines.first == Self.heading[...], lines.count >= 5 else { return nil }
        let text = bytes.dropLast(ending.utf8.count + 1)
        guard ending == "end \(Hexadecimal.text(SHA256.digest(Array(text))))" else { return nil }
        let source = lines[1].split(separator: " ", maxSplits: 2).map(String.init)
        let data = lines[2].split(separator: " ")
        guard source.count >= 2, source[0] == "source", let kind = Source(rawValue: source[1]), data.count == 5,
            data[0] == "data", let chunk = ChunkFile(fileName: String(data[1])), let start = Int(data[2]),
            let end = Int(data[3]), 0 <= start, start <= end
        else { return nil }
        self.source = kind
        place = source.count > 2 ? source[2] : ""
        (self.chunk, self.start, self.end, md5) = (chunk, start, end, String(data[4]))
        last = .none
        for line in lines[3..<lines.count - 1] {
            guard read(line.split(separator: " ")) else { return nil }
        }
    }

    /// - Returns: false for a line that breaks its form. Words that later versions may add are passed over.
    private mutating func read(_ words: [Substring]) -> Bool {
        switch (words.first ?? "", words.count) {
        case ("last", 2):
            guard let tid = Self.number(words[1]).map(TransactionID.init(rawValue:)) else { return false }
            last = tid
        case ("objects", 2): objectCount = Int(words[1])
        case ("python", 2): generation = Int(words[1]).flatMap(PythonGeneration.init(rawValue:))
        case ("unpacked-from", 2): firstUnpacked = Self.number(words[1]).map(TransactionID.init(rawValue:))
        case ("blobs", 2): hasBlobs = true
        case ("blob", 5):
            guard let oid = Self.number(words[1]).map(ObjectID.init(rawValue:)),
                let serial = Self.number(words[2]).map(TransactionID.init(rawValue:)),
                let size = Int(words[3]), size >= 0
            else { return false }
            blobs.append(Blob(oid: oid, serial: serial, size: size, sha256: String(words[4])))
        case ("missing-blob", 3):
            guard let oid = Self.number(words[1]).map(ObjectID.init(rawValue:)),
                let serial = Self.number(words[2]).map(TransactionID.init(rawValue:))
            else {
                return false
            }
            missingBlobs.append(MissingBlob(oid: oid, serial: serial))
        case ("last", _), ("blob", _), ("missing-blob", _): return false
        default: break
        }
        return true
    }

    private static func number(_ digits: Substring) -> UInt64? {
        digits.utf8.count == 16 ? UInt64(digits, radix: 16) : nil
    }
}

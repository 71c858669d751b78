internal import ByteCoding
internal import ZODB
internal import ZODBFile

/// How far a verification has come: written down, it lets another run go on from there.
///
/// Lines of text: what was verified, where to go on, what was found so far. A database that has been packed or replaced in
/// between is noticed, and verified from its beginning.
public struct VerificationCheckpoint: Sendable {
    /// Of a file, the offset of the first transaction that has not been read; of a server, the first oid.
    var position: UInt64
    /// What it was a verification of: a file's first and last transaction up to `position`, a server's name.
    var identity: String
    /// Level and history: another kind of verification begins anew.
    var kind: String
    var records = 0, references = 0
    var trees = ObjectSet(), folders = ObjectSet()
    var blobs: [BlobRevision] = []
    /// Of a server: the oids that were met, and those that something refers to.
    var seen = ObjectSet(), wanted = ObjectSet()
    var defects: [Defect] = []

    private static let title = "zeoshell verification 1"

    static func kind(_ options: VerificationOptions) -> String {
        "\(options.level) \(options.includesHistory ? "history" : "current")"
    }
}

extension VerificationCheckpoint {
    init(survey: FileSurvey, options: VerificationOptions, position: Int, harvest: RecordHarvest) {
        self.position = UInt64(position)
        identity = Self.identity(of: survey)
        kind = Self.kind(options)
        (records, references, blobs) = (harvest.records, harvest.references, harvest.blobs)
        (trees, folders, defects) = (harvest.trees, harvest.folders, harvest.defects.defects)
    }

    /// A pack changes where everything is: the first transaction that no pack has seen, and the file's first, tell.
    private static func identity(of survey: FileSurvey) -> String {
        "file \(survey.first) \(survey.firstUnpacked ?? .none)"
    }

    func fits(_ survey: FileSurvey, _ options: VerificationOptions) -> Bool {
        identity == Self.identity(of: survey) && kind == Self.kind(options)
            && survey.segments.contains { UInt64($0.upperBound) == position }
            || identity == Self.identity(of: survey) && kind == Self.kind(options)
                && survey.milestones.contains { UInt64($0) == position }
    }

    func harvest(limit: Int) -> RecordHarvest {
        var harvest = RecordHarvest(defects: DefectList(limit: limit))
        for defect in defects { harvest.defects.add(defect) }
        (harvest.records, harvest.references, harvest.blobs) = (records, references, blobs)
        (harvest.trees, harvest.folders) = (trees, folders)
        return harvest
    }
}

// MARK: As text

extension VerificationCheckpoint {
    /// What to write down.
    public var bytes: [UInt8] {
        var lines = [
            Self.title, "position \(position)", "identity \(identity)", "kind \(kind)", "records \(records)",
            "references \(references)",
        ]
        for (name, set) in [("trees", trees), ("folders", folders), ("seen", seen), ("wanted", wanted)] {
            for (number, page) in set.pagesInOrder {
                lines.append("set \(name) \(number) " + page.map { Hexadecimal.text($0, width: 16) }.joined())
            }
        }
        for blob in blobs { lines.append("blob \(blob.oid.hex) \(blob.serial.hex)") }
        for defect in defects {
            let words: [String] = [
                defect.kind.rawValue, defect.severity.rawValue, defect.offset.map { "\($0)" } ?? "-",
                defect.oid?.hex ?? "-", defect.tid?.hex ?? "-", defect.target?.hex ?? "-",
            ]
            let what = String(defect.what.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) })
            lines.append("defect " + words.joined(separator: " ") + " " + what)
        }
        lines.append("end")
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// What was written down; nil when it is something else, or not all of it.
    public init?(parsing bytes: [UInt8]) {
        var lines = bytes.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
        guard lines.first == Self.title, lines.last == "end" else { return nil }
        lines = Array(lines.dropFirst().dropLast())
        (position, identity, kind) = (0, "", "")
        for line in lines {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, read(String(parts[0]), String(parts[1])) else { return nil }
        }
    }

    private mutating func read(_ name: String, _ value: String) -> Bool {
        switch name {
        case "position":
            guard let number = UInt64(value) else { return false }
            position = number
        case "identity": identity = value
        case "kind": kind = value
        case "records": records = Int(value) ?? 0
        case "references": references = Int(value) ?? 0
        case "blob":
            let words = value.split(separator: " ").compactMap { UInt64($0, radix: 16) }
            guard words.count == 2 else { return false }
            blobs.append(
                BlobRevision(oid: ObjectID(rawValue: words[0]), serial: TransactionID(rawValue: words[1])))
        case "set": return readPage(value)
        case "defect":
            guard let defect = Self.defect(value) else { return false }
            defects.append(defect)
        default: return false
        }
        return true
    }

    private mutating func readPage(_ text: String) -> Bool {
        let words = text.split(separator: " ")
        guard words.count == 3, let number = UInt64(words[1]) else { return false }
        let digits = Array(words[2].utf8)
        guard digits.count == 1024 else { return false }
        var page: [UInt64] = []
        for start in stride(from: 0, to: digits.count, by: 16) {
            guard let word = UInt64(String(decoding: digits[start..<start + 16], as: UTF8.self), radix: 16) else {
                return false
            }
            page.append(word)
        }
        switch words[0] {
        case "trees": trees.setPage(number, page)
        case "folders": folders.setPage(number, page)
        case "seen": seen.setPage(number, page)
        case "wanted": wanted.setPage(number, page)
        default: return false
        }
        return true
    }

    private static func defect(_ text: String) -> Defect? {
        let words = text.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false).map(String.init)
        guard words.count == 7, let kind = Defect.Kind(rawValue: words[0]),
            let severity = Defect.Severity(rawValue: words[1])
        else { return nil }
        func number(_ index: Int) -> UInt64? { UInt64(words[index], radix: 16) }
        return Defect(
            kind, severity, offset: Int(words[2]), oid: number(3).map(ObjectID.init(rawValue:)),
            tid: number(4).map(TransactionID.init(rawValue:)), target: number(5).map(ObjectID.init(rawValue:)), words[6]
        )
    }
}

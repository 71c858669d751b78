internal import ByteCoding
internal import Pickle
internal import ZODB

/// Reads records for what is wrong in them: pickles that are none, and what they refer to.
///
/// Most records pass through `ReferenceScanner` alone; what that calls odd, transformed records among it, is parsed as a
/// document.
struct RecordCheck: ~Copyable {
    private var scanner = ReferenceScanner(isStrict: true)
    /// What the record read last refers to: oids in the order in which they are written, repeats included.
    var references: [UInt64] { isDocument ? documentReferences : scanner.references }

    private var documentReferences: [UInt64] = []
    private var isDocument = false

    init() {}

    /// What is wrong with one record, apart from its references.
    struct Complaint {
        var kind: Defect.Kind
        var severity: Defect.Severity
        var what: String
    }

    /// Reads a record: its references are then in `references`, none when it cannot be read.
    mutating func read(_ data: RawSpan, of oid: ObjectID) -> Complaint? {
        let (outcome, end) = scan(data)
        if outcome == .complete {
            isDocument = false
            return end == data.byteCount ? nil : excess(data.byteCount - end)
        }
        let bytes = data.withUnsafeBytes { unsafe [UInt8]($0) }
        if let plain = try? RecordTransformation.undone(bytes), plain.count != bytes.count {
            let (outcome, end) = scan(plain.span.bytes)
            if outcome == .complete {
                isDocument = false
                return end == plain.count ? nil : excess(plain.count - end)
            }
            return readDocument(bytes, outcome, of: oid)
        }
        return readDocument(bytes, outcome, of: oid)
    }

    private mutating func scan(_ data: RawSpan) -> (ReferenceScanner.Outcome, end: Int) {
        data.withUnsafeBytes { bytes in
            let outcome = unsafe scanner.scan(record: bytes)
            return (outcome, scanner.end)
        }
    }

    /// - Parameter outcome: what the scanner said.
    private mutating func readDocument(
        _ bytes: [UInt8], _ outcome: ReferenceScanner.Outcome, of oid: ObjectID
    ) -> Complaint? {
        isDocument = true
        documentReferences.removeAll(keepingCapacity: true)
        if case .unknown(let kind) = RecordTransformation(of: bytes.prefix(2)) {
            let letter = kind >= 0x21 && kind < 0x7f ? "'.\(Character(Unicode.Scalar(kind)))'" : "byte \(kind)"
            return Complaint(
                kind: .pickle, severity: .warning,
                what: "the record is encrypted, or transformed in a way that is not known here (\(letter))")
        }
        do throws(StorageError) {
            let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
            let references = record.document.references
            // Python's ZODB refuses persistent ids as text (protocol 0), too.
            if references.count < record.document.persistentIDs.count || record.document.hasPersistentTexts {
                return Complaint(
                    kind: .pickle, severity: .damage, what: "a persistent reference has a form that ZODB never wrote")
            }
            for reference in references where reference.kind == .strong {
                documentReferences.append(reference.oid.rawValue)
            }
            if let (problem, offset) = Self.problem(outcome, record.document) {
                return Complaint(
                    kind: .pickle, severity: .damage,
                    what: "Python cannot load the record: \(Self.text(problem)), at offset \(offset)")
            }
            let rest = record.document.source.count - record.document.end
            return rest == 0 ? nil : excess(rest)
        } catch {
            return Complaint(kind: .pickle, severity: .damage, what: "the record cannot be read: \(error)")
        }
    }

    /// The scanner ends at the first opcode that is beyond it: the document knows what stands behind.
    private static func problem(
        _ outcome: ReferenceScanner.Outcome, _ document: PickleDocument
    ) -> (problem: ReferenceScanner.Problem, offset: Int)? {
        if case .unreadable(let offset, let problem) = outcome { return (problem, offset) }
        return document.problem
    }

    private static func text(_ problem: ReferenceScanner.Problem) -> String {
        switch problem {
        case .text: "a text that is no UTF-8"
        case .oddItems: "a dict whose keys and values are not as many"
        case .container: "an item put into what holds none, or a key that cannot be one"
        }
    }

    private func excess(_ count: Int) -> Complaint {
        Complaint(kind: .excessBytes, severity: .warning, what: "\(count) bytes follow the end of the object's state")
    }
}

/// What a record's first bytes say that it is: enough to know who looks at it more closely.
struct RecordTraits {
    /// A BTree, TreeSet, Bucket or Set, or of a class whose name ends so.
    let isTree: Bool
    /// It has an attribute that a folder keeps its children by.
    let isFolder: Bool
    let isBlob: Bool

    private static let blob = Array("ZODB.blob\nBlob\n".utf8)
    private static let trees = ["Tree\n", "TreeSet\n", "Bucket\n", "Set\n", "TreePy\n", "BucketPy\n", "SetPy\n"]
        .map { Array($0.utf8) }
    private static let folders = [Array("_objects".utf8), Array("_tree".utf8), Array("_SampleContainer__data".utf8)]

    init(_ data: RawSpan) {
        let (isTree, isFolder, isBlob) = data.withUnsafeBytes { bytes -> (Bool, Bool, Bool) in
            guard bytes.count > 4, let end = unsafe Self.nameEnd(in: bytes) else {
                return (false, unsafe Self.holdsAny(Self.folders, bytes[...]), false)
            }
            let name = unsafe bytes[..<end]
            let isTree = unsafe Self.holdsAny(Self.trees, name)
            let isBlob = unsafe Self.holds(Self.blob, name)
            return (isTree, unsafe Self.holdsAny(Self.folders, bytes[end...]), isBlob)
        }
        (self.isTree, self.isFolder, self.isBlob) = (isTree, isFolder, isBlob)
    }

    /// One past the second line of the GLOBAL with which a record begins.
    private static func nameEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        var lines = 0
        for index in 0..<min(bytes.count, 512) where unsafe bytes[index] == 0x0a {
            lines += 1
            if lines == 2 { return index + 1 }
        }
        return nil
    }

    private static func holdsAny(_ needles: [[UInt8]], _ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
        for needle in needles where unsafe holds(needle, bytes) { return true }
        return false
    }

    private static func holds(_ needle: [UInt8], _ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
        guard let first = needle.first, bytes.count >= needle.count else { return false }
        var index = bytes.startIndex
        let last = bytes.endIndex - needle.count
        while index <= last {
            if unsafe bytes[index] == first {
                var offset = 1
                while offset < needle.count, unsafe bytes[index + offset] == needle[offset] { offset += 1 }
                if offset == needle.count { return true }
            }
            index += 1
        }
        return false
    }
}

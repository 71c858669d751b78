import Pickle
import ZODB

/// Everything that a record from a stranger meets: parser, scanner, text, JSON, listing.
struct PickleTarget: Target {
    let name = "pickle"
    private var scanner = ScannerBox()

    func run(_ input: [UInt8]) -> String? {
        var document: PickleDocument?
        for count in [PickleDocument.Count.record, .one, .all] {
            guard let parsed = try? PickleDocument(input, count) else { continue }
            document = count == .record ? parsed : document
            for root in parsed.roots {
                guard root.range.lowerBound >= 0, root.range.upperBound <= input.count else {
                    return "a slot outside the source"
                }
                var options = PickleText.Options()
                options.valueLimit = 2000
                _ = parsed.text(root, options)
            }
        }
        if let document {
            var json = JSONText()
            for root in document.roots where document.nodeCount < 5000 {
                document.writeJSON(root, isPython2: true, to: &json)
            }
        }
        var listing = Disassembly(input)
        while listing.next() != nil {}
        let revision = Revision(data: input, serial: .none, next: nil)
        _ = try? ObjectRecord(revision, oid: .root)
        return compare(document, input)
    }

    /// The scanner may call a record odd, but where it does not it must agree with the document.
    private func compare(_ document: PickleDocument?, _ input: [UInt8]) -> String? {
        let (outcome, found) = scanner.scan(input)
        guard outcome == .complete, let document else { return nil }
        let expected = document.references.filter { $0.kind == .strong }.map(\.oid.rawValue)
        return expected == found ? nil : "the scanner found \(found), the document \(expected)"
    }
}

/// One scanner for all inputs, as a walk over a database has it: what one record leaves behind must not reach the next.
private final class ScannerBox {
    private var scanner = ReferenceScanner()

    func scan(_ input: [UInt8]) -> (ReferenceScanner.Outcome, [UInt64]) {
        let outcome = input.withUnsafeBytes { scanner.scan(record: $0) }
        return (outcome, scanner.references)
    }
}

internal import ObjectGraph
public import Pickle
public import ZODB

/// What Python says about the samples, held against what a storage yields: the file itself, or a server of it.
///
/// Collects what differs, so that a test can say all of it at once; and counts, so that it can tell that anything was
/// compared.
public struct SampleFacts {
    public let storage: any Storage
    public private(set) var differences: [String] = []
    public private(set) var checked = 0

    public init(_ storage: any Storage) { self.storage = storage }

    mutating func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        checked += 1
        if !holds { differences.append(what()) }
    }

    /// For what reads at all only when the facts hold: the error is the difference.
    mutating func expecting(_ what: String, _ body: (inout Self) throws -> Void) {
        do { try body(&self) } catch { expect(false, "\(what): \(error)") }
    }

    static func oid(_ hex: String?) throws -> ObjectID {
        guard let value = hex.flatMap({ UInt64($0, radix: 16) }) else { throw UnusableFact(text: hex ?? "no oid") }
        return ObjectID(rawValue: value)
    }

    /// An expectation that this code cannot read.
    public struct UnusableFact: Error {
        public let text: String
    }

    // MARK: Records

    /// Names under `expected` with a `.state.json`.
    public static let decoded: [String] = SampleData.names(in: "expected", ending: ".state.json")
    /// Names under `expected` with a `.references.json`.
    public static let referring: [String] = SampleData.names(in: "expected", ending: ".references.json")
    /// Names under `expected` with a `.btrees.json`.
    public static let trees: [String] = SampleData.names(in: "expected", ending: ".btrees.json")
    /// Names under `expected` with a `.site.json`.
    public static let sites: [String] = SampleData.names(in: "expected", ending: ".site.json")

    /// Class and state of every current object, in full, as Python's pickle machine takes them apart.
    public mutating func states(_ name: String) throws {
        for member in try SampleData.json("expected/\(name).state.json").members {
            let oid = try Self.oid(member.key)
            if member.value["deleted"] == .bool(true) {
                var answer: StorageError?
                do { _ = try storage.load(oid, at: .latest) } catch { answer = error }
                expect(answer == .noSuchObject(oid), "\(name) \(oid): deleted, but \(answer.debugDescription)")
                continue
            }
            expecting("\(name) \(oid)") { facts throws in
                let record = try ObjectRecord(try facts.storage.load(oid, at: .latest), oid: oid)
                if member.value["version"] == nil {
                    facts.expect(member.value["tid"] == .string(record.serial.hex), "\(name) \(oid) \(record.serial)")
                }
                for (slot, part) in [(record.classSlot, "meta"), (record.stateSlot, "state")] {
                    guard let fact = member.value[part] else { throw UnusableFact(text: "\(oid) \(part)") }
                    let difference = CanonicalValue.of(slot, in: record.document).difference(from: fact)
                    facts.expect(difference == nil, "\(name) \(oid) \(part) \(difference ?? "")")
                }
            }
        }
    }

    /// What each record refers to, as ZODB's pack follows it, in order.
    public mutating func references(_ name: String) throws {
        for member in try SampleData.json("expected/\(name).references.json").members {
            let oid = try Self.oid(member.key)
            expecting("\(name) \(oid)") { facts throws in
                let record = try ObjectRecord(try facts.storage.load(oid, at: .latest), oid: oid)
                let found = record.document.references.filter { $0.kind == .strong }.map(\.oid.hex)
                facts.expect(found == member.value.elements.compactMap(\.string), "\(name) \(oid): \(found)")
            }
        }
    }

    // MARK: Values

    /// A key or value as the expectations have it: bytes that are no printable text in hexadecimal.
    public static func shown(_ slot: PickleDocument.Slot, in document: PickleDocument) -> JSONValue? {
        switch document[slot] {
        case .integer(let value): return .number(value.description)
        case .float(let value): return .number(value.description)
        case .text(let bytes): return .string(String(decoding: bytes, as: UTF8.self))
        case .nativeString(let bytes): return .string(hexOrText(bytes))
        case .bytes(let bytes): return .string(CanonicalValue.hex(bytes))
        default: return nil
        }
    }

    static func key(_ component: Component) -> JSONValue? {
        switch component {
        case .name(let name): .string(name)
        case .key(.integer(let value)): .number(value.description)
        case .key(let key): key.stringBytes.map { .string(hexOrText($0)) }
        default: nil
        }
    }

    private static func hexOrText(_ bytes: [UInt8]) -> String {
        bytes.allSatisfy { (32...126).contains($0) }
            ? String(decoding: bytes, as: UTF8.self) : CanonicalValue.hex(bytes)
    }
}

internal import ObjectGraph
internal import Pickle
internal import ZODB

/// Reads what a plan says, and believes none of it that can be looked up: whether the records are records, and whether the
/// part for people says what the records do.
struct PlanReader {
    private let name: String
    private let changes: StagedChanges

    /// - Parameters:
    ///   - name: of the file; `-` is standard input.
    ///   - changes: prints differences as they are printed here.
    init(_ name: String, _ changes: StagedChanges) { (self.name, self.changes) = (name, changes) }

    /// - Throws: `ShellFailure` with line, entry, what was expected and what was found.
    func plan() throws -> PlanFile {
        let bytes = try FilePaths.read(name)
        var plan: PlanFile?
        var count = 0
        var lineOf: [ObjectID: Int] = [:]
        for (index, bytes) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where !bytes.isEmpty {
            let line = try Line(Array(bytes), number: index + 1, in: name)
            guard plan != nil else {
                (plan, count) = try head(line)
                continue
            }
            let object = try object(line)
            if let first = lineOf.updateValue(line.number, forKey: object.planned.oid) {
                throw line.failure(
                    "oid", "an object that no other line has", "\(object.planned.oid.hex), as line \(first)")
            }
            plan?.objects.append(object)
        }
        guard let plan, plan.objects.count == count else {
            let expected = plan == nil ? "a head and objects" : counted(count, "object") + ", as the head says"
            throw ShellFailure(
                "bad-plan", .data, at: name,
                "expected \(expected), found \(plan.map { counted($0.objects.count, "object") } ?? "nothing")",
                advice: "the file was cut off, or is no plan")
        }
        return plan
    }

    private func head(_ line: Line) throws -> (PlanFile, count: Int) {
        guard line.json["zeoshell_plan"] == .number("\(PlanFile.version)") else {
            throw line.failure("zeoshell_plan", "a plan of version \(PlanFile.version)", line.found("zeoshell_plan"))
        }
        guard case .number(let text)? = line.json["objects"], let count = Int(text), count >= 0 else {
            throw line.failure("objects", "how many objects there are", line.found("objects"))
        }
        let plan = PlanFile(
            objects: [], lines: try line.texts("lines"), snapshot: TransactionID(rawValue: try line.number("snapshot")),
            name: name)
        return (plan, count)
    }

    // MARK: An object

    private func object(_ line: Line) throws -> PlanFile.Object {
        let oid = ObjectID(rawValue: try line.number("oid"))
        let path = try line.text("path")
        var planned = PlannedObject(oid: oid, basis: .new, data: try line.bytes("after"))
        if line.has("serial") {
            let serial = TransactionID(rawValue: try line.number("serial"))
            planned.basis = line.has("before") ? .revision(serial, data: try line.bytes("before")) : .lost(serial)
        } else if line.has("before") {
            throw line.failure("serial", "the revision that is in 'before'", line.found("serial"))
        }
        if line.has("tree") { planned.tree = ObjectID(rawValue: try line.number("tree")) }
        try check(planned, line)
        return PlanFile.Object(planned: planned, path: path, line: line.number)
    }

    private func check(_ planned: PlannedObject, _ line: Line) throws {
        func read<Record>(_ entry: String, _ body: () throws(StorageError) -> Record) throws -> Record {
            do throws(StorageError) {
                return try body()
            } catch {
                throw line.failure(entry, "a record of an object", error.description)
            }
        }
        let before = try read("before") { () throws(StorageError) in try planned.base() }
        let after = try read("after") { () throws(StorageError) in try planned.record() }
        guard !after.document.hasHiddenCalls || before?.document.hasHiddenCalls == true else {
            throw line.failure("after", "a record all of whose values can be seen", "calls whose result nothing uses")
        }
        if planned.isNew, after.isBlob {
            throw line.failure("after", "no new blob: a plan holds no bytes of blobs", "a blob")
        }
        let className = after.className?.description ?? ""
        let told = try line.text("class")
        guard told == className else { throw line.failure("class", "'\(className)', as in 'after'", "'\(told)'") }
        let known = try changes.lines(from: before, to: after)
        let claimed = try line.texts("changes")
        guard known != claimed else { return }
        let index = zip(known, claimed).prefix { $0 == $1 }.count
        func spelled(_ lines: [String]) -> String {
            lines.indices.contains(index) ? TerminalText.cut(lines[index], to: 100) : "nothing more"
        }
        throw line.failure(
            "changes", "what 'before' and 'after' differ in: \(spelled(known))", spelled(claimed),
            advice: "the plan was edited, or another version made it: make it again")
    }

    // MARK: Entries

    /// One line of the file.
    private struct Line {
        let json: JSONTree
        let number: Int
        private let name: String

        init(_ bytes: [UInt8], number: Int, in name: String) throws {
            (self.number, self.name) = (number, name)
            do throws(PickleValueError) {
                json = try JSONTree(parsing: bytes)
            } catch {
                throw Self.failure("\(name):\(number)", "expected a line of JSON, found none: \(error)")
            }
            guard case .object(let members) = json else {
                throw Self.failure("\(name):\(number)", "expected a JSON object, found another value")
            }
            // Readers differ in which of two they take.
            var keys: Set<[UInt8]> = []
            if let twice = members.first(where: { !keys.insert($0.key).inserted }) {
                throw Self.failure("\(name):\(number)", "expected each entry once, found '\(twice.name)' twice")
            }
        }

        private static func failure(_ place: String, _ what: String, advice: String? = nil) -> ShellFailure {
            ShellFailure("bad-plan", .data, at: place, what, advice: advice ?? "'plan > FILE' writes plans")
        }

        func failure(_ entry: String, _ expected: String, _ found: String, advice: String? = nil) -> ShellFailure {
            Self.failure("\(name):\(number)", "'\(entry)': expected \(expected), found \(found)", advice: advice)
        }

        func has(_ entry: String) -> Bool { json[entry].map { $0 != .null } ?? false }

        func found(_ entry: String) -> String {
            switch json[entry] {
            case nil: "nothing"
            case .null?: "null"
            case .bool?: "true or false"
            case .number(let text)?: TerminalText.cut(text, to: 40)
            case .string?: "'\(TerminalText.cut(json[entry]?.string ?? "", to: 40))'"
            case .array?: "an array"
            case .object?: "an object"
            }
        }

        func text(_ entry: String) throws -> String {
            guard let text = json[entry]?.string else { throw failure(entry, "a text", found(entry)) }
            return text
        }

        func texts(_ entry: String) throws -> [String] {
            guard let elements = json[entry]?.elements else { throw failure(entry, "an array of texts", found(entry)) }
            return try elements.map { element in
                guard let text = element.string else { throw failure(entry, "texts alone", "something else") }
                return text
            }
        }

        /// Sixteen hexadecimal digits.
        func number(_ entry: String) throws -> UInt64 {
            let digits = Array(json[entry]?.string?.utf8 ?? "".utf8)
            let isHexadecimal = digits.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
            guard digits.count == 16, isHexadecimal,
                let number = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw failure(entry, "16 hexadecimal digits", found(entry)) }
            return number
        }

        func bytes(_ entry: String) throws -> [UInt8] {
            guard case .string(let text)? = json[entry], let bytes = Base64.bytes(text) else {
                throw failure(entry, "bytes in base64", found(entry))
            }
            return bytes
        }
    }
}

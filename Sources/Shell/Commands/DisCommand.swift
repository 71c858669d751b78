internal import ArgumentParser
internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct DisCommand: ShellCommand {
    static let name = "dis"
    static let summary = "list the opcodes of an object's pickles"
    static let synopsis = "[PATH]"
    static let group = CommandGroup.look
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        A record is two pickles: the class, then the state. A record that cannot be parsed is listed as far as its opcodes
        can be told apart. Of a value inside a record its own opcodes are listed.
        """
    static let examples = [
        CommandExample("dis /Plone/news", "the record of an object"),
        CommandExample("dis /Plone/news/.title", "one value"),
        CommandExample("dis #1a2b@~1", "the revision before the current one"),
    ]

    @Argument(help: "What to list; where we are when left out.") var path: String?

    func run(in session: Session) throws -> Report {
        let place = try session.place(path)
        let data = try Self.data(of: place, session)
        var part = 0..<data.count
        if case .value(_, let slot) = place.node.target { part = slot.range }
        let listing = Listing(data)
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while let line = listing.next() {
                try session.interruption.check()
                guard line.offset < part.upperBound else { return nil }
                guard line.offset >= part.lowerBound else { continue }
                return [
                    .integer(line.offset), .text(line.name), line.argument.isEmpty ? .none : .text(line.argument),
                    .text(listing.pickle), .integer(line.length),
                ]
            }
            return nil
        }
        let columns = [
            Report.Column("offset", tone: .dim), Report.Column("opcode"), Report.Column("argument", isFlexible: true),
            Report.Column("pickle", visibility: .detail), Report.Column("length", visibility: .detail),
        ]
        let name = place.description
        return Report(.table(Report.Table(columns, rows))) {
            var conclusion = Report.Conclusion()
            if let error = listing.error {
                conclusion.failures = [
                    ShellFailure(
                        "corrupt", .data, at: name, "\(error)",
                        details: [ShellFailure.Detail("offset", String(error.offset))])
                ]
            }
            return conclusion
        }
    }

    /// The record's bytes, transformations undone: no parsing, so that anything can be looked at.
    private static func data(of place: Place, _ session: Session) throws -> [UInt8] {
        let oid = place.node.oid
        if place.at.isStaged, let staged = try session.workspace.stagedObject(oid) {
            return staged.record.document.source
        }
        let storage = try session.storage
        do throws(StorageError) {
            let data = try storage.load(oid, at: session.committed(place.at)).data
            do throws(FormatError) {
                return try RecordTransformation.undone(data)
            } catch {
                throw StorageError.corrupt("record of \(oid)", error)
            }
        } catch {
            let isAboutObject = error.isAboutOneObject
            throw ShellFailure(isAboutObject ? .unreadable(place, error) : .storage(error), path: place.description)
        }
    }

    /// The opcodes, and which of the two pickles they are in.
    private final class Listing {
        private var disassembly: Disassembly
        private var stops = 0
        private var isAtStop = false

        init(_ data: [UInt8]) { disassembly = Disassembly(data) }

        var error: PickleError? { disassembly.error }
        /// The pickle of the line given last.
        var pickle: String { stops - (isAtStop ? 1 : 0) == 0 ? "class" : "state" }

        func next() -> Disassembly.Line? {
            guard let line = disassembly.next() else { return nil }
            isAtStop = line.name == Opcode.stop.name
            if isAtStop { stops += 1 }
            return line
        }
    }
}

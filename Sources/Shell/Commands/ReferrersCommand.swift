internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

struct ReferrersCommand: ShellCommand {
    static let name = "referrers"
    static let aliases = ["who"]
    static let summary = "list who refers to an object"
    static let synopsis = "[PATH]"
    static let group = CommandGroup.search
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Nothing in a database says who refers to an object: the current record of every object is looked at. The object
        itself need not exist: for a missing one this tells who still refers to it. A referrer is called by its path where
        that is found near the application, else by its oid.
        Exit code 1 when nobody refers to it.
        """
    static let examples = [
        CommandExample("who /Plone/news", "its container, and whoever else"),
        CommandExample("referrers #dead", "who refers to an object that is missing"),
    ]

    @Argument(help: "The object; where we are when left out.") var path: String?

    func run(in session: Session) throws -> Report {
        let place = try session.place(path)
        let workspace = try session.workspace
        let progress = session.progress
        let total = try workspace.storage.information().objectCount
        let referrers = try workspace.referrers(of: [place.node.oid]) {
            progress.update("looking for referrers", $0, "objects", of: total)
        }
        let names = Names(workspace, near: place)
        var count = 0
        var ready: [[Cell]] = []
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while ready.isEmpty {
                guard let referrer = try referrers.next() else { return nil }
                ready = try Self.rows(referrer, names).reversed()
            }
            count += 1
            return ready.popLast()
        }
        let isPast = session.past != nil || place.at < session.at
        return Report(.table(Report.Table(Self.columns, rows))) {
            var conclusion = Report.Conclusion(isNegative: count == 0)
            if isPast {
                conclusion.messages.append(Report.Message("these are the referrers of today: the past has no list"))
            }
            return conclusion
        }
    }

    private static let columns = [
        Report.Column("path", tone: .path), Report.Column("attribute", tone: .name),
        Report.Column("class", isFlexible: true), Report.Column("kind"), Report.Column("oid"),
        Report.Column("time", visibility: .detail), Report.Column("serial", visibility: .detail),
    ]

    private static func rows(_ referrer: Referrer, _ names: Names) throws(StorageError) -> [[Cell]] {
        let path = try names.path(of: referrer.oid)
        return referrer.references.map { reference in
            [
                .text(path), .text(ReferenceText.attribute(reference, below: 0)),
                referrer.className.map { .text($0.description) } ?? .none,
                .text(ReferenceText.kind(reference.reference)), .oid(referrer.oid), .time(referrer.serial),
                .tid(referrer.serial),
            ]
        }
    }

    /// Paths of referrers: on the way to the object, or near the application.
    private final class Names {
        private let workspace: Workspace
        private var known: [ObjectID: Place] = [:]
        private var isSearched = false

        init(_ workspace: Workspace, near place: Place) {
            self.workspace = workspace
            for place in place.way where place.node.isObject { known[place.node.oid] = place }
        }

        func path(of oid: ObjectID) throws(StorageError) -> String {
            if let place = known[oid] { return place.description }
            if !isSearched {
                isSearched = true
                known.merge(try PathFinder(workspace).allPlaces()) { first, _ in first }
            }
            return known[oid]?.description ?? oid.path
        }
    }
}

internal import Pickle
public import ZODB

extension Journal {
    /// A commit as the journal tells it: its first line, and how it ended.
    public struct Entry: Hashable, Sendable {
        public enum End: String, Sendable {
            case committed, failed
            case inDoubt = "in-doubt"
            /// No line says how: a crash, or it is being made just now.
            case unknown = "unknown"
        }

        public var mark: String
        /// When it was begun: RFC 3339 in UTC.
        public var time: String
        public var address: String
        public var service: String?
        public var user: String
        public var description: String
        public var lines: [String]
        public var objectCount: Int
        /// The first of them, at least.
        public var objects: [Object]
        public var end: End
        public var tid: TransactionID?
        /// Why it failed.
        public var reason: String?
    }

    /// All commits, oldest first. Lines that are none, such as one that a crash cut off, are left out.
    public func entries() throws -> [Entry] {
        guard let bytes = try FilePaths.readIfPresent(path) else { return [] }
        var entries: [Entry] = []
        var places: [String: Int] = [:]
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let json = try? JSONTree(parsing: Array(line)), let mark = json["id"]?.string,
                let event = json["event"]?.string
            else { continue }
            if event == "begin" {
                places[mark] = entries.count
                entries.append(Entry(json, mark))
            } else if let index = places[mark] {
                entries[index].end = Entry.End(rawValue: event) ?? .unknown
                entries[index].tid = json["tid"]?.string.flatMap { TransactionID(hex: $0) }
                entries[index].reason = json["why"]?.string
            }
        }
        return entries
    }

    /// The last commit to a database that was made here.
    public func lastCommitted(address: String) throws -> Entry? {
        try entries().last { $0.end == .committed && $0.address == address }
    }
}

extension Journal.Entry {
    fileprivate init(_ json: JSONTree, _ mark: String) {
        self.mark = mark
        time = json["time"]?.string ?? ""
        address = json["address"]?.string ?? ""
        service = json["service"]?.string
        user = json["user"]?.string ?? ""
        description = json["description"]?.string ?? ""
        lines = json["lines"]?.elements?.compactMap(\.string) ?? []
        if case .number(let text)? = json["count"] { objectCount = Int(text) ?? 0 } else { objectCount = 0 }
        objects = (json["objects"]?.elements ?? []).compactMap { object in
            guard let oid = object["oid"]?.string.flatMap({ UInt64($0, radix: 16) }) else { return nil }
            return Journal.Object(
                oid: ObjectID(rawValue: oid), path: object["path"]?.string ?? "", className: object["class"]?.string,
                before: object["before"]?.string.flatMap { TransactionID(hex: $0) } ?? .none)
        }
        end = .unknown
    }
}

extension TransactionID {
    /// Sixteen hexadecimal digits.
    init?(hex: String) {
        guard hex.utf8.count == 16, let number = UInt64(hex, radix: 16) else { return nil }
        self.init(rawValue: number)
    }
}

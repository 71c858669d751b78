internal import ClientCache
internal import Pickle
internal import Storages
internal import ZODB

/// What is told of a client cache.
struct CacheReports {
    private let survey: CacheSurvey
    private let interruption: Interruption
    /// What a server would do with it, if one was asked.
    var prospect: CacheProspect?

    typealias Field = Report.Field

    init(_ survey: CacheSurvey, at interruption: Interruption) {
        (self.survey, self.interruption) = (survey, interruption)
    }

    // MARK: One cache

    private var fields: [Field] {
        let current = survey.entries.count { $0.end == nil && $0.version == nil }
        let bytes = survey.entries.reduce(0) { $0 + $1.size }
        var fields = survey.files.map { file in
            Field("file", .text(file.path + (file.isWritten && survey.files.count > 1 ? ", the one written to" : "")))
        }
        fields += [
            Field("format", .text("\(survey.generation), \(Self.writers(survey.generation))")),
            Field("size", .size(survey.files.reduce(0) { $0 + $1.size })),
            Field("revisions", .integer(survey.entries.count)), Field("current", .integer(current)),
            Field("data_size", title: "data", .size(bytes)),
        ]
        if survey.place != nil { fields.append(Field("free", .size(survey.freeBytes))) }
        if survey.deadRecords > 0 {
            fields.append(Field("dead_records", title: "dead records", .integer(survey.deadRecords)))
        }
        let versions = survey.entries.count { $0.version != nil }
        if versions > 0 { fields.append(Field("versions", title: "in versions", .integer(versions))) }
        fields.append(Field("last_tid", title: "last tid", survey.lastTransaction.map { .tid($0) } ?? .none))
        fields.append(Field("last_time", title: "consistent with", Self.time(survey.lastTransaction)))
        if let place = survey.place { fields.append(Field("place", title: "written next at", .integer(place))) }
        if let source = survey.source {
            fields.append(Field("server", .text(source.server)))
            fields.append(Field("storage", .text(source.storage)))
        }
        fields.append(Field("process", title: "open in process", survey.holder.map { .integer($0) } ?? .none))
        if let doubt = survey.doubt { fields.append(Field("doubt", title: "not believed", .alert(doubt))) }
        if !survey.problems.isEmpty {
            fields.append(Field("damage", .list(survey.problems.map { .alert("\($0.file): \($0.error)") })))
        }
        return fields + prospectFields
    }

    private var prospectFields: [Field] {
        guard let prospect else { return [] }
        let verdict =
            switch prospect.keptCount {
            case nil: "not used, and left as it is"
            case 0?: "emptied"
            case let count?: "kept: \(grouped(count)) of \(counted(survey.entries.count, "revision"))"
            }
        var fields = [
            Field("server_tid", title: "server's last tid", .tid(prospect.lastTransaction)),
            Field("next_time", title: "at the next connection", isUsed ? .text(verdict) : .alert(verdict)),
        ]
        if !prospect.remarks.isEmpty { fields.append(Field("why", .list(prospect.remarks.map { .text($0) }))) }
        return fields
    }

    private var isUsed: Bool { prospect.map { $0.keptCount ?? 0 > 0 || survey.entries.isEmpty } ?? true }

    private static func time(_ tid: TransactionID?) -> Cell {
        guard let tid, tid != .none else { return .none }
        return .time(tid)
    }

    private static func writers(_ generation: String) -> String {
        switch generation {
        case "ZEC0": "ZEO 1 and 2 before 2003"
        case "ZEC1": "ZEO 2 of early 2003"
        case "ZEC2": "Zope 2.7"
        default: "ZODB 3.3 to ZEO 6"
        }
    }

    private func report(_ name: String, _ columns: [Report.Column], _ rows: [[Cell]], of count: Int) -> Report {
        let isNegative = !survey.problems.isEmpty || !isUsed
        let table = Report.Table(columns, ArrayCursor(rows), total: rows.count)
        return Report(.detailed(fields, name: name, table)) {
            let rest = count - rows.count
            return Report.Conclusion(
                messages: rest > 0 ? [Report.Message("… \(grouped(rest)) more: --top 0 lists all")] : [],
                isNegative: isNegative)
        }
    }

    private func className(_ entry: CacheSurvey.Entry) -> String {
        guard let data = try? survey.data(of: entry),
            let record = try? ObjectRecord(Revision(data: data, serial: entry.serial, next: entry.end), oid: entry.oid)
        else { return "?" }
        return record.className?.description ?? "?"
    }

    /// The classes that take the most.
    func classes(_ limit: Int) throws -> Report {
        var tallies: [String: (revisions: Int, bytes: Int)] = [:]
        for entry in survey.entries {
            try interruption.check()
            let name = className(entry)
            tallies[name, default: (0, 0)].revisions += 1
            tallies[name, default: (0, 0)].bytes += entry.size
        }
        let all = max(1, survey.entries.reduce(0) { $0 + $1.size })
        let sorted = tallies.sorted { ($0.value.bytes, $1.key) > ($1.value.bytes, $0.key) }
        let rows = sorted.prefix(limit).map { name, tally -> [Cell] in
            [
                .text(name), .integer(tally.revisions), .size(tally.bytes),
                .percent(Double(tally.bytes) * 100 / Double(all)),
            ]
        }
        let columns = [
            Report.Column("class", tone: .name, isFlexible: true), Report.Column("revisions"), Report.Column("bytes"),
            Report.Column("percent", title: "share"),
        ]
        return report("classes", columns, rows, of: sorted.count)
    }

    /// Objects, the largest first, or the last written.
    func objects(hot: Bool, _ limit: Int) throws -> Report {
        let sorted = survey.entries.sorted { left, right in
            let (one, other) = hot ? (left.age ?? .max, right.age ?? .max) : (right.size, left.size)
            return (one, left.offset) < (other, right.offset)
        }
        let ring = max(1, survey.files[0].size)
        let rows = try sorted.prefix(limit).map { entry -> [Cell] in
            try interruption.check()
            return [
                .oid(entry.oid), .text(className(entry)), .size(entry.size), .time(entry.serial), .tid(entry.serial),
                entry.end.map { .time($0) } ?? .none, entry.version.map { .text($0) } ?? .none,
                entry.age.map { .percent(Double($0) * 100 / Double(ring)) } ?? .none, .integer(entry.offset),
            ]
        }
        let columns = [
            Report.Column("oid", tone: .name), Report.Column("class", isFlexible: true), Report.Column("size"),
            Report.Column("time", title: "written"), Report.Column("serial", visibility: .detail),
            Report.Column("until"), Report.Column("version", visibility: .detail), Report.Column("age"),
            Report.Column("offset", visibility: .detail),
        ]
        return report("objects", columns, rows, of: sorted.count)
    }

    // MARK: Several

    /// A line each; the second of two files that belong together is not told again.
    static func list(_ surveys: [CacheSurvey]) -> Report {
        var seen: Set<String> = []
        let surveys = surveys.filter { survey in
            let isNew = !seen.contains(survey.files[0].path)
            seen.formUnion(survey.files.map(\.path))
            return isNew
        }
        let rows = surveys.map { survey -> [Cell] in
            let state: Cell =
                if let problem = survey.problems.first {
                    .alert("damaged: \(problem.error)")
                } else if let doubt = survey.doubt {
                    .alert(doubt)
                } else if let holder = survey.holder { .text("open in process \(holder)") } else { .text("sound") }
            return [
                .text(survey.files[0].path), .text(survey.generation), .size(survey.files.reduce(0) { $0 + $1.size }),
                .integer(survey.entries.count), survey.lastTransaction.map { .tid($0) } ?? .none,
                time(survey.lastTransaction), state,
            ]
        }
        let columns = [
            Report.Column("file", tone: .path), Report.Column("format"), Report.Column("size"),
            Report.Column("revisions"), Report.Column("last_tid", title: "last tid", visibility: .detail),
            Report.Column("last_time", title: "consistent with"), Report.Column("state", isFlexible: true),
        ]
        let isNegative = surveys.contains { !$0.problems.isEmpty }
        return Report(.table(Report.Table(columns, ArrayCursor(rows), total: rows.count))) {
            Report.Conclusion(isNegative: isNegative)
        }
    }
}

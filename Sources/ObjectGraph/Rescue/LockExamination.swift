internal import Pickle
internal import ZODB

/// WebDAV locks whose owner seems to be gone.
///
/// Source: `OFS.LockItem`: a lock holds until `_modifiedtime + _timeout`, in seconds since 1970; renewing sets the former.
struct LockExamination: Examination {
    let depth = 1

    /// Not renewed for so long, a lock is abandoned: clients renew within minutes.
    private static let patience = 86_400.0

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        guard let node = patient.attribute("_dav_writelocks") else { return [] }
        let table = patient.place.child(node)
        if let problem = try patient.workspace.problem(of: node) {
            return [
                Finding(
                    emergency: .locks, place: patient.place, what: "the table of locks cannot be read: \(problem)",
                    consequence: "\(patient.place) cannot be changed", isCertain: true,
                    remedy: Remedy(
                        what: "remove the table", steps: [.remove(.attribute("_dav_writelocks"), from: patient.place)]))
            ]
        }
        var findings: [Finding] = []
        let locks = try patient.workspace.items(of: node)
        while let lock = try locks.next() {
            if let component = lock.component { findings.append(try finding(lock, component, table, patient)) }
        }
        return findings
    }

    private func finding(
        _ node: Node, _ component: Component, _ table: Place, _ patient: Patient
    ) throws(StorageError) -> Finding {
        let remedy = Remedy(what: "remove the lock", steps: [.remove(component, from: table)])
        func finding(_ what: String, _ consequence: String, _ isCertain: Bool) -> Finding {
            Finding(
                emergency: .locks, place: patient.place, what: what, consequence: consequence, isCertain: isCertain,
                remedy: remedy)
        }
        if let problem = try patient.workspace.problem(of: node) {
            return finding("a lock cannot be read: \(problem)", "\(patient.place) cannot be changed", true)
        }
        let lock = try patient.workspace.subject(of: node)
        let owner = Self.creator(of: lock)
        let renewed = Self.number("_modifiedtime", of: lock)
        let timeout = Self.number("_timeout", of: lock)
        guard let renewed, let timeout else {
            return finding(
                "locked by \(owner), nobody knows until when", "nobody else can change \(patient.place)",
                patient.isAsked)
        }
        let age = max(0, patient.scope.now - renewed)
        let ago = Self.words(age)
        if renewed + timeout < patient.scope.now {
            return finding("a lock of \(owner), expired, last renewed \(ago) ago", "nobody: Zope passes over it", false)
        }
        return finding(
            "locked by \(owner), last renewed \(ago) ago", "nobody else can change \(patient.place)",
            patient.isAsked || age > Self.patience)
    }

    /// `_creator` is the path of the user folder, and the user's id in it.
    private static func creator(of lock: Subject) -> String {
        guard let slot = lock.attribute("_creator"), let parts = lock.document.sequence(slot), parts.count == 2,
            let name = lock.document.displayText(parts[1])
        else { return "somebody" }
        return name
    }

    private static func number(_ attribute: String, of lock: Subject) -> Double? {
        guard let slot = lock.attribute(attribute) else { return nil }
        switch lock.document[slot] {
        case .float(let value): return value.isFinite ? value : nil
        case .integer(let value): return value.int64.map(Double.init) ?? .greatestFiniteMagnitude
        default: return nil
        }
    }

    private static func words(_ seconds: Double) -> String {
        func number(_ unit: Double, _ word: String) -> String {
            let count = Int(min(seconds / unit, 1e9))
            return "\(count) \(word)\(count == 1 ? "" : "s")"
        }
        return switch seconds {
        case ..<120: number(1, "second")
        case ..<7200: number(60, "minute")
        case ..<172_800: number(3600, "hour")
        default: number(86_400, "day")
        }
    }
}

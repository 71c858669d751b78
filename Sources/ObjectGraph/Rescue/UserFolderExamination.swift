internal import Pickle
internal import ZODB

/// Whether who asks a container for its users gets an answer.
struct UserFolderExamination: Examination {
    let depth = 0

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        let shown = patient.attribute("acl_users").flatMap { $0.isObject ? $0 : nil }
        let asked = patient.attribute("__allow_groups__").flatMap { $0.isObject ? $0 : nil }
        guard shown != nil || asked != nil else { return [] }
        var findings: [Finding] = []
        if let shown, let problem = try patient.workspace.problem(of: shown) {
            findings.append(lostFolder(shown, problem, patient))
        } else if let shown, asked?.oid != shown.oid {
            findings.append(try unasked(shown, asked, patient))
        } else if shown == nil, let asked {
            findings.append(try unshown(asked, patient))
        }
        if let node = shown ?? asked, let folder = try patient.workspace.readable(node) {
            findings += try inside(folder, patient.place.child(node), patient)
        }
        return findings
    }

    private func lostFolder(_ node: Node, _ problem: StorageError, _ patient: Patient) -> Finding {
        Finding(
            emergency: .userFolder, place: patient.place,
            what: "the user folder \(patient.path("acl_users")) cannot be read: \(problem)",
            consequence: "nobody can log in, and pages that ask who somebody is fail, in \(patient.everything)",
            isCertain: true,
            remedy: Remedy(
                what: "put an empty user folder in its place; then 'passwd NAME --create --role Manager'",
                steps: [.newUserFolder(in: patient.place)]))
    }

    private func unasked(_ shown: Node, _ asked: Node?, _ patient: Patient) throws(StorageError) -> Finding {
        let target = try asked.map { (node) throws(StorageError) in
            let problem = try patient.workspace.problem(of: node)
            return problem.map { "\($0)" } ?? "another object, #\(node.oid)"
        }
        return Finding(
            emergency: .userFolder, place: patient.place,
            what: "\(patient.path("acl_users")) is not the user folder that Zope asks: '__allow_groups__' "
                + (target.map { "leads to \($0)" } ?? "is missing"),
            consequence: "the users of \(patient.path("acl_users")) cannot log in", isCertain: true,
            remedy: Remedy(
                what: "let '__allow_groups__' lead to acl_users",
                steps: [.set(.reference(shown.oid), at: .attribute("__allow_groups__"), in: patient.place)]))
    }

    private func unshown(_ asked: Node, _ patient: Patient) throws(StorageError) -> Finding {
        let problem = try patient.workspace.problem(of: asked)
        return Finding(
            emergency: .userFolder, place: patient.place,
            what: problem.map { "'__allow_groups__' cannot be read: \($0)" }
                ?? "there is no 'acl_users', but '__allow_groups__' leads to #\(asked.oid)",
            consequence: problem == nil
                ? "those users can log in, and nobody can see them" : "every request to \(patient.everything) fails",
            isCertain: problem != nil,
            remedy: Remedy(
                what: problem == nil ? "show it as acl_users" : "remove '__allow_groups__'",
                steps: problem == nil
                    ? [
                        .set(.reference(asked.oid), at: .attribute("acl_users"), in: patient.place),
                        .append(Self.entry(of: asked), to: patient.child("_objects")),
                    ] : [.remove(.attribute("__allow_groups__"), from: patient.place)]))
    }

    private static func entry(of folder: Node) -> RescueValue {
        let isService = folder.className?.name.hasSuffix("PluggableAuthService") ?? false
        return .dict([
            RescueEntry("id", .string("acl_users")),
            RescueEntry("meta_type", .string(isService ? "Pluggable Auth Service" : "User Folder")),
        ])
    }

    // MARK: Inside

    private func inside(_ folder: Subject, _ place: Place, _ patient: Patient) throws(StorageError) -> [Finding] {
        if folder.attribute("plugins") != nil { return try PluginExamination(patient, place, folder).findings() }
        guard let data = UserFolderAdapter.users(of: folder) else { return [] }
        if let problem = try patient.workspace.problem(of: data) {
            return [
                Finding(
                    emergency: .userFolder, place: place, what: "the table of users cannot be read: \(problem)",
                    consequence: "nobody can log in", isCertain: true,
                    remedy: Remedy(
                        what: "put an empty table in its place; then 'passwd NAME --create --role Manager'",
                        steps: [.newMapping("data", in: place)]))
            ]
        }
        return try lostUsers(place, place.child(data), patient.workspace)
    }

    private func lostUsers(_ folder: Place, _ table: Place, _ workspace: Workspace) throws(StorageError) -> [Finding] {
        var findings: [Finding] = []
        let users = try workspace.items(of: table.node)
        while let node = try users.next() {
            guard let component = node.component, let problem = try workspace.problem(of: node) else { continue }
            findings.append(
                Finding(
                    emergency: .userFolder, place: folder,
                    what: "user '\(component.plainText)' cannot be read: \(problem)",
                    consequence: "the list of users fails, and this user cannot log in", isCertain: true,
                    remedy: Remedy(
                        what: "take user '\(component.plainText)' out", steps: [.remove(component, from: table)])))
        }
        return findings
    }
}

extension Patient {
    /// The place of an attribute; the object's own when there is none of this name.
    func child(_ name: String) -> Place { attribute(name).map { place.child($0) } ?? place }
}

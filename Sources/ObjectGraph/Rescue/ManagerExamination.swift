internal import ZODB

/// Who can manage the site.
struct ManagerExamination: Examination {
    /// Lists who there is, instead of missing who is not.
    let isAboutPasswords: Bool
    let depth = 0

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        // A folder below may well have no manager of its own: those of the root manage it too.
        guard patient.isApplication || patient.isAsked,
            let folder = try patient.workspace.userFolder(at: patient.place)
        else { return [] }
        let users = try patient.workspace.users(of: folder)
        var managers: [UserEntry] = []
        var wanted: UserEntry?
        var total = 0
        while let user = try users.next() {
            total += 1
            if user.roles.contains("Manager") { managers.append(user) }
            if let name = patient.scope.user, user.id == name || user.login == name { wanted = user }
        }
        if isAboutPasswords { return managers.isEmpty ? [] : [passwords(managers, folder)] }
        guard !managers.contains(where: { $0.passwordScheme != .none }) else { return [] }
        let remedy = try wanted.flatMap { (user) throws(StorageError) in
            try self.remedy(user, folder, patient.workspace)
        }
        return [
            Finding(
                emergency: .noManager, place: folder.place,
                what: total == 0
                    ? "there is no user" : "none of \(total) user\(total == 1 ? "" : "s") has the role Manager",
                consequence: "nobody can manage the site"
                    + (folder.kind == .pluggable ? ", unless a plugin that keeps its users elsewhere says so" : "")
                    + (wanted == nil
                        ? total == 0
                            ? "; 'passwd NAME --create --role Manager' makes one"
                            : "; --user NAME says who is to be one" : ""),
                isCertain: folder.kind == .classic, remedy: remedy)
        ]
    }

    private func passwords(_ managers: [UserEntry], _ folder: UserFolder) -> Finding {
        let names = managers.prefix(10).map { user in
            switch user.passwordScheme {
            case .named(let scheme): "\(user.login) (\(scheme))"
            case .clearText: "\(user.login) (clear text)"
            case .none: "\(user.login) (no password)"
            }
        }
        return Finding(
            emergency: .password, place: folder.place,
            what: "managers: " + names.joined(separator: ", ") + (managers.count > 10 ? ", …" : ""),
            consequence: "'passwd \(managers[0].login)' sets a new password", isCertain: false, remedy: nil)
    }

    private func remedy(
        _ user: UserEntry, _ folder: UserFolder, _ workspace: Workspace
    ) throws(StorageError) -> Remedy? {
        guard let steps = try workspace.grantSteps(["Manager"], to: user, in: folder) else { return nil }
        return Remedy(what: "give the role Manager to \(user.login)", steps: steps)
    }
}

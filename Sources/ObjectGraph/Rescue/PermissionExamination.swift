internal import Pickle
internal import ZODB

/// Permission settings that leave managers out.
///
/// Source: `AccessControl.rolesForPermissionOn`. A tuple says who; a list adds to what the container says, and at the
/// application, which has none, to nothing: the class's default counts only when no roles were found at all. An empty
/// string says nobody, `None` everybody.
struct PermissionExamination: Examination {
    let depth = 1

    private static let everybody: Set<String> = ["Manager", "Anonymous", "Authenticated"]

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        var findings: [Finding] = []
        for attribute in patient.subject.attributes {
            let name = String(decoding: attribute.name, as: UTF8.self)
            guard name.hasPrefix("_"), name.hasSuffix("_Permission"), name.utf8.count > 12,
                let roles = excluding(attribute.value, patient)
            else { continue }
            let permission = String(name.dropFirst().dropLast("_Permission".count).map { $0 == "_" ? " " : $0 })
            let who = roles.isEmpty ? "nobody" : "only " + roles.joined(separator: ", ")
            findings.append(
                Finding(
                    emergency: .permissions, place: patient.place,
                    what: "permission '\(permission)' is given to \(who)",
                    consequence: "managers are refused what needs it, in \(patient.everything)",
                    isCertain: roles.isEmpty || patient.isApplication,
                    remedy: Remedy(
                        what: "remove the setting", steps: [.remove(.attribute(name), from: patient.place)])))
        }
        return findings
    }

    /// The roles of a setting that managers do not have; nil for a setting that lets them in.
    private func excluding(_ slot: PickleDocument.Slot, _ patient: Patient) -> [String]? {
        let document = patient.subject.document
        let roles: [String]
        switch document[slot] {
        case .tuple: roles = document.texts(slot) ?? []
        case .list:
            roles = document.texts(slot) ?? []
            guard patient.isApplication, !roles.isEmpty else { return nil }
        case .text(let bytes), .nativeString(let bytes):
            guard bytes.isEmpty else { return nil }
            roles = []
        default: return nil
        }
        return roles.contains(where: Self.everybody.contains) ? nil : roles
    }
}

internal import Pickle
internal import ZODB

/// `_objects` of an object manager, and the counter and index of a BTreeFolder2, against what is there.
struct FolderExamination: Examination {
    let depth = 1

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        try listed(patient) + unlisted(patient) + BTreeFolderExamination(patient).findings()
    }

    /// Without what may be meant so, for which the children would have to be read.
    func certainFindings(of patient: Patient) throws(StorageError) -> [Finding] {
        try listed(patient) + BTreeFolderExamination(patient).findings()
    }

    /// Ids of the list that stand there for nothing, or twice.
    private func listed(_ patient: Patient) throws(StorageError) -> [Finding] {
        let document = patient.subject.document
        guard let slot = patient.subject.attribute("_objects"), let items = document.sequence(slot) else { return [] }
        var findings: [Finding] = []
        var seen: Set<String> = []
        var told: Set<ElementChoice> = []
        for item in items {
            let id = document.value("id", of: item).flatMap { document.stringBytes($0) }
            let (what, choice): (String, ElementChoice)
            switch id.map({ String(decoding: $0, as: UTF8.self) }) {
            case nil: (what, choice) = ("an entry of the list has no id", .withoutID)
            case let name? where patient.subject.attribute(name) == nil:
                (what, choice) = ("'\(name)' is listed, and there is no such object", .id(name))
            case let name? where !seen.insert(name).inserted:
                (what, choice) = ("'\(name)' is listed more than once", .repeatedID(name))
            default: continue
            }
            guard told.insert(choice).inserted else { continue }
            findings.append(
                Finding(
                    emergency: .folders, place: patient.place, what: what,
                    consequence: "listing \(patient.place) fails or shows it wrongly", isCertain: true,
                    remedy: Remedy(
                        what: "take the entry out of the list",
                        steps: [.removeElements(choice, of: patient.child("_objects"))])))
        }
        return findings
    }

    /// Attributes that look like children and are not in the list.
    private func unlisted(_ patient: Patient) throws(StorageError) -> [Finding] {
        guard patient.subject.attribute("_objects") != nil else { return [] }
        let listed = Set(ObjectManagerAdapter.objects(of: patient.subject).map(\.id))
        var findings: [Finding] = []
        for attribute in patient.subject.attributes {
            let name = String(decoding: attribute.name, as: UTF8.self)
            guard !name.hasPrefix("_"), !listed.contains(name), let node = patient.attribute(name), node.isObject,
                let child = try patient.workspace.readable(node),
                [child.text(of: "id"), child.text(of: "__name__")].contains(name)
            else { continue }
            let metaType = try metaType(of: child, patient)
            findings.append(
                Finding(
                    emergency: .folders, place: patient.place,
                    what: "'\(name)' (\(child.className?.description ?? "?")) is there, and not in the list",
                    consequence: "nobody sees it in \(patient.place)"
                        + (metaType == nil
                            ? "; its kind (meta_type) is not known here, so the list must be edited by hand" : ""),
                    isCertain: false,
                    remedy: metaType.map { metaType in
                        Remedy(
                            what: "list it as \(metaType)",
                            steps: [
                                .append(
                                    .dict([
                                        RescueEntry("id", .string(name)), RescueEntry("meta_type", .string(metaType)),
                                    ]), to: patient.child("_objects"))
                            ])
                    }))
        }
        return findings
    }

    /// As the list calls another child of the same class, or as Zope calls its own classes.
    private func metaType(of child: Subject, _ patient: Patient) throws(StorageError) -> String? {
        for object in ObjectManagerAdapter.objects(of: patient.subject) {
            guard let metaType = object.metaType, let node = patient.attribute(object.id),
                node.className == child.className
            else { continue }
            return metaType
        }
        return child.className.flatMap { MetaTypes.known[$0.description] }
    }
}

/// What Zope's own classes are called in lists. Source: `meta_type` of each class in Zope 2.13 and 5.
enum MetaTypes {
    static let known: [String: String] = [
        "OFS.Folder.Folder": "Folder",
        "OFS.OrderedFolder.OrderedFolder": "Folder (Ordered)",
        "OFS.DTMLMethod.DTMLMethod": "DTML Method",
        "OFS.DTMLDocument.DTMLDocument": "DTML Document",
        "OFS.Image.File": "File",
        "OFS.Image.Image": "Image",
        "OFS.userfolder.UserFolder": "User Folder",
        "AccessControl.User.UserFolder": "User Folder",
        "Products.BTreeFolder2.BTreeFolder2.BTreeFolder2": "BTreeFolder2",
        "Products.ExternalMethod.ExternalMethod.ExternalMethod": "External Method",
        "Products.PageTemplates.ZopePageTemplate.ZopePageTemplate": "Page Template",
        "Products.PluggableAuthService.PluggableAuthService.PluggableAuthService": "Pluggable Auth Service",
        "Products.PythonScripts.PythonScript.PythonScript": "Script (Python)",
        "Products.SiteErrorLog.SiteErrorLog.SiteErrorLog": "Site Error Log",
        "Products.SiteAccess.VirtualHostMonster.VirtualHostMonster": "Virtual Host Monster",
        "Products.ZCatalog.ZCatalog.ZCatalog": "ZCatalog",
    ]
}

internal import Pickle
internal import ZODB

/// The counter `_count` and the index of kinds `_mt_index` of a BTreeFolder2 against its tree.
struct BTreeFolderExamination {
    private let patient: Patient

    init(_ patient: Patient) { self.patient = patient }

    private var workspace: Workspace { patient.workspace }

    func findings() throws(StorageError) -> [Finding] {
        guard patient.subject.attribute("_tree") != nil, let treeNode = BTreeFolderAdapter.tree(of: patient.subject),
            let tree = try workspace.readable(treeNode), BTree(tree, in: workspace) != nil
        else { return [] }
        var children: [String: GlobalName?] = [:]
        let items = try workspace.items(of: tree)
        while let node = try items.next() {
            guard node.problem == nil else { return [] }
            if let name = node.component?.plainText { children[name] = .some(node.className) }
        }
        return try counted(children.count) + indexed(children)
    }

    private func counted(_ count: Int) throws(StorageError) -> [Finding] {
        guard let node = patient.attribute("_count"), try workspace.problem(of: node) == nil,
            let said = try workspace.integer(at: node), said != count
        else { return [] }
        let step: RescueStep =
            node.isObject
            ? .set(.integer(count), at: .attribute(Workspace.stateName), in: patient.place.child(node))
            : .set(.integer(count), at: .attribute("_count"), in: patient.place)
        return [
            Finding(
                emergency: .folders, place: patient.place,
                what: "the counter says \(said), and there are \(count) objects",
                consequence: "the pages of \(patient.place) leave objects out, or show empty pages", isCertain: true,
                remedy: Remedy(what: "set the counter to \(count)", steps: [step]))
        ]
    }

    private func indexed(_ children: [String: GlobalName?]) throws(StorageError) -> [Finding] {
        guard let index = patient.attribute("_mt_index"), index.isObject, let table = try workspace.readable(index)
        else { return [] }
        var findings: [Finding] = []
        var known: [String: String] = [:]
        var placesOfKinds: [String: Place] = [:]
        let kinds = try workspace.items(of: table)
        while let kind = try kinds.next() {
            guard kind.problem == nil, let metaType = kind.component?.plainText, kind.isObject,
                let ids = try workspace.readable(kind)
            else { return [] }
            let place = patient.place.child(index).child(kind)
            placesOfKinds[metaType] = place
            let names = try workspace.items(of: ids)
            while let name = try names.next() {
                guard name.problem == nil, let component = name.component else { return [] }
                guard children[component.plainText] == nil else {
                    known[component.plainText] = metaType
                    continue
                }
                findings.append(
                    Finding(
                        emergency: .folders, place: patient.place,
                        what: "the index has '\(component.plainText)' as a \(metaType), and there is no such object",
                        consequence: "listing the objects of this kind fails", isCertain: true,
                        remedy: Remedy(
                            what: "take it out of the index", steps: [.remove(component, from: place)])))
            }
        }
        // Kinds by class, as the index itself has them.
        var metaTypes: [GlobalName: String] = [:]
        for (name, metaType) in known { if let className = children[name] ?? nil { metaTypes[className] = metaType } }
        for (name, className) in children.sorted(by: { $0.key < $1.key }) where known[name] == nil {
            guard let className, let metaType = metaTypes[className] else { continue }
            guard let place = placesOfKinds[metaType] else { continue }
            findings.append(
                Finding(
                    emergency: .folders, place: patient.place,
                    what: "'\(name)' is not in the index, as others of its class are",
                    consequence: "lists of one kind leave it out", isCertain: true,
                    remedy: Remedy(
                        what: "enter it as a \(metaType)",
                        steps: [.set(.integer(1), at: .key(.string(Array(name.utf8))), in: place)])))
        }
        return findings
    }
}

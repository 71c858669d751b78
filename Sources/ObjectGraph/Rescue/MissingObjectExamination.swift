internal import Pickle
internal import ZODB

/// Objects that a container names and that cannot be read, or are of a class that is gone.
struct MissingObjectExamination: Examination {
    let depth = 0

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        var findings: [Finding] = []
        var told: Set<ObjectID> = []
        let items = try patient.workspace.items(of: patient.subject)
        var page: [Node] = []
        while true {
            page = []
            while page.count < 64, let node = try items.next() { page.append(node) }
            guard !page.isEmpty else { break }
            patient.workspace.prefetch(page)
            for node in page {
                guard let finding = try finding(node, patient, isItem: true) else { continue }
                if node.isObject { told.insert(node.oid) }
                findings.append(finding)
            }
        }
        for node in try patient.workspace.attributes(of: patient.subject) where !told.contains(node.oid) {
            if let finding = try finding(node, patient, isItem: false) { findings.append(finding) }
        }
        return findings
    }

    private func finding(_ node: Node, _ patient: Patient, isItem: Bool) throws(StorageError) -> Finding? {
        guard node.isObject, let component = node.component else { return nil }
        // An id without an object is for the examination of folders.
        if node.problem != nil, node.oid == patient.place.node.oid { return nil }
        let what: String
        if let problem = try patient.workspace.problem(of: node) {
            what = "\(component) (\(node.className?.description ?? "class unknown")) cannot be read: \(problem)"
        } else if let gone = try goneClass(of: node, patient) {
            what = "\(component) is of the class \(gone), which is gone"
        } else {
            return nil
        }
        var consequence = isItem ? "listing \(patient.place) fails" : "what uses this attribute fails"
        if patient.isApplication { consequence += ", and Zope may not start" }
        return Finding(
            emergency: .brokenObjects, place: patient.place, what: what, consequence: consequence, isCertain: true,
            remedy: Remedy(
                what: "take \(component) out of \(patient.place)", steps: [.remove(component, from: patient.place)]))
    }

    private func goneClass(of node: Node, _ patient: Patient) throws(StorageError) -> String? {
        guard !patient.scope.goneClasses.isEmpty, let subject = try patient.workspace.readable(node),
            let name = subject.className?.description, patient.scope.goneClasses.contains(name)
        else { return nil }
        return name
    }
}

internal import Pickle
internal import ZODB

/// The plugins that a PluggableAuthService has activated: each must be there.
///
/// Source: `PluginRegistry.listPlugins` gets every activated plugin from the service; when one is missing the service
/// logs a "plugin listing error" and goes on without any plugin of that kind.
struct PluginExamination {
    private let patient: Patient
    private let place: Place
    private let service: Subject

    init(_ patient: Patient, _ place: Place, _ service: Subject) {
        (self.patient, self.place, self.service) = (patient, place, service)
    }

    private var workspace: Workspace { patient.workspace }

    func findings() throws(StorageError) -> [Finding] {
        guard let registryNode = workspace.attribute("plugins", of: service) else { return [] }
        if let problem = try workspace.problem(of: registryNode) {
            return [
                finding(
                    "the plugin registry cannot be read: \(problem)", "nobody can log in",
                    Remedy(
                        what:
                            "put an empty user folder in the service's place; then 'passwd NAME --create --role Manager'",
                        steps: [.newUserFolder(in: patient.place)]))
            ]
        }
        let registryPlace = place.child(registryNode)
        guard let registry = try workspace.readable(registryNode),
            let table = workspace.attribute("_plugins", of: registry), table.isObject
        else { return [] }
        if let problem = try workspace.problem(of: table) {
            return [finding("the table of activated plugins cannot be read: \(problem)", "nobody can log in", nil)]
        }
        let tablePlace = registryPlace.child(table)
        var findings: [Finding] = []
        let kinds = try workspace.items(of: table)
        while let kind = try kinds.next() {
            guard let ids = try readable(kind), case .value(_, let slot) = kind.target,
                let items = ids.document.sequence(slot)
            else { continue }
            let interface = interfaceName(kind, in: try workspace.subject(of: table))
            for item in items {
                guard let id = ids.document.displayText(item), let problem = try problem(ofPlugin: id) else { continue }
                findings.append(
                    finding(
                        "plugin '\(id)' is activated as \(interface), and \(problem)",
                        interface == "IAuthenticationPlugin" || interface == "IExtractionPlugin"
                            ? "nobody can log in: Zope passes over all plugins of this kind"
                            : "Zope passes over all plugins of this kind",
                        Remedy(
                            what: "deactivate it as \(interface)",
                            steps: [.removeElements(.text(id), of: tablePlace.child(kind))])))
            }
        }
        return findings
    }

    private func readable(_ node: Node) throws(StorageError) -> Subject? { try workspace.readable(node) }

    private func problem(ofPlugin id: String) throws(StorageError) -> String? {
        guard let node = workspace.attribute(id, of: service) else { return "is not there" }
        return try workspace.problem(of: node).map { "cannot be read: \($0)" }
    }

    /// The keys are classes, which no literal spells.
    private func interfaceName(_ node: Node, in table: Subject) -> String {
        guard let entries = MappingAdapter.entries(of: table) else { return "a plugin" }
        for entry in entries {
            guard case .value(_, let slot) = node.target, slot == entry.value else { continue }
            if case .global(let name) = table.document[entry.key] { return name.name }
        }
        return "a plugin"
    }

    private func finding(_ what: String, _ consequence: String, _ remedy: Remedy?) -> Finding {
        Finding(
            emergency: .userFolder, place: place, what: what, consequence: consequence, isCertain: true, remedy: remedy)
    }
}

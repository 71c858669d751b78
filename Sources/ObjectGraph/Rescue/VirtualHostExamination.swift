internal import Pickle
internal import ZODB

/// Hosts that a Virtual Host Monster maps to what is not there.
struct VirtualHostExamination: Examination {
    let depth = 1

    private struct Mapping {
        /// `www.example.com`, `*.example.com:8080`
        var host: String
        /// The steps of the way, the first one first; without what is about URLs.
        var steps: [String]
        var remedy: [RescueStep]
    }

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        let subject = patient.subject
        guard subject.className?.name == "VirtualHostMonster" || subject.attribute("fixed_map") != nil,
            let base = patient.place.parent
        else { return [] }
        let mappings = mappings(patient)
        var findings: [Finding] = []
        var broken: Set<String> = []
        for mapping in mappings {
            guard let missing = try missing(mapping.steps, from: base, patient.workspace) else { continue }
            broken.insert(mapping.host)
            var steps = mapping.remedy
            if mappings.allSatisfy({ broken.contains($0.host) }), subject.attribute("have_map") != nil {
                steps.append(.set(.bool(false), at: .attribute("have_map"), in: patient.place))
            }
            findings.append(
                Finding(
                    emergency: .virtualHosts, place: patient.place,
                    what:
                        "host '\(mapping.host)' is mapped to /\(mapping.steps.joined(separator: "/")), and \(missing)",
                    consequence: "every URL of this host is answered with 404", isCertain: true,
                    remedy: Remedy(what: "take '\(mapping.host)' out of the map", steps: steps)))
        }
        return findings
    }

    /// Nil when the way leads somewhere.
    private func missing(_ steps: [String], from base: Place, _ workspace: Workspace) throws(StorageError) -> String? {
        var place = base
        for step in steps {
            guard let subject = try workspace.readable(place.node) else { return "\(place) cannot be read" }
            guard let node = try workspace.child(.name(step), of: subject) else {
                return "there is no '\(step)' in \(place)"
            }
            place = place.child(node)
        }
        return try workspace.problem(of: place.node).map { "that cannot be read: \($0)" }
    }

    private func mappings(_ patient: Patient) -> [Mapping] {
        let document = patient.subject.document
        let lines = patient.subject.attribute("lines").flatMap { document.texts($0) } ?? []
        var mappings: [Mapping] = []
        for (attribute, prefix) in [("fixed_map", ""), ("sub_map", "*.")] {
            guard let slot = patient.subject.attribute(attribute), case .dict(let hosts) = document[slot] else {
                continue
            }
            let table = patient.child(attribute)
            for host in hosts {
                guard let name = document.displayText(host.key), case .dict(let ports) = document[host.value] else {
                    continue
                }
                for port in ports {
                    let number = document.displayText(port.key) ?? document.int(port.key).map { String($0) }
                    let label = prefix + name + (number.map { ":" + $0 } ?? "")
                    let path = document.texts(port.value)?.reversed() ?? []
                    var remedy: [RescueStep] = []
                    if ports.count == 1 {
                        remedy.append(.remove(.key(.string(Array(name.utf8))), from: table))
                    } else if let key = PythonLiteral(port.key, in: document),
                        let entry = Self.node(host, attribute: table.node, patient)
                    {
                        remedy.append(.remove(.key(key), from: table.child(entry)))
                    }
                    for line in lines where Self.host(ofLine: line) == label.lowercased() {
                        remedy.append(.removeElements(.text(line), of: patient.child("lines")))
                    }
                    mappings.append(Mapping(host: label, steps: Self.steps(Array(path)), remedy: remedy))
                }
            }
        }
        return mappings
    }

    private static func node(_ entry: PickleDocument.Entry, attribute: Node, _ patient: Patient) -> Node? {
        guard let key = PythonLiteral(entry.key, in: patient.subject.document) else { return nil }
        return Node(Component(itemKey: key), entry.value, in: patient.subject.record, at: attribute.at, kind: .item)
    }

    /// `www.example.com` of `https://www.example.com/site/`.
    private static func host(ofLine line: String) -> String {
        var rest = Substring(line)
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        return rest.prefix { $0 != "/" }.filter { !$0.isWhitespace }.lowercased()
    }

    /// The way without `VirtualHostBase/http/host`, `VirtualHostRoot/_vh_…` and `/`.
    private static func steps(_ path: [String]) -> [String] {
        var steps = path[...]
        if steps.first == "VirtualHostBase" { steps = steps.dropFirst(3) }
        return steps.filter {
            $0 != "VirtualHostRoot" && !$0.hasPrefix("_vh_") && $0 != "/" && !$0.isEmpty && $0 != "*"
        }
    }
}

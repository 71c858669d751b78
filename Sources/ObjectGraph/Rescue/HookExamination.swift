internal import Pickle
internal import ZODB

/// Which hooks of a container a remedy takes out.
public enum HookIdentity: Hashable, Sendable {
    /// A key of the table, with its hook wherever it is in the list.
    case registered(priority: Int, handle: String)
    /// A hook of the list that no key of the table leads to, by its index.
    case unregistered(index: Int)
}

/// Access rules, SiteRoots, and whatever else is called before a container is traversed.
struct HookExamination: Examination {
    let depth = 1

    /// Handles of what sends requests elsewhere by intention.
    private static let rules: Set<String> = ["AccessRule", "SiteRoot"]
    /// Handles of what belongs to products and is rarely in the way.
    private static let harmless: Set<String> = ["Virtual Host Monster", "SessionDataManager", "CookieCrumbler"]

    func findings(of patient: Patient) throws(StorageError) -> [Finding] {
        let workspace = patient.workspace
        let hooks = try workspace.traversalHooks(of: patient.subject)
        var findings: [Finding] = []
        let list = workspace.activeHooks(of: patient.subject)
        // The last one first: the remedy of each takes it out by its index.
        for (index, node) in list.enumerated().reversed()
        where !hooks.contains(where: { Self.isSame($0.node, node, in: patient.subject.document) }) {
            findings.append(try unregistered(node, index, patient))
        }
        for hook in hooks {
            if let finding = try finding(of: hook, patient) { findings.append(finding) }
        }
        return findings
    }

    private static func isSame(_ left: Node, _ right: Node, in document: PickleDocument) -> Bool {
        switch (left.target, right.target) {
        case (.object(let first), .object(let second)): first == second
        case (.value(_, let first), .value(_, let second)): document.isSameHook(first, second)
        default: false
        }
    }

    private func finding(of hook: TraversalHook, _ patient: Patient) throws(StorageError) -> Finding? {
        let remedy = Remedy(
            what: "take hook '\(hook.handle)' out of the table and of the list",
            steps: [
                .removeHooks([.registered(priority: hook.priority, handle: hook.handle)], from: patient.place)
            ])
        if let problem = try patient.workspace.problem(of: hook.node) {
            return Finding(
                emergency: .accessRule, place: patient.place,
                what: "hook '\(hook.handle)' is an object that cannot be read: \(problem)",
                consequence: "every request to \(patient.everything) fails, or logs an error", isCertain: hook.isActive,
                remedy: remedy)
        }
        let isRule = Self.rules.contains(hook.handle) || hook.className?.name == "AccessRule"
        guard isRule || !isOfProduct(hook.handle) else { return nil }
        let name = hook.name ?? hook.className?.description ?? "?"
        let what =
            isRule
            ? "hook '\(hook.handle)': '\(name)' runs before every request" : "unusual hook '\(hook.handle)': '\(name)'"
        guard hook.isActive else {
            return Finding(
                emergency: .accessRule, place: patient.place,
                what: what + ", but is not in the list that Zope goes through",
                consequence: "nobody now; it comes back when the next hook is registered", isCertain: false,
                remedy: remedy)
        }
        let verdict = try hook.name.map { (name) throws(StorageError) in try self.verdict(name, patient) } ?? .unknown
        return Finding(
            emergency: .accessRule, place: patient.place, what: what,
            consequence: "\(verdict.words(name)); it concerns \(patient.everything)",
            isCertain: verdict.isCertain || (isRule && patient.isAsked && verdict != .missing), remedy: remedy)
    }

    private func isOfProduct(_ handle: String) -> Bool {
        Self.harmless.contains(handle) || handle.hasPrefix("Pluggable Auth Service/")
    }

    /// In the list, and therefore called, but in no way known to the table.
    private func unregistered(_ node: Node, _ index: Int, _ patient: Patient) throws(StorageError) -> Finding {
        let problem = try patient.workspace.problem(of: node)
        var name: String?
        if problem == nil, case .value = node.target { name = try patient.workspace.subject(of: node).text(of: "name") }
        let verdict = try name.map { (name) throws(StorageError) in try self.verdict(name, patient) } ?? .unknown
        return Finding(
            emergency: .accessRule, place: patient.place,
            what: "hook '\(name ?? node.className?.description ?? "?")' is called, but not in the table of hooks",
            consequence: problem.map {
                "it cannot be read (\($0)): every request to \(patient.everything) fails, or logs an error"
            }
                ?? "\(verdict.words(name ?? "the hook")); it concerns \(patient.everything)",
            isCertain: problem != nil || verdict.isCertain,
            remedy: Remedy(
                what: "take it out of the list",
                steps: [.removeHooks([.unregistered(index: index)], from: patient.place)]))
    }

    // MARK: What the hook calls

    private func verdict(_ name: String, _ patient: Patient) throws(StorageError) -> HookVerdict {
        guard let node = try patient.workspace.child(.name(name), of: patient.subject) else { return .missing }
        if let problem = try patient.workspace.problem(of: node) { return .unreadable("\(problem)") }
        guard let source = try patient.workspace.source(of: node) else { return .unknown }
        let script = HookScript(source.text)
        for target in script.targets {
            guard try patient.workspace.child(.name(target), of: patient.subject) == nil else { continue }
            return .leadsNowhere(target, patient.path(target))
        }
        return script.refuses ? .refuses : .unknown
    }
}

/// What a hook seems to do, told from what it calls.
enum HookVerdict: Hashable {
    case unknown
    /// What it calls is not there: Zope passes over such a hook.
    case missing
    case unreadable(String)
    /// It puts a name into the path that nothing has.
    case leadsNowhere(String, String)
    /// It raises something, or redirects.
    case refuses

    var isCertain: Bool {
        if case .leadsNowhere = self { true } else { false }
    }

    func words(_ name: String) -> String {
        switch self {
        case .unknown: "'\(name)' may send requests elsewhere, or refuse them"
        case .missing: "'\(name)' is not there, so Zope passes over the hook"
        case .unreadable(let problem): "'\(name)' cannot be read (\(problem)), so Zope logs an error and passes over it"
        case .leadsNowhere(let target, let path):
            "'\(name)' mentions '\(target)' as a step of the way, and there is no \(path): 404 for every URL"
        case .refuses: "'\(name)' raises an error or redirects"
        }
    }
}

/// A script read for what it does to requests, by a few words: a hint for people, no proof.
struct HookScript {
    /// Names that are put into the path still to be traversed.
    private(set) var targets: [String] = []
    private(set) var refuses = false

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let code = line.prefix { $0 != "#" }
            if code.contains("raise ") || code.contains("redirect(") { refuses = true }
            for word in [".append(", ".insert(", "setVirtualRoot("] where code.contains(word) {
                targets += Self.literals(code).filter { !targets.contains($0) }
            }
        }
    }

    /// The plain strings in a line of code.
    private static func literals(_ code: Substring) -> [String] {
        var found: [String] = []
        var quote: Character?
        var current = ""
        for character in code {
            if let open = quote {
                if character == open {
                    if !current.isEmpty, !current.contains(where: { $0.isWhitespace || $0 == "/" }) {
                        found.append(current)
                    }
                    (quote, current) = (nil, "")
                } else {
                    current.append(character)
                }
            } else if character == "'" || character == "\"" {
                quote = character
            }
        }
        return found
    }
}

extension Workspace {
    /// Why an object cannot be read; nil for one that can, and for a value.
    func problem(of node: Node) throws(StorageError) -> StorageError? {
        if let problem = node.problem { return problem }
        guard node.isObject else { return nil }
        do throws(StorageError) {
            _ = try object(node.oid, at: node.at)
            return nil
        } catch {
            guard error.isAboutOneObject else { throw error }
            return error
        }
    }
}

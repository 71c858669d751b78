import TestSupport
import ZConfig

/// A configuration of one or several files, for Python and for us.
struct TextCase: Encodable, CustomStringConvertible {
    var files: [String: String]
    var main = "top/main.conf"
    var env = ["ZCONFIG_TEST": "from the environment", "ZCONFIG_EMPTY": ""]

    init(_ text: String, _ others: [String: String] = [:]) {
        files = others
        files[main] = text
    }

    var description: String { "\(files)" }

    var host: ConfigurationHost {
        let (files, env) = (files, env)
        return ConfigurationHost(
            readFile: { (path) throws(UnreadableFile) in
                guard let text = files[path] else { throw UnreadableFile(why: "No such file or directory") }
                return Array(text.utf8)
            },
            variable: { env[$0] }, homeDirectory: { _ in nil }, isDirectory: { _ in false }, exists: { _ in false })
    }

    func parsed() throws(ConfigurationError) -> ConfigurationDocument {
        try ConfigurationDocument(path: main, host: host)
    }

    /// How the answer of `zconfig_judge.py` differs from what we do; nil when it does not.
    func difference(from answer: JSONValue) -> String? {
        let error = answer["error"]?.string
        do throws(ConfigurationError) {
            let root = try parsed().root
            if let error {
                // The judge's schema knows two section types; here any is taken.
                return error.contains("unknown type name") && Self.hasOtherTypes(root) ? nil : "Python: \(error)"
            }
            let (ours, theirs) = (Self.shown(root), Self.shown(answer["tree"] ?? .null))
            return ours == theirs ? nil : "\(ours) is \(theirs) for Python"
        } catch let refusal {
            guard let error else { return "Python takes it: \(refusal)" }
            guard let line = answer["line"]?.int, refusal.location.line > 0 else { return nil }
            switch refusal.reason {
            // Python finds out about a second section of a name where that section ends, and about an include that never
            // ends by trying, which may bring up something else.
            case .repeatedSectionName, .cycle: return nil
            default: break
            }
            if error.contains("unknown type name"), line < refusal.location.line { return nil }
            return line == refusal.location.line ? nil : "\(refusal): line \(line) for Python: \(error)"
        }
    }

    private static func hasOtherTypes(_ section: ConfigurationSection) -> Bool {
        section.sections.contains { !["a", "b"].contains($0.type) || hasOtherTypes($0) }
    }

    private static func shown(_ section: ConfigurationSection) -> String {
        var values: [String: [String]] = [:]
        for key in section.keys { values[key.key, default: []].append(key.value) }
        return shown(values, section.sections.map { "<\($0.type) \($0.name ?? "-")>\(shown($0))" })
    }

    private static func shown(_ tree: JSONValue) -> String {
        var values: [String: [String]] = [:]
        for member in tree["keys"]?.members ?? [] { values[member.key] = member.value.elements.compactMap(\.string) }
        let sections = (tree["sections"]?.elements ?? []).map { section in
            let parts = section.elements
            return "<\(parts[0].string ?? "?") \(parts[1].string ?? "-")>\(shown(parts[2]))"
        }
        return shown(values, sections)
    }

    private static func shown(_ values: [String: [String]], _ sections: [String]) -> String {
        let pairs = values.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
        return "\(pairs.map { "\($0.key.debugDescription): \($0.value)" }) \(sections)"
    }
}

/// Makes services of the lines of a file.
///
///     [prod]
///     address = db1.example.org:8800
///     env = production
struct ServiceReader {
    let file: SettingsFile
    let environment: Environment

    /// Keys besides those that options have, too.
    private static let ownKeys = ["address", "env", "readonly", "blobs", "init"]
    /// Of the options' names those that make sense in a service: `readonly` stands for `rw`.
    private static let settings = Setting.all.filter { $0.use != .output && $0.name != "rw" }.map(\.name)

    /// - Throws: `ShellFailure` with the line that is wrong.
    func services() throws -> [Service] {
        if let line = file.sections[0].lines.first { throw failure(line.number, "a key before the first [NAME]") }
        var services: [Service] = []
        var first: [String: Int] = [:]
        for section in file.sections.dropFirst() {
            if let number = first[section.name] {
                throw failure(section.number, "a second [\(section.name)]; the first is line \(number)")
            }
            first[section.name] = section.number
            services.append(try service(section))
        }
        return services
    }

    private func failure(_ number: Int, _ what: String) -> ShellFailure {
        ShellFailure("services", .usage, at: "\(file.path):\(number)", what, advice: "see 'help services'")
    }

    private func service(_ section: SettingsFile.Section) throws -> Service {
        var service = Service(name: section.name)
        service.place = "\(file.path):\(section.number)"
        var first: [String: Int] = [:]
        for line in section.lines {
            if let number = first[line.key], line.key != "init" {
                throw failure(line.number, "'\(line.key)' is said a second time; the first is line \(number)")
            }
            first[line.key] = line.number
            try set(line, of: &service)
        }
        guard !service.address.isEmpty else { throw failure(section.number, "[\(service.name)] has no address") }
        return service
    }

    private func set(_ line: SettingsFile.Line, of service: inout Service) throws {
        let value = line.value
        let place = "\(file.path):\(line.number)"
        switch line.key {
        case "address": service.address = address(value)
        case "env":
            switch value.lowercased() {
            case "production": service.isProduction = true
            case "", "staging", "development", "test": service.isProduction = false
            default: throw failure(line.number, "env is production, staging, development or test, not '\(value)'")
            }
        case "readonly":
            guard let rule = Service.ReadOnly(rawValue: value) else {
                throw failure(line.number, "readonly is default, always or never, not '\(value)'")
            }
            service.readOnly = rule
            if rule == .never { service.settings.set("rw", "yes", origin: place) }
        case "blobs":
            let path = value.hasPrefix("shared:") ? String(value.dropFirst(7)).trimmed : value
            guard !path.isEmpty else { throw failure(line.number, "blobs is a directory") }
            service.settings.set("blob-dir", file.path(path, environment), origin: place)
        case "init":
            if !value.isEmpty { service.initLines.append(StartupLines.Line(text: value, place: place)) }
        default:
            let text = try SettingsLayer.value(
                line, of: file, known: Self.ownKeys + Self.settings, kind: "services", environment)
            service.settings.set(line.key, text, origin: place)
        }
    }

    /// A path in it is meant as all paths in this file are.
    private func address(_ text: String) -> String {
        for scheme in ["zconfig://", "zconfig:", "file://", "file:"] where text.hasPrefix(scheme) {
            return scheme + path(String(text.dropFirst(scheme.count)), isEncoded: true)
        }
        if text.hasPrefix("repozo:") { return "repozo:" + path(String(text.dropFirst(7)), isEncoded: false) }
        if text.hasPrefix("demo:(") {
            // BASE)/(CHANGES): a path may have brackets of its own, in pairs.
            let (base, rest) = Self.closed(text.dropFirst(6))
            let changes = rest.hasPrefix(")/(") ? ")/(" + address(String(rest.dropFirst(3))) : String(rest)
            return "demo:(" + address(String(base)) + changes
        }
        if text.hasPrefix("~/") { return file.path(text, environment) }
        let isPath = text.contains("/") && !text.contains(":") && !text.contains(",")
        return isPath || (text.hasSuffix(".fs") && !text.contains(":")) ? file.path(text, environment) : text
    }

    /// What stands before the bracket that closes one opened before it, and the rest from that bracket on.
    private static func closed(_ text: Substring) -> (inside: Substring, rest: Substring) {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return (text[..<index], text[index...]) }
        }
        return (text, "")
    }

    /// - Parameter isEncoded: in the path `%41` is an `A`, and a `?` or a `#` ends it.
    private func path(_ text: String, isEncoded: Bool) -> String {
        guard let first = text.first, first != "/", first != "~" || text.hasPrefix("~/") else { return text }
        let rest = first == "~" ? String(text.dropFirst(2)) : text
        let directory = file.path(first == "~" ? "~/" : "", environment)
        guard isEncoded else { return directory + rest }
        let encoded = directory.map { ["%": "%25", "?": "%3F", "#": "%23"][$0] ?? String($0) }
        return encoded.joined() + rest
    }
}

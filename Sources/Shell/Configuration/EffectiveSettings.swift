internal import Storages

/// All that is set, of which the first that says something holds: option, environment, service, the user's
/// configuration, the system's.
struct EffectiveSettings: Sendable {
    /// Strongest first.
    private(set) var layers: [SettingsLayer]

    /// - Parameters:
    ///   - words: the options that were typed.
    ///   - destination: what a service, a zope.conf or a URI says; nil when none is named.
    ///   - systemFile: in tests another than `/etc/zeoshell/config`.
    /// - Throws: `ShellFailure` for a file or a variable that is wrong: to take half of it for all would be wrong.
    init(
        _ environment: Environment, words: [String] = [], destination: NamedDatabase? = nil,
        systemFile: String = "/etc/zeoshell/config"
    ) throws {
        layers = [SettingsLayer(words: words), try SettingsLayer(environment)]
        if let destination { layers += destination.layers }
        if let directory = environment.configurationDirectory() {
            layers.append(try SettingsLayer(file: directory + "/zeoshell/config", environment))
        }
        layers.append(try SettingsLayer(file: systemFile, environment))
    }

    /// - Returns: nil when nobody says anything.
    func value(_ setting: Setting) -> SettingsLayer.Value? {
        for layer in layers { if let value = layer[setting] { return value } }
        return nil
    }

    /// What will be used: where others turn a switch on, or nothing can be written, that counts.
    /// - Returns: nil when nobody says anything.
    func used(_ setting: Setting, for destination: NamedDatabase?) -> SettingsLayer.Value? {
        let value = value(setting)
        if setting.name == "rw", value?.text == "yes", let destination, !destination.mayWrite {
            let rule = destination.service?.readOnlyRule?.place ?? destination.service?.place
            return .init(text: "no", origin: destination.readOnlyAt ?? rule ?? destination.address.description)
        }
        guard value?.text != "yes" else { return value }
        for name in setting.implied {
            guard let other = Setting.named(name).flatMap({ self.value($0) }), other.text != "no" else { continue }
            return .init(text: "yes", origin: "\(name), \(other.origin)")
        }
        return value
    }

    /// The password of the user that is set; one that a zope.conf has for another user is none of this one's.
    var login: (user: String, password: String, realm: String?)? {
        guard let user = text("username") else { return nil }
        for layer in layers {
            guard let password = layer.text("password") else { continue }
            if let other = layer.text("username"), other != user { continue }
            return (user, password, text("realm"))
        }
        return nil
    }

    func text(_ name: String) -> String? { Setting.named(name).flatMap { value($0)?.text } }

    /// What is set by other than options, as options would say it: put before those that were typed, which then hold.
    ///
    /// Options are read by the parser alone, wherever they come from: what an option means is said in one place.
    /// - Parameter isServer: whether a server is meant; false: nothing is said of servers.
    func words(isServer: Bool, mayWrite: Bool) -> [String] {
        Setting.all.filter { $0.use == .connection || ($0.use == .server && isServer) }.compactMap { setting in
            guard layers[0][setting] == nil, let value = value(setting) else { return nil }
            if let companion = setting.companion, text(companion) == nil { return nil }
            switch setting.kind {
            case .secret: return nil
            case .onOff:
                guard value.text == "yes", setting.name != "rw" || mayWrite else { return nil }
                return "--" + setting.name
            case .text, .path, .choice, .seconds, .count, .size: return "--\(setting.name)=\(value.text)"
            }
        }
    }
}

extension Session.Settings {
    /// Takes what is set for showing answers.
    mutating func apply(_ settings: EffectiveSettings) {
        if let text = settings.text("output") { format = OutputFormat(rawValue: text) ?? format }
        if let text = settings.text("color") { color = ColorChoice(rawValue: text) ?? color }
        if let text = settings.text("progress") { progress = ProgressChoice(rawValue: text) ?? progress }
        if let text = settings.text("limit") { limit = Int(text) ?? limit }
        if let text = settings.text("utc") { usesUTC = text == "yes" }
        if let text = settings.text("wide") { isWide = text == "yes" }
        if let text = settings.text("quiet") { isQuiet = text == "yes" }
    }
}

import ServerConfiguration
import TestSupport
import ZConfig

/// One thing changed in a configuration.
enum Mutation {
    static func random(of lines: [String], _ random: inout RandomNumbers) -> [String] {
        var lines = lines
        let at = random.below(lines.count)
        let words = lines[at].split(separator: " ", maxSplits: 1).map(String.init)
        let values = [
            "", "yes", "1", "-1", "0", "5MB", "x y", "1.5", "~", "$", "$$", "info", "@ROOT@/gone/x/y", "@ROOT@/var/x",
            "STDERR", "a:b", "S",
        ]
        switch random.below(8) {
        case 0: lines.remove(at: at)
        case 1: lines.insert(lines[at], at: at)
        case 2: lines.insert(lines[at], at: random.below(lines.count + 1))
        case 3, 4: if let key = words.first { lines[at] = "  \(key) \(values[random.below(values.count)])" }
        case 5:
            var scalars = Array(lines[at])
            if scalars.count > 2 { scalars.remove(at: random.below(scalars.count)) }
            lines[at] = String(scalars)
        case 6:
            let sections = [
                "<mappingstorage/>", "<mappingstorage 1/>", "<eventlog/>", "<zeo/>", "<ssl/>", "<logfile/>",
                "<demostorage x/>", "<runner/>",
            ]
            lines.insert(sections[random.below(sections.count)], at: at)
        default:
            let keys = [
                "path x", "address 1", "read-only yes", "level info", "name n", "old-files 3", "max-size 1MB", "when H",
                "interval 5",
                "format %(message)s", "format %(nothing)s", "create on", "quota 10MB", "blob-dir x", "user u",
                "umask 9", "msgpack on",
                "invalidation-age 5", "transaction-timeout 5", "unknown key",
            ]
            lines.insert(keys[random.below(keys.count)], at: at)
        }
        return lines
    }

    /// Taken here and not by ZEO: several addresses, a Python that is not there, a package that is not installed, a key
    /// that ZODB 3.8 had; and certificates are read by the server, not with its settings.
    static func isAlsoTaken(_ settings: ServerSettings, _ error: String) -> Bool {
        let reasons = [
            "is not an existing path", "could not load package", "'quota' is not a known key name", "SSLError",
        ]
        return settings.addresses.count > 1 || reasons.contains(where: error.contains)
    }

    /// Refused here at once, and by ZEO when it opens a storage or a log, or never.
    static func isAlsoRefused(_ error: any Error) -> Bool {
        guard let error = error as? SettingsError else { return false }
        switch error.reason {
        // A FileStorage cannot be read-only and empty; a file without a name cannot be opened; there is one base; a
        // negative size never makes a log rotate.
        case .contradiction(let text):
            return ["'create'", "<demostorage>", "negative"].contains(where: text.contains)
        case .value("path", _), .value("when", _): return true
        case .value("invalidation-queue-size", _), .value("invalidation-age", _): return true
        default: return false
        }
    }
}

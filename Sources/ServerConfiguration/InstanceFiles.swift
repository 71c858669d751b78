internal import ZConfig

/// What a new instance consists of: the directories and files that `mkzeoinst` made, for this server.
///
///     etc/zeo.conf            the configuration; Python's runzeo takes it, too
///     etc/zeoserver.service   a unit for systemd
///     bin/runzeo              the server in the foreground
///     bin/zeoctl              start, stop, restart, status, logtail
///     var/                    Data.fs, blobs, the process's number
///     log/                    zeo.log
///
/// Only described here: whoever writes them leaves a file alone that is there.
///
/// Source: zope.mkzeoinstance 6.0 and the `mkzeoinst` of ZODB 3.2 to ZEO 4, for names, places and defaults.
public struct InstanceFiles: Hashable, Sendable {
    public struct Directory: Hashable, Sendable {
        /// Below the instance; empty for the instance itself.
        public let path: String
        /// Permissions.
        public let mode: UInt16
    }

    public struct File: Hashable, Sendable {
        /// Below the instance.
        public let path: String
        public let contents: String
        /// Permissions.
        public let mode: UInt16
    }

    /// Outermost first.
    public let directories: [Directory]
    public let files: [File]

    /// The default of `mkzeoinst`, but for this machine alone: nobody has to log in to a new instance.
    public static let defaultAddress = "127.0.0.1:9999"

    /// - Parameters:
    ///   - home: the absolute path of the instance.
    ///   - address: as in a configuration.
    ///   - hasBlobs: the storage has blobs, in `var/blobs`.
    ///   - program: `zeoserver`: the absolute path of it, or a name to be looked for.
    /// - Throws: `SettingsError` for a path that the files could not name, and for what is no address.
    public init(
        home: String, address: String = defaultAddress, hasBlobs: Bool = false, program: String = "zeoserver"
    ) throws(SettingsError) {
        guard home.utf8.first == UInt8(ascii: "/") else {
            throw SettingsError(.usage("expected the absolute path of an instance, found '\(home)'"), at: nil)
        }
        for path in [home, program, address] { try Self.checkWritable(path) }
        var socketFolders: [String] = []
        do throws(ValueError) {
            if case .unixSocket(let path) = try ValueType<SocketAddress>.bindingAddress(address) {
                let folder = ConfigurationHost.directory(of: path)
                if !folder.isEmpty, !folder.hasPrefix(home + "/var") { socketFolders.append(folder) }
            }
        } catch {
            throw SettingsError(.value(key: "address", error), at: nil)
        }
        var home = home
        while home.utf8.count > 1, home.utf8.last == UInt8(ascii: "/") { home.removeLast() }
        directories =
            [("", 0o755), ("etc", 0o755), ("bin", 0o755), ("var", 0o750), ("log", 0o750)].map(Directory.init)
            + (hasBlobs ? [Directory(path: "var/blobs", mode: 0o700)] : [])
        let unit = ServiceUnit.instance(home, others: socketFolders)
        files = [
            File(
                path: "etc/zeo.conf", contents: InstanceTexts.configuration(home, address, hasBlobs: hasBlobs),
                mode: 0o644),
            File(path: "etc/zeoserver.service", contents: unit.text, mode: 0o644),
            File(path: "bin/runzeo", contents: InstanceTexts.runzeo(home, program), mode: 0o755),
            File(path: "bin/zeoctl", contents: InstanceTexts.zeoctl(home, program), mode: 0o755),
        ]
    }

    /// ZConfig, zdaemon, a shell and systemd each have characters of their own that none of the others can quote.
    private static func checkWritable(_ text: String) throws(SettingsError) {
        let reserved = "\"'\\$%`".unicodeScalars
        for scalar in text.unicodeScalars
        where scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
            || reserved.contains(scalar)
        {
            throw SettingsError(
                .usage("'\(text)': white space, quotes, '\\', '$', '%' and '`' cannot be in the paths of an instance"),
                at: nil)
        }
    }
}

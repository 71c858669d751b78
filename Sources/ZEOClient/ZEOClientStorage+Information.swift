internal import ClientCache
internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage {
    public func information() throws(StorageError) -> StorageInformation {
        do throws(StorageError) {
            _ = try readingChannel(at: .none)
        } catch .connection(.away) {
            return informationAway
        }
        guard let server else { throw .connection(.lost(address: name, "not connected yet")) }
        let info = request(.getInfo) { value throws(MalformedReply) in try ServerInformation(value) }
        let status = server.generation.hasServerStatus ? request(.serverStatus, Self.figures) : nil
        let versions =
            server.hasVersions
            ? request(.versions) { value throws(MalformedReply) in Reply.versions(value) } : nil
        var calls: [any PendingCall] = [info]
        if let status { calls.append(status) }
        if let versions { calls.append(versions) }
        try send(calls)
        let told = try wait(for: info)
        var details = [StorageInformation.Detail("storage name", options.storage)]
        if endpoints.count > 1 { details.append(.init("connected to", serverAddress)) }
        details += cacheDetails
        if let own = server.information.own {
            // In the dialect of an older server, where that was asked for: it is none of these for that.
            details.append(.init("server", "zeoserver \(own.version)"))
        } else {
            if server.generation < .v5 { details.append(.init("release", server.releases)) }
            if server.python == .python2 { details.append(.init("server", "Python 2")) }
        }
        details += trust
        if let versions {
            // Old storages may be unable to tell.
            let names = (try? wait(for: versions)) ?? []
            details.append(.init("open versions", names.isEmpty ? "none" : names.joined(separator: ", ")))
        }
        // A storage may be unable to tell; what is shown is only less then.
        if let status { details += ((try? wait(for: status)) ?? []).map { .init($0.name, $0.value) } }
        return StorageInformation(
            kind: "ZEO server, protocol \(server.dialect)", storageName: told.storageName,
            objectCount: told.objectCount, size: told.size, details: details)
    }

    /// What proves who is at either end.
    private var trust: [StorageInformation.Detail] {
        var details: [StorageInformation.Detail] = []
        if case .loggedIn(let user, let realm)? = state.withLock({ $0.welcome?.login }) {
            details.append(.init("login", "\(LogText.printable(user)), realm \(LogText.printable(realm))"))
        }
        if let tls = options.tls { details.append(.init("tls", tls.hasCertificate ? "with our certificate" : "yes")) }
        if let tunnel = options.tunnel { details.append(.init("ssh", tunnel.destination)) }
        return details
    }

    public var remarks: [String] {
        guard state.withLock({ $0.welcome?.login }) == .notAsked else { return [] }
        return ["\(serverAddress) asks for no login: nobody there knows that you are \(options.login?.user ?? "")"]
    }

    /// What is known of it without it.
    private var informationAway: StorageInformation {
        let welcome = state.withLock { $0.welcome }
        let kind = welcome.map { "ZEO server, protocol \($0.server.dialect), away" } ?? "ZEO server, away"
        return StorageInformation(
            kind: kind, storageName: welcome?.information.storageName ?? "",
            details: [StorageInformation.Detail("storage name", options.storage)] + cacheDetails)
    }

    private var cacheDetails: [StorageInformation.Detail] {
        guard let file = state.withLock({ $0.view.cacheFile }) else { return [] }
        return [.init("cache file", file.path), .init("cached revisions", String(file.count))]
    }

    @Sendable private static func figures(_ value: WireValue) throws(MalformedReply) -> [(name: String, value: String)]
    {
        Reply.status(value)
    }
}

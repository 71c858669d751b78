internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage {
    public func information() throws(StorageError) -> StorageInformation {
        _ = try connectedChannel()
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
        if server.generation < .v5 { details.append(.init("release", server.releases)) }
        if server.python == .python2 { details.append(.init("server", "Python 2")) }
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

    @Sendable private static func figures(_ value: WireValue) throws(MalformedReply) -> [(name: String, value: String)]
    {
        Reply.status(value)
    }
}

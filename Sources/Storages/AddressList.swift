extension StorageAddress {
    /// `a:8800,b:8800,[::1]:8800,/run/zeo.sock`: servers of one database, told apart by commas.
    /// - Parameter exists: whether there is something at a path.
    /// - Returns: nil for a text that is no list: without a comma, or the path of something.
    /// - Throws: `AddressError` when it is a list, by one of its parts at least, and another part is no server.
    static func list(_ text: String, exists: (String) -> Bool) throws(AddressError) -> Location? {
        guard text.contains(","), !exists(text) else { return nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.trimming(while: { $0 == " " }) }
        guard parts.contains(where: isHostAndPort) || parts.allSatisfy(isSocket) else { return nil }
        var servers: [Location] = []
        for part in parts {
            let server: Location
            if isSocket(part) {
                server = .socket(String(part))
            } else if isHostAndPort(part), let location = try hostAndPort(String(part), exists: { _ in false }) {
                server = location
            } else {
                let what = part.isEmpty ? "a part of the list is empty" : "'\(part)' in the list is no server"
                throw AddressError(text, what, advice: "write HOST:PORT,HOST:PORT or the paths of sockets")
            }
            if servers.contains(server) {
                throw AddressError(text, "'\(part)' is in the list twice", advice: "name each server once")
            }
            servers.append(server)
        }
        return .servers(servers)
    }

    private static func isHostAndPort(_ part: Substring) -> Bool {
        part.hasPrefix("[") || !part.contains("/") && part.contains(":")
    }

    private static func isSocket(_ part: Substring) -> Bool { part.hasPrefix("/") && !part.hasSuffix(".fs") }
}

extension Substring {
    fileprivate func trimming(while condition: (Character) -> Bool) -> Substring {
        var rest = drop(while: condition)
        while let last = rest.last, condition(last) { rest.removeLast() }
        return rest
    }
}

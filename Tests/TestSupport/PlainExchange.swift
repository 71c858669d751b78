/// A request to a server that answers and hangs up.
public enum PlainExchange {
    /// What came until the server hung up; empty when nobody listens.
    public static func text(port: Int, _ request: String) -> String {
        guard let socket = ClientSocket(port: port) else { return "" }
        return String(decoding: socket.exchange(Array(request.utf8)), as: UTF8.self)
    }

    /// Whether somebody takes connections there.
    public static func isListening(port: Int) -> Bool { ClientSocket(port: port) != nil }

    /// The status and the body of an HTTP response; nil when there was none.
    public static func http(
        port: Int, _ path: String, method: String = "GET"
    ) -> (status: Int, head: String, body: String)? {
        let answer = text(port: port, "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let words = answer.split(separator: " ", maxSplits: 2)
        guard words.count == 3, let status = Int(words[1]) else { return nil }
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        return (status, String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}

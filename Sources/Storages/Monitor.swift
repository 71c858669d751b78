internal import ZEOClient
internal import ZEOProtocol
public import ZODB

/// What a server says to whoever connects to its `monitor-address`: text, up to ZEO 4 and from `zeoserver`.
/// - Throws: `connection`; `interrupted`.
public func monitorText(
    host: String, port: Int, timeout: Double, interruption: Interruption
) throws(StorageError) -> String {
    let answer = try Enquiry.perform(
        .host(host, port: port), saying: [], timeout: .milliseconds(Int(min(timeout, 86_400) * 1000)),
        interruption: interruption)
    return String(decoding: answer, as: UTF8.self)
}

/// What a server answers to `GET` over HTTP.
/// - Throws: `connection`, also for an answer that is none of HTTP, or says that there is no such page; `interrupted`.
public func httpText(
    host: String, port: Int, path: String, timeout: Double, interruption: Interruption
) throws(StorageError) -> String {
    let endpoint = Endpoint.host(host, port: port)
    let request = "GET \(path) HTTP/1.0\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n"
    let bytes = try Enquiry.perform(
        endpoint, saying: Array(request.utf8), timeout: .milliseconds(Int(min(timeout, 86_400) * 1000)),
        interruption: interruption)
    let text = String(decoding: bytes, as: UTF8.self)
    let head = text.prefix { !$0.isNewline }
    let words = head.split(separator: " ")
    guard words.count > 1, words[0].hasPrefix("HTTP/"), let end = text.firstRange(of: "\r\n\r\n") else {
        throw .connection(.protocolError(address: endpoint.description, "no answer of HTTP: \(head.prefix(80))"))
    }
    guard words[1] == "200" else {
        throw .connection(.protocolError(address: endpoint.description, "\(path): \(head.prefix(80))"))
    }
    return String(text[end.upperBound...])
}

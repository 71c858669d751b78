/// The list of clients, in JSON: an array of objects, oldest connection first.
enum ClientsText {
    static func text(_ clients: [ClientFigures]) -> String {
        clients.isEmpty ? "[]\n" : "[\n" + clients.map { "  " + text($0) }.joined(separator: ",\n") + "\n]\n"
    }

    private static func text(_ client: ClientFigures) -> String {
        let fields: [(String, String)] = [
            ("id", "\(client.number)"),
            ("label", optional(client.label)),
            ("address", JSONText.quoted(client.address)),
            ("dialect", optional(client.dialect)),
            ("storage", optional(client.storage)),
            ("age_seconds", "\((client.age * 1000).rounded() / 1000)"),
            ("bytes_waiting", "\(client.bytesWaiting)"),
            ("read_only", "\(client.isReadOnly)"),
            ("in_transaction", "\(client.hasTransaction)"),
            ("commit", JSONText.quoted(client.commit.rawValue)),
        ]
        return "{" + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}"
    }

    private static func optional(_ text: String?) -> String { text.map(JSONText.quoted) ?? "null" }
}

/// `demo:(file:///srv/Data.fs)/(memory://)`: changes, in memory, over a base that stays as it is; as zodburi writes it.
public struct DemoAddress: Hashable, Sendable {
    /// The address of the base.
    public var base: String

    /// nil when the text is no such address.
    /// - Throws: `AddressError` when it is one that cannot be read, or keeps its changes in a storage of their own.
    public init?(parsing text: String) throws(AddressError) {
        guard text.hasPrefix("demo:") else { return nil }
        // A fragment says how a ZODB connection caches.
        let rest = text.dropFirst(5)
        guard let (base, after) = Self.bracketed(rest), after.hasPrefix("/"),
            let (changes, end) = Self.bracketed(after.dropFirst()), end.isEmpty || end.hasPrefix("#")
        else {
            throw AddressError(
                text, "not of the form demo:(BASE)/(CHANGES)", advice: "demo:(file:///srv/Data.fs)/(memory://)")
        }
        guard changes.hasPrefix("memory:") else {
            throw AddressError(
                text, "changes in a storage of their own: zeoshell cannot lay one over the other",
                advice: "open the base with --overlay, or write (memory://) for the changes")
        }
        self.base = base
    }

    /// What is between a bracket and the one that closes it, and what comes after.
    private static func bracketed(_ text: Substring) -> (inside: String, rest: Substring)? {
        guard text.hasPrefix("(") else { return nil }
        var depth = 0
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 {
                return (String(text[text.index(after: text.startIndex)..<index]), text[text.index(after: index)...])
            }
        }
        return nil
    }
}

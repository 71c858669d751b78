/// The file that `%include` means.
///
/// ZConfig joins the text to the address of the including file, as a browser does with a link: a `%41` in it is an `A`,
/// and `file:///path` is a path.
///
/// Source: ZConfig 4.3, `ZConfig/url.py` and `BaseLoader.normalizeURL`.
struct IncludePath {
    /// Textual: `.` and `..` are resolved without a look at the disk. That is how a cycle is recognised, too.
    let path: String

    /// Nil when the text is the address of something else: `http:…`, `package:…`, a fragment of a file.
    init?(_ text: String, from includer: String) {
        var target = text
        if let scheme = Self.scheme(of: text) {
            guard scheme == "file" else { return nil }
            var rest = text.utf8.dropFirst("file:".utf8.count)
            for host in ["//localhost/", "//"] where rest.starts(with: host.utf8) {
                rest = rest.dropFirst(host == "//" ? 2 : host.utf8.count - 1)
                break
            }
            guard rest.first == UInt8(ascii: "/") else { return nil }
            target = String(Substring(rest))
        }
        guard !target.isEmpty, !target.utf8.contains(UInt8(ascii: "#")), let decoded = Self.unquoted(target)
        else { return nil }
        path = Self.normalized(decoded, from: includer)
    }

    /// The letters before a `:`, lower-cased; nil when there is none.
    private static func scheme(of text: String) -> String? {
        let (head, tail) = text[...].unicodeScalars.split { !($0.isASCII && ($0.properties.isAlphabetic || $0 == "+")) }
        return tail.first == ":" && head.count > 1 ? head.text.lowercased() : nil
    }

    /// `%41` becomes `A`. Nil when the result is not text, or holds a NUL, which no path does.
    private static func unquoted(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, rest.prefix(2).allSatisfy(isHexDigit),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    /// `path` without `.` and `..` where that can be said, joined to the directory of `includer` when it is relative.
    static func normalized(_ path: String, from includer: String = "") -> String {
        let slash = UInt8(ascii: "/")
        var joined = path
        if path.utf8.first != slash, let end = includer.utf8.lastIndex(of: slash) { joined = includer[...end] + path }
        let isAbsolute = joined.utf8.first == slash
        var parts: [Substring] = []
        for part in joined.utf8.split(separator: slash).map(Substring.init) {
            switch part {
            case ".": continue
            case ".." where parts.last.map { $0 != ".." } ?? isAbsolute: _ = parts.popLast()
            default: parts.append(part)
            }
        }
        // Nothing is left of the working directory.
        if parts.isEmpty, !isAbsolute, !joined.isEmpty { return "." }
        return (isAbsolute ? "/" : "") + parts.joined(separator: "/")
    }
}

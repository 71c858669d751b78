/// What Python's `str` methods do where Swift's differ.
///
/// Source: CPython, `Objects/unicodetype_db.h` (white space) and `Objects/unicodeobject.c`.
extension Unicode.Scalar {
    /// `str.isspace`, and `\s` in a regular expression.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0d, 0x1c...0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }
}

extension Substring.UnicodeScalarView {
    /// `str.strip`.
    func stripped() -> Self { self.droppingSpace().droppingTrailingSpace() }

    /// `str.lstrip`.
    func droppingSpace() -> Self { self.drop(while: \.isPythonSpace) }

    /// `str.rstrip`.
    func droppingTrailingSpace() -> Self {
        var rest = self
        while let last = rest.last, last.isPythonSpace { rest.removeLast() }
        return rest
    }

    /// Up to the first scalar that `ends`, and what is left from there.
    func split(before ends: (Unicode.Scalar) -> Bool) -> (head: Self, tail: Self) {
        let end = firstIndex(where: ends) ?? endIndex
        return (self[..<end], self[end...])
    }

    var text: String { String(Substring(self)) }
}

extension String {
    /// `str.strip`.
    func stripped() -> String { self[...].unicodeScalars.stripped().text }

    /// `str.split()`: the words between white space.
    func words() -> [String] {
        unicodeScalars.split(whereSeparator: \.isPythonSpace).map { String(Substring($0)) }
    }
}

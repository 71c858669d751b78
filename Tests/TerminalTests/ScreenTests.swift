import Testing

@Suite("The tests' own terminal")
struct ScreenTests {
    @Test("moves, erases, inserts and scrolls as a vt100 does")
    func screen() {
        var screen = Screen(rows: 3, columns: 10)
        screen.show("one\r\ntwo\u{1b}[1Dx\u{1b}[K".utf8)
        #expect(screen.lines == ["one", "twx", ""])
        screen.show("\r\u{1b}[C\u{1b}[P\u{1b}[32m›\u{1b}[0m".utf8)
        #expect(screen.currentLine == "t›")
        screen.show("\r\nthree\r\nfour".utf8)
        #expect(screen.lines == ["t›", "three", "four"])
        screen.show("\r\u{1b}[2@\u{1b}[A\u{1b}[J".utf8)
        #expect(screen.lines == ["t›", "", ""])
        screen.show("\u{1b}[H0123456789a".utf8)
        #expect(screen.lines == ["0123456789", "a", ""])
    }
}

import Testing

@Suite("Paths at a terminal", .serialized)
struct PathTests {
    @Test("connect, cd, ls, Tab, cat, quit")
    func session() throws {
        let shell = try Shell(columns: 100)
        try shell.waitForPrompt()
        shell.terminal.send("ls\n")
        try shell.terminal.wait(for: "pas_site")
        try shell.waitForPrompt()
        shell.terminal.send("cd si\t")
        try shell.terminal.waitForLine("\(Shell.prompt) cd site/")
        shell.terminal.send("\n")
        try shell.waitForPrompt("zope5.fs /site FILE ›")
        shell.terminal.send("cat dtml\t")
        try shell.terminal.waitForLine("zope5.fs /site FILE › cat dtml_")
        shell.terminal.send("\t")
        try shell.terminal.wait(for: "dtml_doc     DTML Document")
        try shell.terminal.waitForLine("zope5.fs /site FILE › cat dtml_")
        shell.terminal.send("m\t")
        try shell.terminal.waitForLine("zope5.fs /site FILE › cat dtml_method")
        shell.terminal.send("\n")
        try shell.terminal.wait(for: "# DTML Method (OFS.DTMLMethod.DTMLMethod)")
        try shell.waitForPrompt("zope5.fs /site FILE ›")
        shell.terminal.send("get .ti\t\n")
        try shell.terminal.wait(for: "line 'The Site'") { $0.lines.contains("The Site") }
        shell.terminal.send("ls btf/sub0\t\t")
        try shell.terminal.wait(for: "sub09")
        try shell.terminal.waitForLine("zope5.fs /site FILE › ls btf/sub0")
        shell.terminal.send("\u{15}ls -l small_file@~\u{8}\u{8}\n")
        try shell.waitForPrompt("zope5.fs /site FILE ›")
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
    }

    @Test("the prompt says that the past is looked at, and when it is left")
    func past() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("cd /site@~1\n")
        try shell.waitForPrompt("zope5.fs /site FILE @2026-11-20 23:24 ›")
        shell.terminal.send("ls -d deleted_later\n")
        try shell.terminal.wait(for: "line 'deleted_later'") { $0.lines.contains("deleted_later") }
        shell.terminal.send("cd @now\n")
        try shell.waitForPrompt("zope5.fs /site FILE ›")
        shell.terminal.send("ls -d deleted_later\n")
        try shell.terminal.wait(for: "has no item or attribute deleted_later")
    }
}

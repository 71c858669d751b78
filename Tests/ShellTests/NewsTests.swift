import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import Shell

/// A copy of a site's file that lacks its newest transactions, until they are committed: bytes that Python wrote.
private final class GrowingFile {
    let url: URL
    private let bytes: [UInt8]
    private let ends: [Int]
    private var count: Int

    init(_ name: String, lacking missing: Int) throws {
        bytes = try SampleData.bytes("fs/\(name).fs")
        let transactions = try #require(try SampleData.json("expected/\(name).fs.json")["transactions"]?.elements)
        ends = try transactions.map { transaction in
            let start = try #require(transaction["pos"]?.int)
            return start + (try #require(transaction["tlen"]?.int)) + 8
        }
        count = ends.count - missing
        url = FileManager.default.temporaryDirectory.appending(path: "news-\(UUID().uuidString).fs")
        try Data(bytes[..<ends[count - 1]]).write(to: url)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// What another process does: one more transaction at the end of the file.
    func commit() throws {
        let handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(bytes[ends[count - 1]..<ends[count]]))
        try handle.close()
        count += 1
    }
}

@Suite("Another client commits while we look")
struct NewsTests {
    @Test("the prompt says so, refresh shows the new state, @ the old one")
    func news() throws {
        let file = try GrowingFile("zope5", lacking: 2)
        let look = try Look(try FileStorage(file.url.path))
        func prompt() -> String { Prompt(look.session, isUTF8: true).text(Style(usesColor: false)) }
        let before = look.run("log --limit 1 --fields tid").output.dropLast()
        #expect(look.run("ls /site/deleted_later").code == .data)

        try file.commit()
        #expect(try look.session.poll().count == 1)
        #expect(prompt().contains("↻1"))
        // Still the moment that we look at.
        #expect(look.run("ls -d /site/broken").code == .data)
        #expect(look.run("log --limit 1 --fields tid").output.dropLast() == before)
        #expect(look.run("find /site --name broken").code == .negative)
        #expect(look.run("log /site --limit 1 --fields tid").output.dropLast() != "")

        let refreshed = look.run("refresh --fields transactions")
        #expect(refreshed.output == "transactions\t1\n")
        #expect(!prompt().contains("↻"))
        #expect(look.run("find /site --name broken --fields path").lines == ["/site/broken"])
        #expect(look.run("ls -d /site/deleted_later").code == .done)
        #expect(look.run("diff /site").output.contains("+ .broken = "))
        // And the old one, by its transaction and by its place in the object's own history.
        #expect(look.run("ls -d /site/deleted_later@\(before)").code == .data)
        #expect(look.run("diff /site@~1 /site").output.contains("+ .deleted_later = "))

        try file.commit()
        _ = look.run("refresh")
        #expect(look.run("ls -d /site/deleted_later").code == .data)
        #expect(look.run("get /site/deleted_later/.id@~0").code == .data)
        let middle = look.run("log --limit 2 --fields tid").lines[1]
        #expect(look.run("get /site/deleted_later/.id@\(middle)").output == "deleted_later\n")
        #expect(look.run("diff /site").output.contains("- .deleted_later = "))
    }
}

import TestSupport
import Testing
import Verification
import ZODB

/// A tree of Python's, and what is done to it.
private struct TreeCase: Encodable {
    var path: String
    var family: String
    var kind: String
    var count: Int
    var how: String
}

@Suite("Trees")
struct TreeTests {
    private static let damages = [
        "none", "swap", "double", "below", "above", "unlink", "skip", "empty", "separators", "first",
    ]

    @Test(
        "A tree is found damaged where BTrees.check or _check finds it, and sound where they do.",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
    func treesAreJudged() throws {
        let folder = try ScratchFolder()
        let kinds = [
            ("OO", "BTree", 200), ("IO", "BTree", 400), ("LL", "TreeSet", 800), ("OO", "TreeSet", 200),
            ("QQ", "BTree", 800), ("IF", "BTree", 800), ("fs", "BTree", 1800),
        ]
        var cases: [TreeCase] = []
        for (family, kind, count) in kinds {
            for how in Self.damages {
                let name = "\(family)\(kind)-\(how).fs"
                cases.append(
                    TreeCase(path: folder.file(name), family: family, kind: kind, count: count, how: how))
            }
        }
        let answers = try JudgeScript("verify_judge.py").answers(.zeo6, "trees", cases)
        for (one, answer) in zip(cases, answers) {
            let result = try verify(one.path)
            let found = result.findings.filter { $0.kind == .btree }
            #expect(result.findings.count == found.count, "\(one): \(result.findings)")
            let said = answer["check"]?.string
            if said != nil { #expect(!found.isEmpty, "\(one): Python says \(said ?? "")") }
            if one.how == "none" { #expect(found.isEmpty && said == nil, "\(one): \(found) \(said ?? "")") }
            for defect in found { #expect(defect.path?.hasPrefix("//tree") == true, "\(one): \(defect)") }
        }
    }
}

import ArgumentParser
import Foundation
import Pickle

/// Edits records of 1 MB by splices: CPU time of one edit, the new record parsed again and checked.
struct EditRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Edit made-up records of 1 MB; CPU time of parsing and of one edit.")

    @Option(help: "Edits to make of each record.")
    var count = 200

    func run() throws {
        for (name, source) in [("one text", oneText()), ("texts", texts()), ("references", references())] {
            let reading = try time { _ = try PickleDocument(source, .record) }
            let document = try PickleDocument(source, .record)
            let state = document.roots[1]
            guard case .dict(let entries) = document[state], let data = entries.last?.value else { continue }
            var edits = 0
            let replacing = try time {
                var edit = PickleEdit(document, style: .python3)
                edits += 1
                try edit.setAttribute("title", to: .text("New \(edits)"), ofState: state)
                _ = try edit.finish()
            }
            var line = "\(name): \(source.count) bytes, read \(reading) ms, an attribute set \(replacing) ms"
            if case .list(let items) = document[data] {
                let removing = try time {
                    var edit = PickleEdit(document, style: .python3)
                    try edit.removeItem(at: items.count / 2, from: data)
                    _ = try edit.finish()
                }
                line += ", one of \(items.count) items removed \(removing) ms"
            }
            print(line)
        }
    }

    /// Milliseconds of CPU for one round: the median.
    private func time(_ body: () throws -> Void) rethrows -> String {
        var rounds: [Double] = []
        for _ in 0..<max(count, 1) {
            let start = clock()
            try body()
            rounds.append(Double(clock() - start) / Double(CLOCKS_PER_SEC) * 1000)
        }
        let median = rounds.sorted()[rounds.count / 2]
        return "\((median * 100).rounded() / 100)"
    }

    // MARK: Records as Python 3 writes them

    private func text(_ value: String) -> [UInt8] {
        [0x58] + withUnsafeBytes(of: UInt32(value.utf8.count).littleEndian) { Array($0) } + Array(value.utf8)
    }

    private func put(_ number: Int) -> [UInt8] {
        number < 256
            ? [0x71, UInt8(number)] : [0x72] + withUnsafeBytes(of: UInt32(number).littleEndian) { Array($0) }
    }

    /// `{'title': 'Home', 'data': …}` of a class `m.C`, everything memoized; `data` begins with memo number 5.
    private func record(_ data: [UInt8]) -> [UInt8] {
        let start: [UInt8] = [0x80, 3] + Array("cm\nC\nq".utf8) + [0] + Array(".".utf8) + [0x80, 3] + Array("}".utf8)
        let title = put(1) + Array("(".utf8) + text("title") + put(2) + text("Home") + put(3)
        return start + title + text("data") + put(4) + data + Array("u.".utf8)
    }

    private func oneText() -> [UInt8] { record(text(String(repeating: "x", count: 1 << 20)) + put(5)) }

    private func texts() -> [UInt8] {
        let items = (0..<55_000).flatMap { text("item \($0)") + put(6 + $0) }
        return record(Array("]".utf8) + put(5) + Array("(".utf8) + items + Array("e".utf8))
    }

    /// Pairs of a reference and its name, as in a folder's list: the class is shared, and so is the key's text.
    private func references() -> [UInt8] {
        var items: [UInt8] = []
        var number = 6
        for index in 0..<18_000 {
            let oid = withUnsafeBytes(of: UInt64(index + 1).bigEndian) { Array($0) }
            items += [0x43, 8] + oid + put(number) + [0x68, 0, 0x86] + put(number + 1) + [0x51]
            items += [0x68, 2] + text("object \(index)") + put(number + 2) + [0x87] + put(number + 3)
            number += 4
        }
        return record(Array("]".utf8) + put(5) + Array("(".utf8) + items + Array("e".utf8))
    }
}

import Foundation

/// The inputs that mutation starts from.
enum Seeds {
    static func load(_ files: [String], for target: Zeofuzz.TargetName) throws -> [[UInt8]] {
        try files.flatMap { path -> [[UInt8]] in
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
            switch target {
            case .pickle: return path.hasSuffix(".fs") ? records(of: bytes) : lines(of: bytes)
            case .file, .cache: return [bytes]
            case .wire: return frames(of: bytes, fromServer: true)
            case .server: return frames(of: bytes, fromServer: false)
            }
        }
    }

    /// Lines of hexadecimal digits (a corpus), or else the file itself.
    private static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        let rows = bytes.split(separator: 10).compactMap { line -> [UInt8]? in
            // `["name", "hex", …]`, or nothing but digits.
            let parts = line.split(separator: UInt8(ascii: "\""))
            let digits = parts.count > 3 ? parts[3] : line
            guard digits.count.isMultiple(of: 2) else { return nil }
            var result: [UInt8] = []
            for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
                guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else {
                    return nil
                }
                result.append(byte)
            }
            return result
        }
        return rows.isEmpty ? [bytes] : rows
    }

    /// What servers, or clients, said in a transcript (`S -> C`, then rows of an offset and bytes): each message, and all in
    /// a row.
    private static func frames(of transcript: [UInt8], fromServer: Bool) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var isWanted = false
        for line in String(decoding: transcript, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let first = words.first else { continue }
            if words.count > 2, words[1] == "->" {
                isWanted = (first == "S") == fromServer
                if isWanted { messages.append([]) }
            } else if isWanted, first.count == 4, UInt16(first, radix: 16) != nil, !messages.isEmpty {
                messages[messages.count - 1] += words.dropFirst().compactMap { UInt8($0, radix: 16) }
            } else {
                isWanted = false
            }
        }
        return messages.map { Array($0.dropFirst(4)) } + [messages.flatMap(\.self)]
    }

    /// The data of every record of an undamaged Data.fs without versions.
    private static func records(of bytes: [UInt8]) -> [[UInt8]] {
        func number(_ at: Int, _ width: Int) -> Int { bytes[at..<at + width].reduce(0) { $0 << 8 | Int($1) } }
        var result: [[UInt8]] = []
        var at = 4
        while at + 23 <= bytes.count {
            let end = at + number(at + 8, 8)
            guard end + 8 <= bytes.count else { break }
            var record = at + 23 + number(at + 17, 2) + number(at + 19, 2) + number(at + 21, 2)
            while record + 42 <= end {
                let length = number(record + 34, 8)
                if length > 0, record + 42 + length <= end {
                    result.append(Array(bytes[record + 42..<record + 42 + length]))
                }
                record += 42 + (length > 0 ? length : 8)
            }
            at = end + 8
        }
        return result
    }
}

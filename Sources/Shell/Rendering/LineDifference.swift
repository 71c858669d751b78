/// Which lines of a text were taken away and which were put in, with a little of what surrounds them.
enum LineDifference {
    /// Longer stretches are told as taken away and put in whole: comparing each line with each takes too long.
    private static let stretchLimit = 3000
    private static let context = 2

    private enum Line {
        case kept(Substring)
        case removed(Substring)
        case added(Substring)
    }

    /// Lines with `- `, `+ ` or two spaces before them; `…` where equal lines are left out.
    static func lines(from old: String, to new: String) -> [String] {
        let before = old.split(separator: "\n", omittingEmptySubsequences: false)
        let after = new.split(separator: "\n", omittingEmptySubsequences: false)
        return shown(merged(before, after))
    }

    private static func merged(_ before: [Substring], _ after: [Substring]) -> [Line] {
        var start = 0
        while start < min(before.count, after.count), before[start] == after[start] { start += 1 }
        var (end, newEnd) = (before.count, after.count)
        while end > start, newEnd > start, before[end - 1] == after[newEnd - 1] {
            (end, newEnd) = (end - 1, newEnd - 1)
        }
        let head = before[..<start].map(Line.kept)
        let tail = before[end...].map(Line.kept)
        return head + changed(Array(before[start..<end]), Array(after[start..<newEnd])) + tail
    }

    private static func changed(_ before: [Substring], _ after: [Substring]) -> [Line] {
        guard before.count <= stretchLimit, after.count <= stretchLimit else {
            return before.map(Line.removed) + after.map(Line.added)
        }
        let difference = after.difference(from: before)
        var removed: Set<Int> = []
        var added: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var lines: [Line] = []
        var (old, new) = (0, 0)
        while old < before.count || new < after.count {
            if old < before.count, removed.contains(old) {
                lines.append(.removed(before[old]))
                old += 1
            } else if new < after.count, added.contains(new) {
                lines.append(.added(after[new]))
                new += 1
            } else if old < before.count {
                lines.append(.kept(before[old]))
                (old, new) = (old + 1, new + 1)
            } else {
                break
            }
        }
        return lines
    }

    private static func shown(_ lines: [Line]) -> [String] {
        var isNear = [Bool](repeating: false, count: lines.count)
        for (index, line) in lines.enumerated() {
            if case .kept = line { continue }
            for near in max(0, index - context)...min(lines.count - 1, index + context) { isNear[near] = true }
        }
        var result: [String] = []
        var isGap = false
        for (index, line) in lines.enumerated() {
            guard isNear[index] else {
                if !isGap { result.append("  …") }
                isGap = true
                continue
            }
            isGap = false
            switch line {
            case .kept(let text): result.append("  " + text)
            case .removed(let text): result.append("- " + text)
            case .added(let text): result.append("+ " + text)
            }
        }
        return result
    }
}

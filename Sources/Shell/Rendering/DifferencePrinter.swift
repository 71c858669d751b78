internal import ByteCoding
internal import ObjectGraph
internal import Pickle
internal import ZODB

/// How an object differs from another, as text that reads like a diff, and as JSON.
struct DifferencePrinter {
    /// One of the two states.
    struct Side {
        var path: String
        /// nil when there is nothing.
        var subject: Subject?
        /// Why it cannot be read.
        var problem: StorageError?

        init(path: String, subject: Subject? = nil, problem: StorageError? = nil) {
            (self.path, self.subject, self.problem) = (path, subject, problem)
        }

        /// - Throws: what is wrong with more than this object.
        init(_ node: Node, _ path: String, _ workspace: Workspace) throws(StorageError) {
            self.init(path: path)
            do throws(StorageError) {
                subject = try workspace.subject(of: node)
            } catch .noSuchObject, .noRevision {
                // Nothing there: the transaction made it, or took it away.
            } catch {
                guard error.isAboutOneObject else { throw error }
                problem = error
            }
        }
    }

    private let isPython2: Bool
    /// Long strings are cut after so many characters, unless that hides what differs.
    private static let stringLimit = 300

    init(_ workspace: Workspace) throws(StorageError) { isPython2 = try workspace.generation() == .python2 }

    func document(_ before: Side, _ after: Side) -> (document: Report.Document, isDifferent: Bool) {
        let difference = RecordDiff(from: before.subject, to: after.subject)
        let isClassChanged = before.subject != nil && after.subject != nil && difference.isClassChanged
        let isDifferent =
            isClassChanged || !difference.changes.isEmpty || (before.subject == nil) != (after.subject == nil)
            || before.problem != nil || after.problem != nil
        let document = Report.Document(
            title: after.path, text: isDifferent ? text(before, after, difference, isClassChanged) : "",
            json: json(before, after, difference))
        return (document, isDifferent)
    }

    // MARK: Text

    private func text(_ before: Side, _ after: Side, _ difference: RecordDiff, _ isClassChanged: Bool) -> String {
        var lines = ["--- " + heading(before), "+++ " + heading(after)]
        if isClassChanged {
            lines += ["- class " + className(before), "+ class " + className(after)]
        }
        for change in difference.changes { lines += self.lines(change, difference) }
        if difference.isCut { lines.append("… and more") }
        return lines.joined(separator: "\n")
    }

    private func heading(_ side: Side) -> String {
        if let problem = side.problem { return "\(side.path) (\(problem))" }
        guard let subject = side.subject else { return "\(side.path) (nothing)" }
        let serial = subject.record.serial
        return serial.isStaged
            ? "\(side.path)  \(TimeText.staged)" : "\(side.path)  \(serial.hex)  \(TimeText.machine(serial))"
    }

    private func className(_ side: Side) -> String {
        PythonString.escaped((side.subject?.className?.description ?? "unknown").utf8)
    }

    private func lines(_ change: RecordChange, _ difference: RecordDiff) -> [String] {
        let before = change.old.flatMap { slot in difference.old.map { ($0.document, slot) } }
        let after = change.new.flatMap { slot in difference.new.map { ($0.document, slot) } }
        let name = change.components.isEmpty ? "" : change.path
        if let before, let after, let old = plainText(before), let new = plainText(after), old != new,
            old.contains("\n") || new.contains("\n")
        {
            return ["  \(name):"]
                + LineDifference.lines(from: old, to: new).map { String($0.prefix(2)) + "  " + $0.dropFirst(2) }
        }
        var limit = Self.stringLimit
        if let before, let after, text(before, limit) == text(after, limit) { limit = .max }
        let prefix = name.isEmpty ? "" : name + " = "
        return (before.map { signed("- ", prefix + text($0, limit)) } ?? [])
            + (after.map { signed("+ ", prefix + text($0, limit)) } ?? [])
    }

    private func signed(_ sign: String, _ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { sign + $0 }
    }

    private func text(_ value: (PickleDocument, PickleDocument.Slot), _ limit: Int) -> String {
        var options = PickleText.Options()
        (options.isPython2, options.stringLimit) = (isPython2, limit)
        return value.0.text(value.1, options)
    }

    /// A string that is text, for a comparison line by line.
    private func plainText(_ value: (PickleDocument, PickleDocument.Slot)) -> String? {
        guard let bytes = value.0.stringBytes(value.1), PythonString.isUTF8(bytes), !bytes.contains(0) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: JSON

    private func json(_ before: Side, _ after: Side, _ difference: RecordDiff) -> String {
        var json = Pickle.JSONText()
        json.beginObject()
        json.key("path")
        json.string(after.path)
        json.key("before")
        write(before, to: &json)
        json.key("after")
        write(after, to: &json)
        json.key("changes")
        json.beginArray()
        for change in difference.changes { write(change, difference, to: &json) }
        json.endArray()
        if difference.isCut {
            json.key("cut")
            json.bool(true)
        }
        json.endObject()
        return json.text
    }

    private func write(_ side: Side, to json: inout Pickle.JSONText) {
        guard let subject = side.subject else {
            guard let problem = side.problem else { return json.null() }
            json.beginObject()
            json.key("problem")
            json.string(problem.description)
            return json.endObject()
        }
        json.beginObject()
        json.key("path")
        json.string(side.path)
        json.key("oid")
        json.string(subject.record.oid.hex)
        json.key("serial")
        json.string(TimeText.tid(subject.record.serial))
        json.key("time")
        json.string(TimeText.machine(subject.record.serial))
        json.key("class")
        if let name = subject.className { json.string(name.description) } else { json.null() }
        json.endObject()
    }

    private func write(_ change: RecordChange, _ difference: RecordDiff, to json: inout Pickle.JSONText) {
        json.beginObject()
        json.key("path")
        json.string(change.components.isEmpty ? "" : change.path)
        json.key("change")
        json.string(change.kind.rawValue)
        if let slot = change.old, let record = difference.old {
            json.key("before")
            record.document.writeJSON(slot, isPython2: isPython2, to: &json)
        }
        if let slot = change.new, let record = difference.new {
            json.key("after")
            record.document.writeJSON(slot, isPython2: isPython2, to: &json)
        }
        json.endObject()
    }
}

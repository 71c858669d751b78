import Foundation
import Logging
import ServerConfiguration
import TestSupport
import Testing

@testable import ServerCommand

@Suite("The log")
struct LogTests {
    struct Line: Encodable {
        var format = "%(asctime)s %(levelname)s %(name)s %(message)s"
        var dateFormat = "%Y-%m-%dT%H:%M:%S"
        var name = "zeoserver"
        var level = 20
        var message = "listening at 127.0.0.1:8800"
        var path = "ZEOServer/StorageServer.swift"
        var line = 94
        var function = "init"
        var time = 1_700_000_000.25
        var start = 1_700_000_000.0
        var process = 4711
        var thread = 99

        var record: LogRecord {
            var record = LogRecord(name: name, level: level, message: message, time: time)
            (record.path, record.line, record.function) = (path, line, function)
            (record.thread, record.process, record.start) = (thread, process, start)
            return record
        }
    }

    @Test(
        "has the lines that Python's logging makes of the same records",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func lines() throws {
        var lines = [10, 20, 30, 40, 50, 15].map { Line(level: $0) }
        lines += ["%d/%m/%y %H:%M", "%a %b %e %H:%M:%S %Y", "%j %p %%"].map { Line(dateFormat: $0) }
        lines += LogFormat.Field.allCases.map { field in
            Line(format: "[%(\(field.rawValue))20s]", message: "a caf\u{e9}")
        }
        lines.append(Line(format: "%(msecs)03d %(created).3f %(relativeCreated)d", time: 1_234_567_890.875))
        let answers = try JudgeScript("log_judge.py").answers(.zeo6, "lines", lines)
        for (line, answer) in zip(lines, answers) {
            let text = LogFormat(line.format)?.line { line.record.value(of: $0, dateFormat: line.dateFormat) }
            #expect(text == answer["text"]?.string, "\(line)")
        }
    }

    @Test("shows what is said with a message behind it, in the order of its names")
    func metadata() throws {
        let folder = try ScratchFolder()
        var settings = LogSettings()
        var file = LogFileSettings(destination: .file(folder.path("zeo.log")))
        file.format = try #require(LogFormat("%(levelname)s %(message)s"))
        settings.files = [file]
        let log = try EventLog(settings)
        var logger = log.logger("zeoserver")
        logger[metadataKey: "storage"] = "1"
        logger.warning("slow commit", metadata: ["seconds": "12", "client": "zope \"a\""])
        logger.debug("not at this level")
        #expect(try folder.text("zeo.log") == "WARNING slow commit client=\"zope \\\"a\\\"\" seconds=12 storage=1\n")
    }

    @Test("goes to each file from the level of that file on")
    func levels() throws {
        let folder = try ScratchFolder()
        var settings = LogSettings()
        settings.level = 10
        for (name, level) in [("all", 0), ("errors", 40)] {
            var file = LogFileSettings(destination: .file(folder.path(name)))
            file.level = level
            file.format = try #require(LogFormat("%(levelname)s"))
            settings.files.append(file)
        }
        let logger = try EventLog(settings).logger("zeoserver")
        logger.debug("")
        logger.notice("")
        logger.error("")
        #expect(try folder.text("all") == "DEBUG\nNOTICE\nERROR\n")
        #expect(try folder.text("errors") == "ERROR\n")
    }

    @Test("goes on in a new file when the old one was renamed and it is told so")
    func reopening() throws {
        let folder = try ScratchFolder()
        let destination = try LogDestination(.init(destination: .file(folder.path("zeo.log"))))
        destination.write(LogRecord(name: "a", level: 20, message: "before", time: 0))
        try FileManager.default.moveItem(atPath: folder.path("zeo.log"), toPath: folder.path("old"))
        destination.write(LogRecord(name: "a", level: 20, message: "still the old one", time: 0))
        try destination.reopen()
        destination.write(LogRecord(name: "a", level: 20, message: "after", time: 0))
        #expect(try folder.text("old").contains("still the old one"))
        #expect(try folder.text("zeo.log").hasSuffix("after\n"))
    }

    @Test("is opened with its first line when that is asked for")
    func late() throws {
        let folder = try ScratchFolder()
        var settings = LogFileSettings(destination: .file(folder.path("zeo.log")))
        settings.opensLate = true
        let destination = try LogDestination(settings)
        #expect(folder.names == [])
        destination.write(LogRecord(name: "a", level: 20, message: "first", time: 0))
        #expect(folder.names == ["zeo.log"])
    }
}

@Suite("A log that rotates")
struct LogRotationTests {
    struct Case: Encodable {
        var when: String?
        var interval = 1
        var limit = 0
        var oldFiles = 2
        var start = 1_700_000_000
        var times: [Double]
        var texts: [String]

        var rotation: LogFileSettings.Rotation {
            if let when, let time = RotationTime(when) { return .time(time, interval: interval, oldFiles: oldFiles) }
            return .size(limit: limit, oldFiles: oldFiles)
        }
    }

    @Test(
        "leaves the files that Python's handlers leave, by size and by every rule of time",
        .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func files() throws {
        var random = RandomNumbers(seed: 7)
        var cases: [Case] = []
        for _ in 0..<12 {
            let count = 30
            cases.append(
                Case(
                    limit: 20 + random.below(100), oldFiles: 1 + random.below(4),
                    times: (0..<count).map { 1_700_000_000 + Double($0) },
                    texts: (0..<count).map { "\($0) " + String(repeating: "x", count: random.below(40)) }))
        }
        let steps = ["S": 1, "M": 40, "H": 2000, "D": 40_000, "MIDNIGHT": 30_000, "W0": 200_000, "W6": 200_000]
        for (when, step) in steps.sorted(by: { $0.key < $1.key }) {
            for interval in [1, 3] {
                var time = 1_700_000_000 + random.below(1_000_000)
                let start = time
                let times = (0..<25).map { _ in
                    time += random.below(step * 2)
                    return Double(time) + 0.5
                }
                cases.append(
                    Case(
                        when: when, interval: interval, oldFiles: 1 + random.below(5), start: start, times: times,
                        texts: times.indices.map { "line \($0)" }))
            }
        }
        let answers = try JudgeScript("log_judge.py").answers(.zeo6, "rotation", cases)
        for (one, answer) in zip(cases, answers) {
            let expected = Dictionary(
                uniqueKeysWithValues: answer.members.map { ($0.key, $0.value.string ?? "") })
            #expect(try Self.files(one) == expected, "\(one)")
        }
    }

    private static func files(_ one: Case) throws -> [String: String] {
        let folder = try ScratchFolder()
        let path = folder.path("zeo.log")
        try Data().write(to: URL(filePath: path))
        let date = Date(timeIntervalSince1970: Double(one.start))
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        var settings = LogFileSettings(destination: .file(path))
        settings.rotation = one.rotation
        settings.format = try #require(LogFormat("%(message)s"))
        let destination = try LogDestination(settings)
        for (time, text) in zip(one.times, one.texts) {
            destination.write(LogRecord(name: "a", level: 20, message: text, time: time))
        }
        return try Dictionary(uniqueKeysWithValues: folder.names.map { ($0, try folder.text($0)) })
    }
}

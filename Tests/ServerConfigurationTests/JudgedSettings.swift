import ServerConfiguration
import TestSupport
import ZConfig

/// Settings in the words of `zeoconf_judge.py`.
enum JudgedSettings {
    static func shown(_ settings: ServerSettings) -> JSONValue {
        let (host, port): (JSONValue, JSONValue?) =
            switch settings.addresses[0] {
            case .internet(let host, let port): (.string(host), number(port))
            case .unixSocket(let path): (.string(path), nil)
            }
        return .object([
            .init("address", .array([host] + (port.map { [$0] } ?? []))),
            .init("read_only", .bool(settings.isReadOnly)),
            .init("invalidation_queue_size", number(settings.invalidationQueueSize)),
            .init("invalidation_age", number(settings.invalidationAge)),
            .init("transaction_timeout", number(settings.transactionTimeout)),
            .init("pid_file", text(settings.pidFile)),
            .init("msgpack", .bool(settings.usesMessagePack)),
            .init("client_conflict_resolution", .bool(settings.clientConflictResolution)),
            .init("ssl", .bool(settings.tls != nil)),
            .init("storages", .array(settings.storages.map { storage($0.storage, $0.name) })),
            .init("log", log(settings.log)),
            .init("runner", runner(settings.runner)),
        ])
    }

    /// Where our settings are others than the judge's; nil when they are not.
    static func difference(_ settings: ServerSettings, from theirs: JSONValue) -> String? {
        difference(normal(shown(settings)), normal(leveled(theirs)))
    }

    private static func difference(_ ours: JSONValue, _ theirs: JSONValue) -> String? {
        switch (ours, theirs) {
        case (.object(let one), .object(let other)) where one.map(\.key) == other.map(\.key):
            zip(one, other).lazy.compactMap { member, fact in
                difference(member.value, fact.value).map { "\(member.key).\($0)" }
            }.first
        case (.array(let one), .array(let other)) where one.count == other.count:
            zip(one, other).enumerated().lazy.compactMap { index, pair in
                difference(pair.0, pair.1).map { "\(index).\($0)" }
            }.first
        default: ours == theirs ? nil : " is \(ours), for ZEO \(theirs)"
        }
    }

    /// Both sides in one form: members in the order of their keys, numbers by their value.
    static func normal(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members): .object(members.map { .init($0.key, normal($0.value)) }.sorted { $0.key < $1.key })
        case .array(let elements): .array(elements.map(normal))
        case .number(let text): Double(text).map { .number("\($0)") } ?? value
        default: value
        }
    }

    private static func number(_ value: Int?) -> JSONValue { value.map { .number("\($0)") } ?? .null }
    private static func number(_ value: Double?) -> JSONValue { value.map { .number("\($0)") } ?? .null }
    private static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    private static func texts(_ value: [String]?) -> JSONValue {
        value.map { .array($0.map { .string($0) }) } ?? .null
    }

    /// Names inside of another storage are not kept.
    private static func storage(_ storage: StorageSettings, _ name: String?) -> JSONValue {
        var members: [JSONValue.Member] = [.init("name", text(name))]
        switch storage {
        case .file(let file):
            members += [
                .init("type", .string("filestorage")), .init("key path", .string(file.path)),
                .init("key blob_dir", text(file.blobDirectory)), .init("key create", .bool(file.create)),
                .init("key read_only", .bool(file.isReadOnly)), .init("key quota", number(file.quota)),
                .init("key pack_gc", .bool(file.packCollectsGarbage)),
                .init("key pack_keep_old", .bool(file.packKeepsOld)),
            ]
        case .blob(let directory, let base):
            members += [
                .init("type", .string("blobstorage")), .init("key blob_dir", .string(directory)),
                .init("base", self.storage(base, nil)),
            ]
        case .mapping(let name):
            members += [.init("type", .string("mappingstorage")), .init("key name", .string(name))]
        case .demo(let demo):
            let bases = [demo.base, demo.changes].compactMap(\.self).map { self.storage($0, nil) }
            members += [
                .init("type", .string("demostorage")), .init("key name", text(demo.name)),
                .init("bases", .array(bases)),
            ]
        case .temporary, .zlib: members.append(.init("type", .string("not of ZODB itself")))
        }
        return .object(members)
    }

    /// The judge's answer with what we have no difference for made the same: a switch that is not set is off, and an
    /// empty path is none. Storages inside of others lose their names.
    static func leveled(_ value: JSONValue, isInside: Bool = false) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.map { member in
                    switch (member.key, member.value) {
                    case ("key create", .null), ("key read_only", .null): .init(member.key, .bool(false))
                    case ("key blob_dir", .string("")), ("pid_file", .string("")): .init(member.key, .null)
                    // Every one of them when nothing else is said, and nothing at all without `when`.
                    case ("interval", let interval):
                        if members.contains(.init("when", .string(""))) {
                            .init(member.key, .number("0"))
                        } else {
                            .init(member.key, interval == .number("0") ? .number("1") : interval)
                        }
                    case ("name", _) where isInside: .init("name", .null)
                    case ("base", _), ("bases", _): .init(member.key, leveled(member.value, isInside: true))
                    default: .init(member.key, leveled(member.value, isInside: isInside))
                    }
                })
        case .array(let elements): .array(elements.map { leveled($0, isInside: isInside) })
        default: value
        }
    }

    private static func log(_ log: LogSettings?) -> JSONValue {
        guard let log else { return .null }
        return .object([.init("level", number(log.level)), .init("files", .array(log.files.map(file)))])
    }

    private static func file(_ file: LogFileSettings) -> JSONValue {
        let path =
            switch file.destination {
            case .standardOutput: "STDOUT"
            case .standardError: "STDERR"
            case .file(let path): path
            }
        var (oldFiles, size, when, interval) = (0, 0, "", 0)
        switch file.rotation {
        case .none: break
        case .size(let limit, let old): (size, oldFiles) = (limit, old)
        case .time(let time, let every, let old):
            (interval, oldFiles) = (every, old)
            when =
                switch time {
                case .seconds(1): "S"
                case .seconds(60): "M"
                case .seconds(3600): "H"
                case .seconds: "D"
                case .midnight: "MIDNIGHT"
                case .weekday(let day): "W\(day)"
                }
        }
        return .object([
            .init("path", .string(path)), .init("level", number(file.level)),
            .init("format", .string(shown(file.format))),
            .init("dateformat", .string(file.dateFormat)), .init("old_files", number(oldFiles)),
            .init("max_size", number(size)), .init("when", .string(when)), .init("interval", number(interval)),
            .init("delay", .bool(file.opensLate)),
        ])
    }

    /// As it was written, escapes apart.
    private static func shown(_ format: LogFormat) -> String {
        format.pieces.map { piece in
            switch piece {
            case .text(let text): text.replacing("%", with: "%%")
            case .field(let field, let conversion):
                "%(\(field.rawValue))" + (conversion.isLeftAligned ? "-" : "") + (conversion.isZeroPadded ? "0" : "")
                    + (conversion.width > 0 ? "\(conversion.width)" : "")
                    + (conversion.precision.map { ".\($0)" } ?? "") + "\(conversion.type)"
            }
        }.joined()
    }

    private static func runner(_ runner: RunnerSettings?) -> JSONValue {
        guard let runner else { return .null }
        return .object([
            .init("program", texts(runner.program)), .init("socket_name", .string(runner.socketName)),
            .init("daemon", .bool(runner.isDaemon)), .init("directory", text(runner.directory)),
            .init("backoff_limit", number(runner.backoffLimit)), .init("forever", .bool(runner.forever)),
            .init("exit_codes", .array(runner.exitCodes.map { number($0) })),
            .init("start_test_program", texts(runner.startTestProgram)),
            .init("start_timeout", number(runner.startTimeout)), .init("stop_timeout", number(runner.stopTimeout)),
            .init("user", text(runner.user)), .init("umask", number(runner.umask)),
            .init("hang_around", .bool(runner.hangsAround)),
            .init("default_to_interactive", .bool(runner.defaultsToInteractive)),
            .init("logfile", text(runner.logFile)), .init("transcript", text(runner.transcript)),
            .init("prompt", text(runner.prompt)), .init("eventlog", log(runner.log)),
        ])
    }
}

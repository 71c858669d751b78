internal import Logging
internal import ServerConfiguration
internal import ZConfig
internal import ZEOProtocol
internal import ZEOServer
internal import ZODB
internal import ZODBFile

/// What a server would do with its settings, as far as can be told without doing it: nothing is made, locked or written.
struct ConfigurationCheck {
    struct Result {
        /// What would be served.
        var lines: [String] = []
        var problems: [String] = []
        var exitCode = ProgramExit.success

        mutating func add(_ problem: String, _ code: Int32) {
            problems.append(problem)
            exitCode = max(exitCode, code)
        }
    }

    private let settings: ServerSettings

    init(_ settings: ServerSettings) { self.settings = settings }

    func run() -> Result {
        var result = Result()
        let silent = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
        checkProtection(&result, silent)
        for address in settings.addresses {
            result.lines.append("listens at \(Endpoint(address).shown)")
            if let problem = ListeningAddress.problem(at: address) {
                result.add("address \(address): \(problem)", ProgramExit.failure)
            }
        }
        for storage in settings.storages { check(storage, &result, silent) }
        checkFiles(&result)
        return result
    }

    private func checkProtection(_ result: inout Result, _ logger: Logger) {
        var policy = ServicePolicy()
        do {
            try policy.secure(by: settings, logger: logger)
        } catch {
            result.add("\(error)", ProgramExit.usage)
        }
        var protections: [String] = []
        if settings.tls != nil { protections.append("TLS") }
        if settings.authentication != nil { protections.append("logins") }
        if let roles = settings.roles { protections.append("roles \(roles.map(\.name).joined(separator: ", "))") }
        result.lines.append(
            protections.isEmpty
                ? "no TLS, logins or roles: whoever reaches it may do everything"
                : "with " + protections.joined(separator: ", "))
    }

    private func check(_ named: NamedStorage, _ result: inout Result, _ logger: Logger) {
        let opener = StorageOpener(logger: logger, interruption: Interruption(), isTrial: true)
        do throws(StorageOpeningError) {
            for served in try opener.open([named]) {
                defer { served.storage.close() }
                result.lines.append("storage \(named.name): \(Self.text(served))")
            }
        } catch {
            result.add(error.description, error.exitCode)
        }
        for file in named.storage.lockedFiles {
            guard let process = DataFileUser.process(writingTo: file) else { continue }
            result.lines.append("storage \(named.name): process \(process) serves \(file) now")
        }
    }

    private static func text(_ served: StorageServer.Served) -> String {
        let last = (try? served.storage.lastTransaction()) ?? .none
        let text = last == .none ? "empty" : "last transaction \(last)"
        return "\(served.storage.name), \(text)\(served.isReadOnly ? ", read-only" : "")"
    }

    private func checkFiles(_ result: inout Result) {
        let landmarks = ServerLandmarks(settings)
        if let pidFile = landmarks.pidFile {
            result.lines.append("pid file \(AbsolutePath.of(pidFile))")
            if let problem = FileAccess.obstacle(toWriting: pidFile) {
                result.add("pid file \(pidFile) cannot be written: \(problem)", ProgramExit.failure)
            }
        }
        for file in landmarks.logFiles {
            result.lines.append("log \(AbsolutePath.of(file))")
            if let problem = FileAccess.obstacle(toWriting: file) {
                result.add("log \(file) cannot be written: \(problem)", ProgramExit.failure)
            }
        }
        if landmarks.logFiles.isEmpty { result.lines.append("log: standard error, or the transcript of 'start'") }
    }
}

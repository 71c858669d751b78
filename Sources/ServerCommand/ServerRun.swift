internal import Dispatch
internal import Logging
internal import ServerConfiguration
internal import Synchronization
internal import ZConfig
internal import ZEOProtocol
internal import ZEOServer
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A server from its start to its end, in this process.
struct ServerRun {
    private let settings: ServerSettings
    private let options: ServingOptions

    init(_ settings: ServerSettings, _ options: ServingOptions) {
        self.settings = settings
        self.options = options
    }

    /// Serves until a signal ends it.
    /// - Returns: the exit code.
    func run() -> Int32 {
        let log: EventLog
        do {
            log = try EventLog(settings.log, isVerbose: options.verbose)
        } catch {
            StandardError.write("zeoserver: \(error)\n")
            return ProgramExit.failure
        }
        let logger = log.logger("zeoserver")
        let ending = Ending()
        var signals = SignalWatch()
        signals.on([SIGTERM, SIGINT]) { number in ending.begin(number, logger) }
        signals.on([SIGHUP, SIGUSR2]) { _ in log.reopen() }
        // A client that hangs up, and a file that reaches a limit, are errors of one call and not the end of the process.
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
        LostPage.watch(files: log.files)
        let code: Int32
        do {
            try signals.begin()
            try serve(logger, ending, log.isOnStandardError)
            code = ProgramExit.success
        } catch {
            logger.critical("\(error)")
            if !log.isOnStandardError { StandardError.write("zeoserver: \(error)\n") }
            code =
                switch error {
                case let error as StorageOpeningError: error.exitCode
                case is ServerTLSError, is SecuritySettingsError, is PasswordDatabaseError, is FileFailure:
                    ProgramExit.usage
                default: ProgramExit.failure
                }
        }
        return code
    }

    /// Says what is served: a wrong file, an empty one or one whose end was cut off is seen at once.
    private static func note(_ served: StorageServer.Served, _ logger: Logger) throws {
        let information = try served.storage.information()
        let last = try served.storage.lastTransaction()
        let objects = information.objectCount.map { ", \($0) objects" } ?? ""
        let bytes = information.size.map { ", \($0) bytes" } ?? ""
        logger.info(
            """
            storage \(served.name): \(information.storageName), \(information.kind)\(objects)\(bytes), last transaction \
            \(last == .none ? "none: it is empty" : last.description)\(served.isReadOnly ? ", read-only" : "")
            """)
        for detail in information.details where detail.name == "cut off when it was opened" {
            logger.warning("storage \(served.name): an unfinished end was cut off: \(detail.value)")
        }
    }

    /// As far as the system lets us, and a word where that is not enough.
    private static func raiseDescriptorLimit(for policy: ServicePolicy, _ logger: Logger) {
        guard let limit = DescriptorLimit.raise(), limit < policy.connectionLimit else { return }
        logger.notice(
            """
            at most \(limit) files and connections can be open at once, and connection-limit is \(policy.connectionLimit): \
            for so many clients raise it (ulimit -n, or LimitNOFILE= in the unit)
            """)
    }

    private func serve(_ logger: Logger, _ ending: Ending, _ isOnStandardError: Bool) throws {
        logger.info("version \(ServerVersion.number) starts, process \(getpid())")
        for warning in settings.warnings {
            logger.warning("\(warning)")
            if !isOnStandardError { StandardError.write("zeoserver: warning: \(warning)\n") }
        }
        if settings.log?.isSilent == true {
            StandardError.write("zeoserver: warning: <eventlog> has no <logfile>: nothing is logged, errors neither\n")
        }
        var policy = ServicePolicy(settings, threads: options.threads)
        Self.raiseDescriptorLimit(for: policy, logger)
        // Before any storage is opened: a server that is to be protected and cannot be does not begin.
        try policy.secure(by: settings, logger: logger)
        let server: StorageServer
        let watches: [FileWatch]
        do {
            let storages = try StorageOpener(logger: logger, interruption: ending.interruption).open(settings.storages)
            for storage in storages { try Self.note(storage, logger) }
            watches = storages.compactMap { served in
                (served.storage as? FileStorage).map { FileWatch(served.name, $0, logger: logger) }
            }
            server = try StorageServer(serving: storages, policy: policy, logger: logger)
        } catch  where ending.interruption.isRaised {
            logger.info("ended before it had begun to serve")
            return
        }
        let monitoring: MonitoringService?
        let pidFile: PIDFile?
        do {
            // Before any client: who can be served can be watched, and what cannot be watched serves nobody.
            monitoring = try self.monitoring(of: server, watches, logger)
        } catch {
            server.close()
            throw error
        }
        do {
            try ending.interruption.check()
            try server.listen(at: settings.addresses.map(Endpoint.init))
            // Not before: the file may be of another server, which has the address.
            pidFile = try settings.pidFile.map { try PIDFile($0) }
        } catch {
            monitoring?.close()
            server.close()
            guard !ending.interruption.isRaised else {
                logger.info("ended before it had begun to serve")
                return
            }
            throw error
        }
        ServiceManager.notify("READY=1")
        withExtendedLifetime(watches) { ending.wait() }
        ServiceManager.notify("STOPPING=1")
        for watch in watches { watch.lookAtTheEnd() }
        // Watchers can see it end, and the file says so to the last.
        server.close(patience: Ending.patience)
        monitoring?.close()
        pidFile?.remove()
        logger.info("ended")
    }

    private func monitoring(
        of server: StorageServer, _ watches: [FileWatch], _ logger: Logger
    ) throws(StorageError) -> MonitoringService? {
        var options = MonitoringService.Options()
        options.http = settings.httpAddress.map(Endpoint.init)
        options.text = settings.monitorAddress.map(Endpoint.init)
        guard options.http != nil || options.text != nil else { return nil }
        options.version = ServerVersion.text
        options.checks = settings.storages.flatMap { storage in
            storage.storage.directories.map { DiskSpace(of: $0).check }
        }
        options.checks += watches.map { watch in { watch.check() } }
        return try MonitoringService(server, options, logger: logger)
    }
}

/// The end of a server: asked for by a signal, waited for by who serves.
final class Ending: Sendable {
    /// Seconds that clients have to end the commits that they have voted on.
    static let patience: Double = 30

    /// Raised when it is asked for, for what is under way before the server serves.
    let interruption = Interruption()
    private let asked = DispatchSemaphore(value: 0)
    /// When it was asked for.
    private let since = Mutex<ContinuousClock.Instant?>(nil)

    /// What comes within this time is the same request: a supervisor signals a whole group, and then the process in it.
    private static let grace = Duration.seconds(1)

    /// The second time, the process ends at once.
    func begin(_ number: Int32, _ logger: Logger) {
        let name = number == SIGINT ? "SIGINT" : "SIGTERM"
        let now = ContinuousClock.now
        let before = since.withLock { since in
            defer { since = since ?? now }
            return since
        }
        if let before {
            guard now - before >= Self.grace else { return }
            logger.critical("ended at once by a second \(name)")
            _exit(ProgramExit.failure)
        }
        logger.notice("\(name): takes no more clients and ends when the commits under way have")
        interruption.raise()
        asked.signal()
    }

    func wait() { asked.wait() }
}

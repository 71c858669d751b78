internal import NIOCore
internal import Synchronization
internal import ZEOProtocol

/// What is said to a watcher.
struct MonitoringAnswer: Sendable {
    var status: Int
    var mediaType = "text/plain; charset=utf-8"
    var text: String
}

/// Finds the answer to a watcher's question.
final class MonitoringAnswers: Sendable {
    private let core: ServerCore
    private let options: MonitoringService.Options

    init(_ core: ServerCore, _ options: MonitoringService.Options) {
        self.core = core
        self.options = options
    }

    /// - Parameter path: without a query.
    func answer(to path: String, on loop: any EventLoop) -> EventLoopFuture<MonitoringAnswer> {
        switch path {
        case "/healthz": health(on: loop)
        case "/readyz": readiness(on: loop)
        case "/metrics":
            core.figures(on: loop).map { figures in
                let text = MetricsText.text(figures, .current())
                return MonitoringAnswer(status: 200, mediaType: MetricsText.mediaType, text: text)
            }
        case "/clients":
            core.clientFigures(on: loop, at: Clock.now()).map { clients in
                MonitoringAnswer(status: 200, mediaType: "application/json", text: ClientsText.text(clients))
            }
        case "/role": loop.makeSucceededFuture(role())
        default:
            loop.makeSucceededFuture(
                MonitoringAnswer(status: 404, text: "there are /healthz, /readyz, /metrics, /clients and /role\n"))
        }
    }

    func monitorText(on loop: any EventLoop) -> EventLoopFuture<String> {
        core.figures(on: loop).map { [options] in MonitorText.text($0, version: options.version) }
    }

    // MARK: Health

    /// Alive: every event loop answers. A watcher that hears nothing before its own time is up knows as much.
    private func health(on loop: any EventLoop) -> EventLoopFuture<MonitoringAnswer> {
        let answers = core.clientLoops.map { clientLoop, _ in clientLoop.submit {} }
        return EventLoopFuture.andAllSucceed(answers, on: loop).map { MonitoringAnswer(status: 200, text: "ok\n") }
    }

    /// Ready: clients can load and commit, as far as can be told.
    private func readiness(on loop: any EventLoop) -> EventLoopFuture<MonitoringAnswer> {
        let time = Clock.now()
        return core.clientFigures(on: loop, at: time).map { [core, options] _ in
            var faults = core.storages.values.map { $0.figures(at: time) }.sorted { $0.name < $1.name }.compactMap {
                Self.fault(of: $0, patience: options.commitPatience)
            }
            if !core.isListening.load(ordering: .relaxed) { faults.append("the server does not listen yet") }
            if core.isEnding.load(ordering: .relaxed) { faults.append("the server ends") }
            faults += options.checks.compactMap { $0() }
            guard !faults.isEmpty else { return MonitoringAnswer(status: 200, text: "ok\n") }
            return MonitoringAnswer(status: 503, text: faults.map { $0 + "\n" }.joined())
        }
    }

    static func fault(of storage: StorageFigures, patience: Double) -> String? {
        if let failure = storage.failure { return "storage \(storage.name): \(failure)" }
        guard let seconds = storage.lockSeconds, seconds > patience else { return nil }
        return "storage \(storage.name): a commit has not ended for \(Int(seconds)) s, \(storage.waiting) wait for it"
    }

    /// `primary`, or `read-only` where nobody may write to any storage.
    private func role() -> MonitoringAnswer {
        let isReadOnly = core.storages.values.allSatisfy { $0.writable == nil }
        return MonitoringAnswer(status: 200, text: isReadOnly ? "read-only\n" : "primary\n")
    }
}

internal import ZODB

/// Figures as OpenMetrics has them: what Prometheus and its likes collect.
///
/// Source: OpenMetrics 1.0, "Text format".
enum MetricsText {
    static let mediaType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    static func text(_ figures: ServerFigures, _ process: ProcessFigures) -> String {
        var text = ""
        let storages = figures.storages
        func family(
            _ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: String)],
            unit: String? = nil
        ) {
            text += "# TYPE \(name) \(type)\n"
            if let unit { text += "# UNIT \(name) \(unit)\n" }
            text += "# HELP \(name) \(help)\n"
            let suffix = type == "counter" ? "_total" : ""
            for (labels, value) in samples { text += "\(name)\(suffix)\(labels) \(value)\n" }
        }
        func counter(_ name: String, _ help: String, _ value: KeyPath<StorageFigures, Int>) {
            family(name, "counter", help, storages.map { (labels($0), "\($0[keyPath: value])") })
        }
        func gauge(
            _ name: String, _ help: String, unit: String? = nil, _ value: (StorageFigures) -> String?
        ) {
            family(
                name, "gauge", help,
                storages.compactMap { storage in value(storage).map { (labels(storage), $0) } }, unit: unit)
        }
        counter("zeo_loads", "Objects loaded by clients.", \.loads)
        counter("zeo_stores", "Objects stored by clients, before their transactions end.", \.stores)
        counter("zeo_commits", "Transactions committed.", \.commits)
        counter("zeo_aborts", "Transactions aborted by clients.", \.aborts)
        counter("zeo_conflicts", "Transactions refused because of a conflict.", \.conflicts)
        counter("zeo_conflicts_resolved", "Objects merged with what others had committed.", \.conflictsResolved)
        gauge("zeo_connections", "Clients of the storage.") { "\($0.connections)" }
        gauge("zeo_active_transactions", "Transactions that have begun and not ended.") { "\($0.activeTransactions)" }
        gauge("zeo_commits_waiting", "Clients that wait for the commit lock.") { "\($0.waiting)" }
        gauge("zeo_commit_lock_seconds", "How long the commit lock has been held; 0: it is free.", unit: "seconds") {
            "\($0.lockSeconds ?? 0)"
        }
        gauge("zeo_last_transaction_timestamp_seconds", "When the last transaction was committed.", unit: "seconds") {
            $0.lastTransaction.map { "\($0)" }
        }
        gauge("zeo_storage_size_bytes", "Size of the storage.", unit: "bytes") { $0.size.map { "\($0)" } }
        gauge("zeo_storage_objects", "Objects in the storage.") { $0.objects.map { "\($0)" } }
        gauge("zeo_storage_up", "Whether the storage answers.") { $0.failure == nil ? "1" : "0" }
        gauge("zeo_storage_read_only", "Whether nobody may write.") { $0.isReadOnly ? "1" : "0" }
        gauge("zeo_pack_running", "Whether the storage is being packed.") { $0.pack == nil ? "0" : "1" }
        gauge("zeo_pack_progress_ratio", "How far the pack under way is, from 0 to 1.", unit: "ratio") {
            $0.pack.map { "\($0.fraction)" }
        }
        family(
            "zeo_clients", "gauge", "Connections, those included that have not registered.",
            [("", "\(figures.clients.count)")])
        family(
            "zeo_outbox_bytes", "gauge", "What waits for clients to take it.",
            [("", "\(figures.clients.reduce(0) { $0 + $1.bytesWaiting })")], unit: "bytes")
        family(
            "zeo_uptime_seconds", "gauge", "How long the server has been serving.",
            [("", "\(max(0, figures.time - figures.start))")], unit: "seconds")
        family(
            "process_cpu_seconds", "counter", "Processor time.", [("", "\(process.processorSeconds)")], unit: "seconds")
        if let bytes = process.residentBytes {
            family("process_resident_memory_bytes", "gauge", "Resident memory.", [("", "\(bytes)")], unit: "bytes")
        }
        if let count = process.openFiles {
            family("process_open_fds", "gauge", "Open file descriptors.", [("", "\(count)")])
        }
        if let limit = process.fileLimit {
            family("process_max_fds", "gauge", "The most file descriptors there may be.", [("", "\(limit)")])
        }
        return text + "# EOF\n"
    }

    private static func labels(_ storage: StorageFigures) -> String { "{storage=\"\(escaped(storage.name))\"}" }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}

/// What a storage's clients have done since the server began: the figures of `server_status`.
struct StorageStatistics: Sendable {
    var loads = 0
    var stores = 0
    var commits = 0
    var aborts = 0
    var conflicts = 0
    var conflictsResolved = 0
    var activeTransactions = 0
    var connections = 0
    /// When the server began, in seconds since 1970.
    var start: Double
    /// Since when the commit lock is held, in seconds since 1970.
    var lockTime: Double?
    var waiting = 0

    init(start: Double) {
        self.start = start
    }
}

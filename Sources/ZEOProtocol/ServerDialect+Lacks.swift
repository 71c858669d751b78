extension ServerDialect {
    /// Whether it answers `zeoserver_status`: only our own says so.
    public var hasOwnStatus: Bool { information.own?.calls.contains(OwnStatus.method) ?? false }

    /// What this server cannot do that others can, each in words, for people.
    public var lacks: [String] {
        var lacks: [String] = []
        if loadsPastBySerial { lacks.append("no older states but through an object's own history") }
        if !generation.hasTransactionIteration {
            lacks.append("no list of its transactions but of those that can be undone")
        } else if !iteratesTransactions {
            lacks.append("no list of its transactions: its storage has none")
        }
        if !iteratesRecords { lacks.append("no walk over its objects: those that can be reached are found one by one") }
        if !undoes { lacks.append("no undo") }
        if !keepsBlobs { lacks.append("no blobs") }
        if generation < .v5 { lacks.append("no news of commits that only add objects: it is asked every few seconds") }
        if !generation.hasServerStatus {
            lacks.append("no figures of its work: its monitor-address has some (--monitor HOST:PORT)")
        }
        if !hasOwnStatus { lacks.append("no list of its clients") }
        return lacks
    }
}

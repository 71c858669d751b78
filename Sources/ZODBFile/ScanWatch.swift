package import ZODB

/// How far a long scan has come.
public struct ScanProgress: Hashable, Sendable {
    /// What is being done: `building the index of Data.fs`.
    public var task: String
    /// Bytes of the file read so far, and in all.
    public var done: Int, total: Int

    public init(task: String, done: Int, total: Int) {
        self.task = task
        self.done = done
        self.total = total
    }
}

/// What a long scan looks at while it runs: whether to stop, and whom to tell how far it is.
package struct ScanWatch: Sendable {
    package var task: String
    package var total: Int
    package var interruption: Interruption?
    package var progress: (@Sendable (ScanProgress) -> Void)?
    /// Of a pack, which has more to look at.
    var pack: PackWatch?

    package init(
        task: String, total: Int, interruption: Interruption? = nil,
        progress: (@Sendable (ScanProgress) -> Void)? = nil
    ) {
        (self.task, self.total, self.interruption, self.progress) = (task, total, interruption, progress)
    }

    init(task: String, total: Int, pack: PackWatch) {
        (self.task, self.total, self.pack) = (task, total, pack)
    }

    func check(at offset: Int) throws(StorageError) {
        try interruption?.check()
        try pack?.advance(to: offset)
        progress?(ScanProgress(task: task, done: offset, total: total))
    }
}

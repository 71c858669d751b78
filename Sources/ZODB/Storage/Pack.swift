/// A storage that can be packed.
public protocol PackableStorage: Storage {
    /// Drops what is not needed for states from `tid` on; returns when that is done.
    /// - Throws: `wrongState` when a pack is under way; `readOnly`; `interrupted`. After an error all is as before.
    @discardableResult
    func pack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackSummary
    /// How far the pack under way has come; nil when there is none, or it does not tell.
    var packProgress: PackProgress? { get }
    /// Makes a pack under way end with `interrupted`, soon.
    func cancelPack()
}

extension StorageError {
    /// What a storage says when it is asked to pack while it does.
    public static let alreadyPacking = StorageError.wrongState("Already packing")
}

extension PackableStorage {
    public var packProgress: PackProgress? { nil }

    public func cancelPack() {}
}

/// How to pack.
public struct PackOptions: Sendable {
    /// Drops objects that nothing refers to, too; nil: as the storage is configured, which is yes unless it says no.
    public var collectsGarbage: Bool?
    /// Leaves what was there before beside it (`Data.fs.old`); nil: as the storage is configured, as above.
    public var keepsOld: Bool?
    /// Whether a reference to an object that does not exist ends the pack, as with Python; else it is reported.
    public var isStrict = false
    /// The most bytes read and written in a second; nil: as fast as it goes.
    public var bytesPerSecond: Int?
    /// Raised, it ends the pack, and all is as before.
    public var interruption: Interruption?
    /// Told now and then how far it is, on the thread that packs.
    public var progress: (@Sendable (PackProgress) -> Void)?

    public init(
        collectsGarbage: Bool? = nil, keepsOld: Bool? = nil, isStrict: Bool = false, bytesPerSecond: Int? = nil,
        interruption: Interruption? = nil, progress: (@Sendable (PackProgress) -> Void)? = nil
    ) {
        self.collectsGarbage = collectsGarbage
        self.keepsOld = keepsOld
        self.isStrict = isStrict
        self.bytesPerSecond = bytesPerSecond
        self.interruption = interruption
        self.progress = progress
    }
}

/// How far a pack has come.
public struct PackProgress: Hashable, Sendable {
    public enum Phase: String, CaseIterable, Sendable {
        /// Which revision of each object was current at the time packed to.
        case index
        /// What is reachable from the root.
        case mark
        /// What stays is written to a new file.
        case copy
        /// What was committed meanwhile is added to it.
        case catchUp = "catch up"
        /// The new file takes the place of the old one.
        case switchOver = "switch"
        /// Blobs of dropped revisions go.
        case blobs
    }

    public var phase: Phase
    /// Of the phase, in bytes of the file (of objects, while marking).
    public var done: Int, total: Int
    /// Of all phases together, from 0 to 1: an estimate.
    public var fraction: Double
    /// Seconds since it began.
    public var elapsed: Double

    public init(phase: Phase, done: Int, total: Int, fraction: Double, elapsed: Double) {
        self.phase = phase
        self.done = done
        self.total = total
        self.fraction = fraction
        self.elapsed = elapsed
    }

    /// Seconds that it will still take, if it goes on like this; nil when it is too early to say.
    public var remaining: Double? {
        guard fraction > 0.02, elapsed > 0.5 else { return nil }
        return elapsed * (1 - fraction) / fraction
    }
}

extension PackProgress: CustomStringConvertible {
    /// `copy, 45 % in all, after 12 s, 15 s left`
    public var description: String {
        "\(phase.rawValue), \(Int(fraction * 100)) % in all, after \(Int(elapsed)) s"
            + (remaining.map { ", \(Int($0)) s left" } ?? "")
    }
}

/// What a pack came to.
public struct PackSummary: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        case packed
        /// Everything is as it was; why.
        case nothingToDo(String)
    }

    /// A reference to an object that did not exist at the time packed to.
    public struct Dangling: Hashable, Sendable {
        public var missing: ObjectID
        public var referrer: ObjectID

        public init(missing: ObjectID, referrer: ObjectID) {
            self.missing = missing
            self.referrer = referrer
        }
    }

    public var outcome: Outcome
    /// Objects and bytes of the storage; nil where it does not tell.
    public var objectsBefore: Int?, objectsAfter: Int?
    public var bytesBefore: Int?, bytesAfter: Int?
    /// References to nothing, the first hundred, and how many there are.
    public var dangling: [Dangling] = []
    public var danglingCount = 0
    /// Objects that nothing referred to at that time, and something did later: Python's pack would have lost them.
    public var rescued = 0
    /// Blob files that went with their revisions.
    public var blobsRemoved = 0
    /// What could not be done and does no harm, for the one who asked to know.
    public var notes: [String] = []

    public init(_ outcome: Outcome) { self.outcome = outcome }
}

/// A storage that can tell what a pack would drop.
public protocol PreviewablePackStorage: PackableStorage {
    /// Looks, and changes nothing. It may be opened for reading.
    func previewPack(to tid: TransactionID, _ options: PackOptions) throws(StorageError) -> PackPreview
}

/// What a pack would drop.
public struct PackPreview: Sendable {
    /// So many objects are told of singly.
    public static let mostObjects = 1000

    /// What would go of one object.
    public struct Loss: Hashable, Sendable {
        public var oid: ObjectID
        public var bytes: Int
        /// Nothing refers to it: it goes as a whole.
        public var isGarbage: Bool

        public init(oid: ObjectID, bytes: Int, isGarbage: Bool) {
            self.oid = oid
            self.bytes = bytes
            self.isGarbage = isGarbage
        }
    }

    /// Why a pack would do nothing; nil when it would, or that is not known before.
    public var redundancy: String?
    public var objectsBefore = 0
    public var bytesBefore = 0, bytesAfter = 0
    /// Objects that would go as a whole.
    public var droppedObjects = 0
    public var droppedRevisions = 0
    /// What would go, by class; the largest first.
    public var classes: [ClassTally.Line] = []
    /// Objects of which most would go, the largest first.
    public var largest: [Loss] = []
    public var dangling: [PackSummary.Dangling] = []
    public var danglingCount = 0
    public var rescued = 0

    public init() {}
}

internal import ZODB
internal import ZODBFile

/// Something done on a thread of its own while its owner does something else.
final class BackgroundWork<Value: Sendable>: Sendable {
    private let outcome = Monitor<Result<Value, StorageError>?>(nil)
    private let abandonment = Interruption()

    /// - Parameters:
    ///   - body: looks at the interruption it is given now and then: raised, nobody waits for it any more.
    init(_ body: @escaping @Sendable (Interruption) throws(StorageError) -> Value) throws(StorageError) {
        let (outcome, abandonment) = (outcome, abandonment)
        try BackgroundThread.start {
            let result: Result<Value, StorageError>
            do throws(StorageError) {
                result = .success(try body(abandonment))
            } catch {
                result = .failure(error)
            }
            outcome.change { $0 = result }
        }
    }

    /// Waits for its end.
    func value() throws(StorageError) -> Value { try outcome.wait { $0 }.get() }

    /// Makes it end as soon as it can, and waits for that.
    func abandon() {
        abandonment.raise()
        _ = outcome.wait { $0 }
    }

    /// Does `other` meanwhile, and returns when both have ended, or one has failed.
    func alongside<Other>(_ other: () throws(StorageError) -> Other) throws(StorageError) -> (Value, Other) {
        let result: Other
        do throws(StorageError) {
            result = try other()
        } catch {
            abandon()
            throw error
        }
        return (try value(), result)
    }
}

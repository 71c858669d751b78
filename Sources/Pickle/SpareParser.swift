import Synchronization

/// A parser that is not in use, with the memory of the last source: for a large record, making it accessible to the
/// process anew (page by page) takes twice as long as parsing.
enum SpareParser {
    /// More than this is given back.
    private static let limit = 16 << 20
    private static let spare = Mutex<PickleParser?>(nil)

    /// The spare parser, or a new one when another thread has it.
    static func take(sourceCount: Int) -> PickleParser {
        spare.withLock { $0.take() } ?? PickleParser(sourceCount: sourceCount)
    }

    static func giveBack(_ parser: consuming PickleParser) {
        guard parser.capacity <= limit else { return }
        parser.reset()
        var returned: PickleParser? = consume parser
        spare.withLock { slot in
            if slot == nil { slot = returned.take() }
        }
    }
}

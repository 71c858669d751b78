/// A MARK waiting for the opcode that takes the items above it.
struct OpenMark: BitwiseCopyable {
    /// The stack's height when it was set.
    var height: UInt32
    /// Where its byte stands, or the dead bytes before it.
    var start: UInt32
    /// Where its byte stands.
    var offset: UInt32
}

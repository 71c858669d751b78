/// Something that takes bytes from outside.
protocol Target {
    var name: String { get }
    /// Feeds `input`; nil when all is well, else what went wrong without a crash.
    func run(_ input: [UInt8]) -> String?
}

internal import ArgumentParser
internal import Storages

/// What is kept of a server's objects, and where.
struct CacheOptions: ParsableArguments {
    /// The smallest cache that is of use, and the largest that is an error surely.
    private static let sizes = 64 << 10...1 << 44

    @Option(
        name: .customLong("cache"),
        help: ArgumentHelp(
            "Keep what is read from a server in a file too, to read from when the server is away.", valueName: "file"))
    var file: String?

    @Option(
        name: .customLong("cache-size"),
        help: ArgumentHelp("How large that file is to be (as it is; a new one 20M).", valueName: "size"))
    var size: ByteCount?

    func validate() throws {
        if size != nil, file == nil { throw ValidationError("--cache-size belongs to --cache FILE") }
        if let size, !Self.sizes.contains(size.bytes) { throw ValidationError("--cache-size takes 64K and more") }
    }

    /// What the options say.
    var settings: CacheSettings? {
        file.map { CacheSettings(file: $0, size: size?.bytes) }
    }
}

internal import ArgumentParser
internal import ServerConfiguration
internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// `zeoserver init DIR`: what `mkzeoinst` did.
struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", _superCommandName: ServerProgram.name,
        abstract: "Make a directory for a server: configuration, scripts, places for data and log.",
        discussion: "What is there already is left as it is.")

    @Argument(help: "The directory.") var directory: String
    @Argument(help: "Where the server listens.") var address = InstanceFiles.defaultAddress
    @Flag(name: [.customShort("b"), .customLong("blobs")], help: "With a place for blobs.") var hasBlobs = false

    func run() throws {
        do {
            let files = try InstanceFiles(
                home: AbsolutePath.of(directory), address: Self.lasting(address), hasBlobs: hasBlobs,
                program: Self.program())
            try InstanceMaker(home: AbsolutePath.of(directory)).make(files)
        } catch let error as SettingsError {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(ProgramExit.usage)
        } catch let error as InstanceMaker.Failure {
            StandardError.write("zeoserver: \(error)\n")
            throw ExitCode(ProgramExit.failure)
        }
    }

    /// The path of a socket means the same from wherever the server is started.
    private static func lasting(_ address: String) -> String {
        address.contains("/") ? AbsolutePath.of(address) : address
    }

    /// As it was called when that is a path, so that a link to a newer program stays one; else the name, for `PATH`.
    private static func program() -> String {
        let name = CommandLine.arguments.first ?? "zeoserver"
        return name.contains("/") ? AbsolutePath.of(name) : name
    }
}

/// Makes directories and files, and says what it has made.
struct InstanceMaker {
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let number: Int32

        var description: String {
            switch number {
            case ENOENT: "\(path) cannot be made: the directory that it is to be in does not exist; make that first"
            case EEXIST: "\(path) cannot be made: there is a file of this name, and it is to be a directory"
            default: "\(path) cannot be made: \(unsafe String(cString: strerror(number)))"
            }
        }
    }

    let home: String

    func make(_ files: InstanceFiles) throws(Failure) {
        for directory in files.directories { try make(directory) }
        for file in files.files { try make(file) }
    }

    private func make(_ directory: InstanceFiles.Directory) throws(Failure) {
        let path = directory.path.isEmpty ? home : "\(home)/\(directory.path)"
        guard mkdir(path, mode_t(directory.mode)) != 0 else { return print("made \(path)/") }
        let number = errno
        var status = stat()
        let isDirectory = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        guard isDirectory else { throw Failure(path: path, number: number) }
    }

    private func make(_ file: InstanceFiles.File) throws(Failure) {
        let path = "\(home)/\(file.path)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(file.mode))
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw Failure(path: path, number: errno) }
            return print("left \(path) as it is")
        }
        defer { close(descriptor) }
        guard FileWriting.write(Array(file.contents.utf8), to: descriptor) else {
            throw Failure(path: path, number: errno)
        }
        print("made \(path)")
    }
}

internal import ServerCommand

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

exit(ServerProgram.run(Array(CommandLine.arguments.dropFirst())))

internal import Glibc
internal import Shell

exit(Program.run(Array(CommandLine.arguments.dropFirst())))

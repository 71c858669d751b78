import Foundation

/// One run of a command as a whole process: wall and CPU seconds, and the most memory it had.
struct Measurement {
    let wall: Double
    let cpu: Double
    let megabytes: Double

    struct Failed: Error, CustomStringConvertible {
        let command: [String]
        let status: Int32
        var description: String { "exit status \(status): \(command.joined(separator: " "))" }
    }

    init(_ command: [String]) throws {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { arguments.forEach { free($0) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        let start = ContinuousClock.now
        var child: pid_t = 0
        guard posix_spawnp(&child, command[0], &actions, nil, arguments, environ) == 0 else {
            throw Failed(command: command, status: 127)
        }
        var status: Int32 = 0
        var usage = rusage()
        while wait4(child, &status, 0, &usage) < 0, errno == EINTR {}
        let took = ContinuousClock.now - start
        guard status == 0 else { throw Failed(command: command, status: status) }
        wall = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        cpu =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(
                usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
            / 1e6
        megabytes = Double(usage.ru_maxrss) / 1024
    }
}

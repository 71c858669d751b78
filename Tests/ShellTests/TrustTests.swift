import ArgumentParser
import Foundation
import Storages
import TestSupport
import Testing
import ZODB

@testable import Shell

@Suite("Passwords and certificates")
struct TrustTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "trust-\(UUID().uuidString)")

    /// - Parameter answer: what a person types; nil: nobody is there.
    private func session(
        _ variables: [String: String] = [:], answer: String? = nil, asked: Box = Box()
    ) -> Session {
        let session = Session(
            mode: .script, terminal: Terminal(), environment: Environment { variables[$0] },
            interruption: Interruption(), progress: Progress { _ in }
        ) { _, _, _ in throw StorageError.interrupted }
        if let answer {
            session.questions = Questions { question in
                asked.questions.append(question)
                return answer
            }
        }
        return session
    }

    final class Box { var questions: [String] = [] }

    private func apply(
        _ words: [String], to options: OpeningOptions = OpeningOptions(), at address: String = "db:8100",
        _ session: Session? = nil
    ) throws -> OpeningOptions {
        var options = options
        let trust = try TrustOptions.parse(words)
        try trust.apply(to: &options, for: StorageAddress(parsing: address), in: session ?? self.session())
        return options
    }

    private func failure(_ body: () throws -> OpeningOptions) -> ShellFailure? {
        do {
            _ = try body()
            return nil
        } catch {
            return ShellFailure(error)
        }
    }

    /// An open descriptor that gives this text.
    private func descriptor(_ text: String) -> Int {
        let pipe = Pipe()
        try? pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try? pipe.fileHandleForWriting.close()
        return Int(dup(pipe.fileHandleForReading.fileDescriptor))
    }

    @Test("nothing said is nothing done")
    func nothing() throws { #expect(try apply([]) == OpeningOptions()) }

    @Test("a password comes from a descriptor, else from the environment, else from the person, who sees the address")
    func password() throws {
        let all = ["ZEOSHELL_PASSWORD": "of the environment"]
        let asked = Box()
        let words = ["--username", "joe", "--realm", "r"]
        let number = descriptor("of the descriptor\n")
        defer { close(Int32(number)) }
        #expect(
            try apply(words + ["--login-password-fd", "\(number)"], session(all, answer: "typed", asked: asked)).login
                == Credentials(user: "joe", password: "of the descriptor", realm: "r"))
        #expect(try apply(words, session(all, answer: "typed", asked: asked)).login?.password == "of the environment")
        #expect(asked.questions.isEmpty)
        #expect(try apply(words, session(answer: "typed", asked: asked)).login?.password == "typed")
        #expect(asked.questions == ["Password of joe at db:8100: "])
        let nobody = failure { try apply(words) }
        #expect(nobody?.exitCode == .usage)
        #expect(nobody?.advice == "--login-password-fd N, or ZEOSHELL_PASSWORD")
    }

    @Test("of a descriptor one line is taken, though more comes, or nothing for a long time")
    func line() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("one\r\ntwo\n".utf8))
        let number = Int(pipe.fileHandleForReading.fileDescriptor)
        #expect(try Secret.descriptor(number) == Array("one".utf8))
        // The writer is still there.
        #expect(try Secret.descriptor(number) == Array("two".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(throws: ShellFailure.self) { try Secret.descriptor(number) }
    }

    @Test("a descriptor that is none, is a terminal or never ends is told of in words")
    func descriptors() throws {
        func failure(_ number: Int) -> String? {
            do {
                _ = try Secret.descriptor(number, of: "--key-password-fd")
                return nil
            } catch {
                return ShellFailure(error).message(command: nil)
            }
        }
        #expect(failure(-1)?.contains("--key-password-fd -1: expected the number of a descriptor") == true)
        #expect(failure(1 << 40)?.contains("expected the number") == true)
        #expect(failure(1 << 20)?.contains("no such descriptor is open (--key-password-fd 3 3< FILE)") == true)
        let pipe = Pipe()
        #expect(
            failure(Int(pipe.fileHandleForWriting.fileDescriptor))?.contains("it is open for writing alone") == true)
        var (leader, follower): (Int32, Int32) = (-1, -1)
        try #require(openpty(&leader, &follower, nil, nil, nil) == 0)
        defer { for end in [leader, follower] { close(end) } }
        #expect(failure(Int(follower))?.contains("it is a terminal") == true)
        let zero = open("/dev/zero", O_RDONLY | O_CLOEXEC)
        defer { close(zero) }
        #expect(failure(Int(zero))?.contains("expected one line of text") == true)
        let directory = open("/", O_RDONLY | O_CLOEXEC)
        defer { close(directory) }
        #expect(failure(Int(directory))?.contains("directory") == true)
    }

    @Test("what a configuration said before holds where no flag says otherwise")
    func precedence() throws {
        var before = OpeningOptions()
        before.login = Credentials(user: "ann", password: "", realm: "theirs")
        before.tls = TLSSettings(certificate: "/c.pem", key: "/none.pem", passphrase: "x", authorities: "/ca.pem")
        before.tunnel = "bastion"
        let one = try apply([], to: before, session(answer: "typed"))
        #expect(one.login == Credentials(user: "ann", password: "typed", realm: "theirs"))
        #expect(one.tls == before.tls && one.tunnel == "bastion" && one.tunnelMayAsk)
        before.login?.password = "known"
        #expect(try apply([], to: before).login?.password == "known")
        // It is not the password of somebody else.
        let two = try apply(
            ["--username", "joe", "--cert", "/other.pem", "--server-name", "db", "--no-check-hostname", "--ssh", "b2"],
            to: before, session(answer: "typed"))
        #expect(two.login == Credentials(user: "joe", password: "typed", realm: "theirs"))
        #expect(two.tls?.certificate == "/other.pem" && two.tls?.key == nil && two.tls?.authorities == "/ca.pem")
        #expect(two.tls?.serverName == "db" && two.tls?.checksServerName == false && two.tunnel == "b2")
    }

    @Test("one option of TLS is enough to speak it; an encrypted key wants its pass phrase")
    func tls() throws {
        #expect(try apply(["--tls"]).tls == TLSSettings())
        #expect(try apply(["--ca", "~/ca.pem"], session(["HOME": "/home/joe"])).tls?.authorities == "/home/joe/ca.pem")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appending(path: "key.pem").path
        try "-----BEGIN ENCRYPTED PRIVATE KEY-----\n".write(toFile: key, atomically: true, encoding: .utf8)
        let asked = Box()
        let words = ["--cert", "/c.pem", "--key", key]
        #expect(try apply(words, session(answer: "open", asked: asked)).tls?.passphrase == "open")
        #expect(asked.questions == ["Pass phrase of \(key): "])
        #expect(try apply(words, session(["ZEOSHELL_KEY_PASSWORD": "e"])).tls?.passphrase == "e")
        let number = descriptor("d\n")
        defer { close(Int32(number)) }
        #expect(try apply(words + ["--key-password-fd", "\(number)"]).tls?.passphrase == "d")
        #expect(failure { try apply(words) }?.advice == "--key-password-fd N, or ZEOSHELL_KEY_PASSWORD")
        let missing = failure { try apply(["--cert", "/no/such.pem"]) }
        #expect(
            missing?.message(command: nil)
                == "zeoshell: /no/such.pem: No such file or directory (--cert takes a file that you can read)")
    }

    @Test("what does not fit together is wrong usage; a file is asked nothing, whatever a configuration says")
    func usage() throws {
        #expect(failure { try apply(["--realm", "r"]) }?.advice == "--username NAME")
        #expect(failure { try apply(["--login-password-fd", "9"]) }?.exitCode == .usage)
        for words in [["--ssh", "h"], ["--username", "joe"], ["--tls"]] {
            #expect(failure { try apply(words, at: "file:///srv/Data.fs") }?.exitCode == .usage)
        }
        var before = OpeningOptions()
        before.login = Credentials(user: "ann", password: "")
        #expect(try apply([], to: before, at: "file:///srv/Data.fs").login?.password == "")
        // Through ssh a path is the other machine's.
        #expect(try apply(["--ssh", "h"], at: "/run/zeo.sock").tunnel == "h")
    }

    @Test("a secret is in no text that is made of the options")
    func secrecy() throws {
        var options = OpeningOptions()
        options.login = Credentials(user: "joe", password: "geheim")
        options.tls = TLSSettings(certificate: "/c.pem", passphrase: "geheim")
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(options)", String(reflecting: options), dumped] {
            #expect(!text.contains("geheim") && text.contains("joe") && text.contains("/c.pem"))
        }
    }

    @Test("every failure says what to try, in one sentence with a flag or a command")
    func advice() {
        let names = CertificateNames(subject: "CN=db", issuer: "CN=CA")
        let logins: [(LoginFailure, Shell.ExitCode, String)] = [
            (.wanted(kind: "digest"), .refused, "--username"), (.unknownKind("srp"), .refused, "Data.fs"),
            (.otherRealm(expected: "a", found: "b"), .refused, "--realm 'b'"),
            (.noSuchUser("x"), .refused, "lists its users"),
            (.wrongPassword(user: "x"), .refused, "zeoserver passwd"), (.refused("x"), .refused, "<role>"),
            (.unproven("x"), .connection, "do not trust"),
        ]
        for (failure, exitCode, words) in logins {
            let told = ShellFailure(StorageError.connection(.login(address: "db:1", failure)))
            #expect(told.exitCode == exitCode && told.place == "db:1" && told.what == failure.description)
            #expect(told.advice?.contains(words) == true, "\(failure)")
        }
        let handshakes: [(TLSFailure, String)] = [
            (.plainServer(received: "'Z5'"), "--tls"), (.noAnswer(seconds: 5), "--timeout"),
            (.unknownAuthority(names), "--ca FILE"), (.selfSigned(names), "--ca FILE"),
            (.expired(names, since: "x"), "clock"),
            (.notYetValid(names, from: "x"), "clocks"), (.otherName(expected: "a", names: ["b"]), "--server-name 'b'"),
            (.otherName(expected: "127.0.0.1", names: ["b", "localhost"]), "--server-name 'localhost'"),
            (.otherName(expected: "a", names: []), "--no-check-hostname"), (.certificateRefused("x"), "authenticate"),
            (.certificateWanted, "--cert FILE"), (.closed, "log"), (.other("x"), "log"),
            (.hungUp(hasCertificate: true), "authenticate"), (.hungUp(hasCertificate: false), "--cert FILE"),
        ]
        for (failure, words) in handshakes {
            let told = ShellFailure(StorageError.connection(.tls(address: "db:1", failure)))
            #expect(told.exitCode == .connection && told.place == "db:1" && told.what == failure.description)
            #expect(told.advice?.contains(words) == true, "\(failure)")
        }
        let files: [(TLSFile, TLSFileProblem, String)] = [
            (.key, .exposed(mode: 0o644), "chmod 600 '/a b'"), (.key, .unreadable(errno: 2), "--key"),
            (.certificate, .notPEM(isBinary: true), "openssl x509"), (.key, .notPEM(isBinary: true), "openssl pkey"),
            (.authorities, .notPEM(isBinary: false), "--ca"), (.key, .notPEM(isBinary: false), "--key FILE names"),
            (.key, .needsPassphrase, "--key-password-fd"),
            (.key, .wrongPassphrase, "openssl pkey"), (.key, .otherCertificate("c"), "--key FILE"),
            (.key, .noCertificate, "--cert FILE"), (.authorities, .noHashes, "openssl rehash"),
            (.certificate, .isDirectory, "name the file"),
        ]
        for (file, problem, words) in files {
            let told = ShellFailure(StorageError.connection(.tls(address: "db:1", .file(file, path: "/a b", problem))))
            #expect(told.exitCode == .environment && told.place == "/a b" && told.what == problem.text(of: file))
            #expect(told.advice?.contains(words) == true, "\(problem)")
        }
        let ssh = ShellFailure(StorageError.connection(.tunnel(address: "db:1", through: "h", "Permission denied")))
        #expect(ssh.what == "no way through ssh h: Permission denied" && ssh.exitCode == .connection)
    }
}

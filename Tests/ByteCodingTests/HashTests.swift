import ByteCoding
import Testing

@Suite("Hashes")
struct HashTests {
    /// RFC 3174, section 7.3, and FIPS 180-4's examples.
    static let known: [(text: String, count: Int, sha1: String, sha256: String)] = [
        (
            "", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        (
            "abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        ),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "a", 1_000_000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test("the vectors of their standards", arguments: known)
    func vectors(text: String, count: Int, sha1: String, sha256: String) {
        let message = Array(String(repeating: text, count: count).utf8)
        #expect(Hexadecimal.text(SHA1.digest(message)) == sha1)
        #expect(Hexadecimal.text(SHA256.digest(message)) == sha256)
    }

    @Test("a message in pieces has the digest of the whole, whatever its length", arguments: 50..<140)
    func pieces(count: Int) {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        for cut in [0, 1, 13, 50] {
            var hash = SHA1()
            hash.update(Array(message[..<cut]))
            _ = hash.digest
            hash.update(Array(message[cut...]))
            #expect(hash.digest == SHA1.digest(message))
            let (head, rest) = (Array(message[..<cut]), Array(message[cut...]))
            var md5 = MD5()
            var sha256 = SHA256()
            md5.update(head.span)
            sha256.update(head.span)
            _ = (md5.digest, sha256.digest)
            md5.update(rest.span)
            sha256.update(rest.span)
            #expect(md5.digest == MD5.digest(message))
            #expect(sha256.digest == SHA256.digest(message))
        }
    }

    /// RFC 1321, appendix A.5; and a message of many blocks, by `hashlib`.
    @Test(
        "MD5 of the vectors of RFC 1321",
        arguments: [
            ("", 1, "d41d8cd98f00b204e9800998ecf8427e"), ("a", 1, "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", 1, "c3fcd3d76192e4007dfb496cca67e13b"),
            ("1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a"), ("a", 1_000_000, "7707d6ae4e027c70eea2a935c2296f21"),
        ])
    func md5(text: String, count: Int, digest: String) {
        #expect(Hexadecimal.text(MD5.digest(Array(String(repeating: text, count: count).utf8))) == digest)
    }

    /// RFC 2202, section 3: cases 1, 2, 3 and 6.
    @Test("codes of the vectors of RFC 2202")
    func codes() {
        func code(_ key: [UInt8], _ data: [UInt8]) -> String {
            var sum = HMACSHA1(key: key)
            sum.update(Array(data.prefix(3)))
            _ = sum.code
            sum.update(Array(data.dropFirst(3)))
            return Hexadecimal.text(sum.code)
        }
        #expect(
            code(.init(repeating: 0x0b, count: 20), Array("Hi There".utf8))
                == "b617318655057264e28bc0b6fb378c8ef146be00")
        #expect(
            code(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
                == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
        #expect(
            code(.init(repeating: 0xaa, count: 20), .init(repeating: 0xdd, count: 50))
                == "125d7342b9ac11cd91a39af48aa17b4f63f175d3")
        #expect(
            code(
                .init(repeating: 0xaa, count: 80),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
                == "aa4ae5e15272d00e95705637ce8a3b55ed402112")
    }

    @Test("secrets are the same when every byte is")
    func comparison() {
        #expect(areEqualInConstantTime([1, 2, 3], [1, 2, 3]))
        #expect(!areEqualInConstantTime([1, 2, 3], [1, 2, 4]))
        #expect(!areEqualInConstantTime([1, 2, 3], [1, 2]))
        #expect(areEqualInConstantTime([], []))
    }
}

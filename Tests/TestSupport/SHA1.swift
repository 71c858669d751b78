internal import ByteCoding

/// SHA-1, as hexadecimal digits: the expectations identify data by it.
public func sha1(_ message: [UInt8]) -> String { Hexadecimal.text(SHA1.digest(message)) }

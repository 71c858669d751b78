import ArgumentParser
import Pickle
import ZODB
import ZODBFile

/// Builds the index of a Data.fs by a scan, as an open without `.index` does.
struct IndexRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Build the index by scanning the file; an .index file is not looked at.")

    @Argument(help: "A Data.fs.")
    var file: String

    func run() throws {
        let storage = try FileStorage(file, options: .init(ignoresIndexFile: true))
        print("\(try storage.objectCount()) objects, last transaction \(try storage.lastTransaction())")
    }
}

/// Steps over every record of every transaction.
struct WalkRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "walk", abstract: "Step over every record of every transaction, checking the file's structure.")

    @Argument(help: "A Data.fs.")
    var file: String

    func run() throws {
        var scanner = try FileStorage(file).scanner()
        var (records, bytes) = (0, 0)
        while try scanner.next() {
            records += 1
            bytes += scanner.dataSize
        }
        print("\(records) records, \(bytes) bytes of data")
    }
}

/// Reads both pickles of every record: opcodes and references; what the scanner calls odd is parsed whole.
struct DecodeRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Read every opcode of every record, and collect the references.")

    @Argument(help: "A Data.fs.")
    var file: String

    func run() throws {
        var scanner = try FileStorage(file).scanner()
        var pickles = ReferenceScanner()
        var (records, references, odd, bad) = (0, 0, 0, 0)
        while try scanner.next() {
            records += 1
            let oid = scanner.oid
            try scanner.withData { (data) throws(StorageError) in
                if data.withUnsafeBytes({ pickles.scan(record: $0) }) == .complete {
                    references += pickles.references.count
                    return
                }
                odd += 1
                let bytes = data.withUnsafeBytes { [UInt8]($0) }
                do throws(StorageError) {
                    let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
                    references += record.document.references.count { $0.kind == .strong }
                } catch {
                    bad += 1
                }
            }
        }
        print("\(records) records, \(references) references, \(odd) read as documents, \(bad) unreadable")
    }
}

/// Records and bytes by class, current and past revisions together.
struct ClassesRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classes", abstract: "Count records and bytes by class.")

    @Argument(help: "A Data.fs.")
    var file: String

    @Option(help: "Print only the first so many classes.")
    var top = Int.max

    func run() throws {
        var scanner = try FileStorage(file).scanner()
        var tally = ClassTally()
        while try scanner.next() {
            let size = scanner.dataSize
            try scanner.withData { (data) throws(StorageError) in tally.add(data, size: size) }
        }
        for line in tally.result.prefix(top) {
            print("\(line.bytes)\t\(line.records)\t\(line.className ?? "(class not readable)")")
        }
    }
}

/// Parses every record into a document: what `find` and `grep` pay for each object.
struct DocumentsRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "documents", abstract: "Parse every record into a pickle document.")

    @Argument(help: "A Data.fs.")
    var file: String

    func run() throws {
        var scanner = try FileStorage(file).scanner()
        var (records, nodes) = (0, 0)
        while try scanner.next() {
            let oid = scanner.oid
            try scanner.withData { (data) throws(StorageError) in
                let bytes = data.withUnsafeBytes { [UInt8]($0) }
                let record = try ObjectRecord(Revision(data: bytes, serial: .none, next: nil), oid: oid)
                records += 1
                nodes += record.document.nodeCount
            }
        }
        print("\(records) records, \(nodes) values")
    }
}

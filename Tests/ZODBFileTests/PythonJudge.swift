import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// Python's FileStorage of both generations, which must be able to use what was written here.
enum PythonJudge {
    static let peers = [PythonPeer.zeo6, .zeo5Python2]
    static let areReady = peers.allSatisfy(\.isReady)
    static let reason = "needs Pythons with ZODB: run `make peers`"

    static func generation(_ peer: PythonPeer) -> PythonGeneration { peer == .zeo5Python2 ? .python2 : .python3 }

    /// What Python finds in the file: everything that its calls can tell.
    ///
    /// - Parameters:
    ///   - isWritable: Opens it for writing, as a server does.
    ///   - expectsIndex: Python must (not) have been able to use the `.index`; nil: whatever it is.
    static func dump(
        _ path: String, _ peer: PythonPeer, isWritable: Bool = false, expectsIndex: Bool? = nil
    ) throws -> [String] {
        let code =
            prelude + """
                fs = FileStorage(path, read_only=\(isWritable ? "False" : "True"))
                print('used index %s' % fs._used_index)
                tids = []
                oids = set()
                for txn in fs.iterator():
                    tids.append(txn.tid)
                    print('transaction %s %s %s %s %s' % (
                        hx(txn.tid), ord(txn.status), hx(txn.user), hx(txn.description), hx(txn.extension_bytes)))
                    for record in txn:
                        oids.add(record.oid)
                        print('  %s %s %s %s' % (hx(record.oid), hx(record.tid), sha(record.data), hx(record.data_txn)))
                print('last %s, %d objects, %d bytes' % (hx(fs.lastTransaction()), len(fs), fs.getSize()))
                for oid in sorted(oids):
                    print('%s: %s' % (hx(oid), attempt(fs.load, oid)))
                    for tid in tids:
                        print('  before %s: %s' % (hx(tid), attempt(fs.loadBefore, oid, tid)))
                    for entry in fs.history(oid, 10000):
                        print('  history %s %d' % (hx(entry['tid']), entry['size']))
                for entry in fs.undoLog(0, 1000000):
                    print('log %s' % hx(decode(entry['id'] + b'\\n')))
                fs.close()

                """
        var lines = try peer.run(code, [path]).split(separator: "\n").map(String.init)
        let used = lines.removeFirst()
        if let expectsIndex { #expect(used == "used index \(expectsIndex ? 1 : 0)") }
        return lines
    }

    static let prelude = """
        import base64, binascii, hashlib, sys, time
        from ZODB.Connection import TransactionMetaData
        from ZODB.FileStorage import FileStorage
        from ZODB.POSException import POSKeyError, ConflictError, UndoError, MultipleUndoErrors
        from ZODB.utils import p64, u64, z64
        path = sys.argv[1]
        decode = getattr(base64, 'decodebytes', None) or base64.decodestring

        def hx(data):
            return '-' if data is None else binascii.hexlify(data).decode()

        def sha(data):
            return '-' if data is None else hashlib.sha1(data).hexdigest()

        def attempt(call, *args):
            try:
                found = call(*args)
            except POSKeyError:
                return 'missing'
            if found is None:
                return 'none'
            return ' '.join([sha(found[0])] + [hx(tid) for tid in found[1:]])

        def serial(fs, oid):
            try:
                return fs.history(oid)[0]['tid']
            except POSKeyError:
                return z64

        def commit(fs, call, description=u'python'):
            t = TransactionMetaData(u'python', description)
            fs.tpc_begin(t)
            try:
                call(t)
                fs.tpc_vote(t)
            except:
                fs.tpc_abort(t)
                raise
            return fs.tpc_finish(t)

        def tids(fs):
            return [txn.tid for txn in fs.iterator()]


        """
}

extension FileStorage {
    /// The same lines as `PythonJudge.dump` prints.
    func judgedDump() throws -> [String] {
        var lines: [String] = []
        var oids: Set<ObjectID> = []
        let summaries = try transactions(from: .none, through: .latest).rest()
        func text(_ bytes: [UInt8]?) -> String { bytes.map(sha1) ?? "-" }
        for summary in summaries {
            let hex = [summary.user, summary.description, summary.extensionData].map { bytes in
                bytes.map { String(format: "%02x", $0) }.joined()
            }
            lines.append("transaction \(summary.tid.hex) \(summary.status.rawValue) \(hex.joined(separator: " "))")
            for record in try records(of: summary.tid).records.rest() {
                oids.insert(record.oid)
                lines.append(
                    "  \(record.oid.hex) \(summary.tid.hex) \(text(record.data)) \(record.dataTransaction?.hex ?? "-")")
            }
        }
        let size = try information().size ?? 0
        lines.append("last \(try lastTransaction().hex), \(try objectCount()) objects, \(size) bytes")
        func attempt(_ oid: ObjectID, _ tid: TransactionID, withNext: Bool) -> String {
            switch load([oid], at: tid)[0] {
            case .success(let revision):
                let next = withNext ? " \(revision.next?.hex ?? "-")" : ""
                return "\(sha1(revision.data)) \(revision.serial.hex)\(next)"
            case .failure(.noSuchObject): return "missing"
            case .failure(.noRevision): return "none"
            case .failure(let error): return "\(error)"
            }
        }
        for oid in oids.sorted() {
            lines.append("\(oid.hex): \(attempt(oid, .latest, withNext: false))")
            for summary in summaries {
                lines.append(
                    "  before \(summary.tid.hex): \(attempt(oid, summary.tid.predecessor, withNext: true))")
            }
            for entry in try history(of: oid, limit: 10_000) {
                lines.append("  history \(entry.transaction.tid.hex) \(entry.size)")
            }
        }
        lines += try transactionLog().rest().prefix { $0.status != .packed }.map { "log \($0.tid.hex)" }
        return lines
    }
}

/// Where two dumps differ first; nil when they do not.
func firstDifference(_ ours: [String], _ theirs: [String]) -> String? {
    for (index, (left, right)) in zip(ours, theirs).enumerated() where left != right {
        return "line \(index): ours '\(left)', Python's '\(right)'"
    }
    return ours.count == theirs.count ? nil : "\(ours.count) lines, Python's \(theirs.count)"
}

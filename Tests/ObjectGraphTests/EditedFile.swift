import Foundation
import Pickle
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ObjectGraph

/// A Data.fs that Python made, that is edited here, and that Python is asked about afterwards.
struct EditedFile {
    let peer: PythonPeer
    let path: String

    /// - Parameter code: Python that fills `root`; `conn` and `transaction` are at hand. It is committed behind it.
    init(_ peer: PythonPeer, _ code: String, _ arguments: [String] = []) throws {
        self.peer = peer
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "Data.fs").path
        _ = try peer.run(Self.prologue + code + "\ntransaction.commit()\ndb.close()\n", [path] + arguments)
    }

    /// A copy of a sample.
    init(_ peer: PythonPeer, copyOf sample: String) throws {
        self.peer = peer
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "Data.fs").path
        try FileManager.default.copyItem(atPath: SampleData.path(sample), toPath: path)
    }

    private static let prologue = """
        # -*- coding: utf-8 -*-
        from __future__ import print_function
        import sys, json, binascii
        import transaction
        from ZODB.DB import DB
        from ZODB.FileStorage import FileStorage
        from ZODB.utils import p64, u64, z64
        import os
        blobs = sys.argv[1] + '.blobs'
        db = DB(FileStorage(sys.argv[1], blob_dir=blobs if os.path.isdir(blobs) or 'BLOBS' in sys.argv else None))
        conn = db.open()
        root = conn.root()

        """

    /// Runs Python on the file as it is now; what it printed.
    func python(_ code: String, _ arguments: [String] = []) throws -> String {
        try peer.run(Self.prologue + code + "\nconn.close()\ndb.close()\n", [path] + arguments)
    }

    /// Edits the file in one transaction.
    @discardableResult
    func edit(_ body: (Workspace) throws -> Void) throws -> TransactionID {
        let storage = try open()
        defer { storage.close() }
        let workspace = try Workspace(storage)
        try body(workspace)
        return try #require(try workspace.commit(TransactionMetadata(user: Array("test".utf8))).tid)
    }

    func open() throws -> FileStorage {
        var options = FileStorage.Options()
        options.isWritable = true
        if FileManager.default.fileExists(atPath: path + ".blobs") { options.blobDirectory = path + ".blobs" }
        return try FileStorage(path, options: options)
    }

    func remove() { try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent) }
}

extension Workspace {
    /// The place of a path, in the state that is edited.
    func edited(_ path: String) throws -> Place {
        at = stagedView ?? basis
        return try PathResolver(self).resolve(path)
    }
}

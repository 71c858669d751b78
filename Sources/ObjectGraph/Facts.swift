public import Pickle
public import ZODB

/// What can be said of a node from its own record, in a line of a listing.
public struct Facts: Sendable {
    /// A word for it: `Folder`, `Page Template`, `OOBTree`, `dict`, `text`.
    public var kind: String
    /// The class as the object's own record says it; of a value inside a record, the value's.
    public var className: GlobalName?
    public var title: String?
    /// The transaction that wrote the record.
    public var serial: TransactionID?
    /// Bytes: of the record as stored for an object, of its part of the record for a value.
    public var size: Int?
    /// Bytes of a file's content, as far as recorded or known without reading it.
    public var contentSize: Int?
    public var contentType: String?
    /// Items, where that is known without counting.
    public var count: Int?
    /// Set when the object is missing or damaged: all that could be said then comes from who refers to it.
    public var problem: StorageError?
    /// Set for a reference that is not followed.
    public var reference: PersistentReference?

    public init(kind: String) { self.kind = kind }
}

extension Workspace {
    /// The facts of a node. What is missing or damaged is a fact too, not an error.
    ///
    /// One load, unless the record is at hand; a second one where a container keeps its count in a `Length`.
    public func facts(of node: Node) throws(StorageError) -> Facts {
        do throws(StorageError) {
            return try facts(of: try subject(of: node))
        } catch {
            guard error.leavesOthersReadable else { throw error }
            var facts = Facts(kind: node.metaType ?? node.className.map { Kinds.word(for: $0) } ?? "?")
            facts.className = node.className
            facts.problem = error
            return facts
        }
    }

    public func facts(of subject: Subject) throws(StorageError) -> Facts {
        let node = subject.node
        var facts = Facts(kind: subject.value.kindWord)
        facts.className = subject.className
        facts.serial = subject.record.serial
        if let reference = node.reference {
            facts.kind = reference.kind == .weak ? "weak reference" : "reference to another database"
            (facts.className, facts.reference) = (reference.className, reference)
            return facts
        }
        facts.kind = node.metaType ?? subject.className.map { Kinds.word(for: $0) } ?? facts.kind
        facts.size = subject.isObject ? subject.record.storedSize : subject.slot.range.count
        facts.title = subject.text(of: "title")
        do throws(StorageError) {
            facts.count = try knownCount(of: subject)
            let content = try content(of: subject)
            (facts.contentSize, facts.contentType) = (content?.size, content?.mediaType)
        } catch {
            // A lost counter or blob takes nothing from what the record itself says.
            guard error.leavesOthersReadable else { throw error }
        }
        return facts
    }

    /// Loads what a page of nodes leads to, in one go: before asking for the facts of each.
    public func prefetch(_ nodes: [Node]) {
        let groups = Dictionary(grouping: nodes.filter { $0.isObject && $0.problem == nil }, by: \.at)
        for (at, nodes) in groups { prefetch(nodes.map(\.oid), at: at) }
    }
}

/// Words for classes, where Zope has one that is not the class's own name.
private enum Kinds {
    private static let words: [String: String] = [
        "OFS.Application.Application": "Application",
        "OFS.DTMLMethod.DTMLMethod": "DTML Method",
        "OFS.DTMLDocument.DTMLDocument": "DTML Document",
        "OFS.OrderedFolder.OrderedFolder": "Folder (Ordered)",
        "OFS.userfolder.UserFolder": "User Folder",
        "AccessControl.User.UserFolder": "User Folder",
        "Products.PythonScripts.PythonScript.PythonScript": "Script (Python)",
        "Products.PageTemplates.ZopePageTemplate.ZopePageTemplate": "Page Template",
        "Products.ExternalMethod.ExternalMethod.ExternalMethod": "External Method",
        "Products.ZSQLMethods.SQL.SQL": "Z SQL Method",
        "Products.PluggableAuthService.PluggableAuthService.PluggableAuthService": "Pluggable Auth Service",
        "Products.SiteErrorLog.SiteErrorLog.SiteErrorLog": "Site Error Log",
        "Products.SiteAccess.VirtualHostMonster.VirtualHostMonster": "Virtual Host Monster",
    ]

    static func word(for className: GlobalName) -> String { words[className.description] ?? className.name }
}

extension PickleNode {
    /// The name of the type, as Python has it; `str` is Python 2's, Python 3's is `text`.
    public var kindWord: String {
        switch self {
        case .none: "None"
        case .bool: "bool"
        case .integer(let value): value.isLong && value.int64 == nil ? "long" : "int"
        case .float: "float"
        case .text: "text"
        case .bytes: "bytes"
        case .nativeString: "str"
        case .byteArray: "bytearray"
        case .tuple: "tuple"
        case .list: "list"
        case .dict: "dict"
        case .set: "set"
        case .frozenSet: "frozenset"
        case .global: "class"
        case .persistentID, .persistentText: "reference"
        case .instance(let instance): instance.className?.name ?? "instance"
        case .extensionCode: "extension code"
        case .outOfBandBuffer: "buffer"
        }
    }
}

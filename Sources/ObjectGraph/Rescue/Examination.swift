public import ZODB

/// What to look at.
public struct RescueScope: Sendable {
    public var place: Place
    /// Everything below, not only what is next to it.
    public var isRecursive = false
    /// Seconds since 1970: what a lock's age is measured from.
    public var now: Double
    /// Classes that the person knows to be gone: `module.Class`.
    public var goneClasses: Set<String> = []
    /// The user to be made a manager.
    public var user: String?

    public init(_ place: Place, now: Double) { (self.place, self.now) = (place, now) }
}

/// Looks at one object for the signs of one emergency.
protocol Examination {
    /// How far below the place asked for it looks without being told to look everywhere.
    var depth: Int { get }
    func findings(of patient: Patient) throws(StorageError) -> [Finding]
}

/// An object under examination.
struct Patient {
    let workspace: Workspace
    let scope: RescueScope
    let place: Place
    let subject: Subject
    /// It is what the person named, not something found below.
    let isAsked: Bool
    let isApplication: Bool

    /// The path of a child.
    func path(_ name: String) -> String {
        let base = place.description
        return (base.hasSuffix("/") ? base : base + "/") + "\(Component.name(name))"
    }

    /// Below the place: `/`, or `/site and below`.
    var everything: String { isApplication ? "the whole site" : "everything below \(place)" }

    func attribute(_ name: String) -> Node? { workspace.attribute(name, of: subject) }
}

extension Workspace {
    /// Looks for the signs of an emergency, as the cursor advances.
    ///
    /// What cannot be read is itself a finding where it matters, never an error.
    public func findings(
        of emergency: Emergency, in scope: RescueScope, progress: @escaping (Int) -> Void = { _ in }
    ) throws(StorageError) -> any Cursor<Finding> {
        let examination = emergency.examination
        var options = Walk.Options()
        options.depth = scope.isRecursive ? nil : examination.depth
        let walk = Walk(self, from: scope.place, options)
        let application = try applicationOID()
        var ready: [Finding] = []
        var count = 0
        return GeneratingCursor { [self] () throws(StorageError) -> Finding? in
            while ready.isEmpty {
                guard let place = try walk.next() else { return nil }
                count += 1
                progress(count)
                let isAsked = count == 1
                guard place.node.isObject, let subject = try readable(place.node) else { continue }
                let patient = Patient(
                    workspace: self, scope: scope, place: place, subject: subject, isAsked: isAsked,
                    isApplication: place.node.oid == application)
                do throws(StorageError) {
                    ready = try examination.findings(of: patient).reversed()
                } catch {
                    // What is missing next to it is for another examination to say.
                    guard error.isAboutOneObject else { throw error }
                }
            }
            return ready.popLast()
        }
    }

    /// What is certainly wrong with one folder's own lists: `_objects` of an object manager, the counter and the index of
    /// a BTreeFolder2. Nothing for an object that is no folder.
    public func folderFindings(at place: Place) throws(StorageError) -> [Finding] {
        guard let subject = try readable(place.node) else { return [] }
        let patient = Patient(
            workspace: self, scope: RescueScope(place, now: 0), place: place, subject: subject, isAsked: true,
            isApplication: false)
        return try FolderExamination().certainFindings(of: patient)
    }

    private func applicationOID() throws(StorageError) -> ObjectID? {
        guard let root = try readable(.object(.root, at: at)),
            let node = try child(.name("Application"), of: root), node.isObject
        else { return nil }
        return node.oid
    }
}

extension Emergency {
    var examination: any Examination {
        switch self {
        case .accessRule: HookExamination()
        case .password: ManagerExamination(isAboutPasswords: true)
        case .noManager: ManagerExamination(isAboutPasswords: false)
        case .userFolder: UserFolderExamination()
        case .permissions: PermissionExamination()
        case .virtualHosts: VirtualHostExamination()
        case .brokenObjects: MissingObjectExamination()
        case .folders: FolderExamination()
        case .locks: LockExamination()
        }
    }
}

/// A situation that keeps people out of a Zope site, or breaks a part of it, and that an edit of the database ends.
public enum Emergency: String, CaseIterable, Sendable {
    case accessRule = "access-rule"
    case password
    case noManager = "no-manager"
    case userFolder = "user-folder"
    case permissions
    case virtualHosts = "virtual-hosts"
    case brokenObjects = "broken-objects"
    case folders = "folder-metadata"
    case locks

    /// What it is, in a line.
    public var title: String {
        switch self {
        case .accessRule: "an access rule, SiteRoot or other traversal hook keeps people out"
        case .password: "nobody knows a manager's password"
        case .noManager: "no user has the role Manager"
        case .userFolder: "the user folder, or a plugin of it, is broken"
        case .permissions: "a permission is given to nobody, managers included"
        case .virtualHosts: "a virtual host is mapped to what is not there"
        case .brokenObjects: "an object is missing, damaged, or of a class that is gone"
        case .folders: "a folder's lists do not fit what is in it"
        case .locks: "WebDAV locks that nobody will release"
        }
    }

    /// How it is noticed, and what is done about it, in a few sentences.
    public var explanation: String {
        switch self {
        case .accessRule:
            """
            Zope calls the hooks of a container before it goes on to what a URL names in it. A hook that fails, \
            redirects or leads astray does so for every URL below, the management pages included. The hook is taken \
            out of the table that registers it and out of the list that Zope goes through; the script it called stays.
            """
        case .password:
            "Nobody can tell by looking; 'passwd USER' sets a new one. Listed are the users who are managers."
        case .noManager:
            """
            Somebody can log in, but may not manage anything. 'rescue no-manager --user NAME' gives the role Manager \
            to a user who is there; 'passwd NAME --create --role Manager' makes a new one.
            """
        case .userFolder:
            """
            Zope asks '__allow_groups__' of a container who somebody is, and shows 'acl_users': both must lead to one \
            user folder, which must be readable. One activated plugin that is not there makes Zope pass over all \
            plugins of its kind: nobody can log in. What leads nowhere is taken out.
            """
        case .permissions:
            """
            A permission setting without Manager, Authenticated or Anonymous keeps managers out. The setting is \
            removed: the class's own, or the container's, counts again.
            """
        case .virtualHosts:
            """
            The Virtual Host Monster sends requests for a host to a folder; when that is gone, the host's every URL is \
            answered with 404. The host's line is taken out of the map.
            """
        case .brokenObjects:
            """
            A container that names an object which cannot be read fails when it is listed, copied or deleted; referred \
            to by the application itself, it may keep Zope from starting. The reference is taken out of the container. \
            What remains of the object stays in the database until it is packed.
            """
        case .folders:
            """
            A folder keeps its children, and beside them lists: '_objects' with ids and kinds; a BTreeFolder2 a \
            counter and an index of kinds. They are made to fit the children again.
            """
        case .locks:
            """
            A locked document refuses every change, 'Resource is locked'. A lock that its owner has not renewed for a \
            day is taken to be abandoned.
            """
        }
    }
}

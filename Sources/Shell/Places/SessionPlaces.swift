internal import ObjectGraph
internal import ZODB

/// Where the session is, and where paths lead from there.
extension Session {
    /// A place to come back to: the way there, and as of when (nil for the snapshot).
    struct Location {
        var path: ObjectPath
        var past: TransactionID?
    }

    /// The objects of the open storage, as of `at`.
    ///
    /// A place carries its own time, which `PATH@WHEN` may have set: read what it leads to by its node, or at `place.at`.
    /// - Throws: `ShellFailure` when no storage is open.
    var workspace: Workspace {
        get throws {
            let workspace: Workspace
            if let openWorkspace {
                workspace = openWorkspace
            } else {
                workspace = try Workspace(storage, interruption: interruption)
                // Others may have committed since the session last looked: edits are made on what it looks at.
                try workspace.move(to: snapshot)
                openWorkspace = workspace
            }
            workspace.at = at
            return workspace
        }
    }

    /// The one place that an operand names; where we are for nil. It is not read yet: it may be missing.
    /// - Throws: `ShellFailure`.
    func place(_ text: String? = nil) throws -> Place {
        let text = text ?? "."
        let path = try Self.parse(text)
        do {
            return try resolver(for: path).resolve(path)
        } catch {
            throw ShellFailure(error, at: text)
        }
    }

    /// The places that operands name, patterns spelled out; where we are for none.
    ///
    /// - Parameter areRead: read what operands without patterns lead to, so that a missing object is an error at once.
    /// - Throws: `ShellFailure` when an operand without patterns leads nowhere: before anything is shown.
    func places(_ texts: [String], areRead: Bool = true) throws -> Operands {
        let texts = texts.isEmpty ? ["."] : texts
        var sources: [Operands.Source] = []
        for text in texts {
            let path = try Self.parse(text)
            do {
                let resolver = try resolver(for: path)
                guard path.hasPatterns else {
                    let place = try resolver.resolve(path)
                    if areRead { try read(place) }
                    sources.append(Operands.Source(text: text, hasPatterns: false, places: ArrayCursor([place])))
                    continue
                }
                let places = try resolver.expand(path)
                sources.append(Operands.Source(text: text, hasPatterns: true, places: places))
            } catch {
                throw ShellFailure(error, at: text)
            }
        }
        return Operands(sources)
    }

    /// Reads what a place leads to.
    /// - Throws: `PathError.unreadable`, and what keeps everything from being read.
    @discardableResult
    func read(_ place: Place) throws -> Subject {
        let workspace = try workspace
        do throws(StorageError) {
            return try workspace.subject(of: place.node)
        } catch {
            throw error.isAboutOneObject ? PathError.unreadable(place, error) : .storage(error)
        }
    }

    /// Makes `place` the one where we are, and its time the one looked at.
    func go(to place: Place) {
        previous = Location(path: self.place?.path ?? ObjectPath(origin: .application), past: past)
        past = place.at < snapshot ? place.at : nil
        (self.place, path) = (place, place.description)
    }

    /// - Throws: `ShellFailure` for a text that is no path.
    static func parse(_ text: String) throws -> ObjectPath {
        do throws(PathSyntaxError) {
            return try ObjectPath(parsing: text)
        } catch {
            throw ShellFailure(.syntax(error), path: text)
        }
    }

    // MARK: Resolving

    /// What resolves one path. Ask again for the next: a path with a time is read from the snapshot, not from the past.
    func resolver(for path: ObjectPath) throws -> PathResolver {
        let workspace = try workspace
        let current = try currentPlace(workspace)
        let previous = path.origin == .previous ? try previousPlace(workspace) : nil
        if case .text? = path.when { workspace.at = snapshot }
        return PathResolver(workspace, current: current, previous: previous, when: when)
    }

    private var when: PathResolver.When {
        let parser = whenParser
        return { (text) throws(PathError) in
            let when: When
            do throws(WhenError) {
                when = try parser.parse(text)
            } catch {
                throw .when(text, reason: error.problem)
            }
            guard let tid = when.transaction() else { throw .when(text, reason: "is no point in time") }
            return tid
        }
    }

    /// Where we are, in the state that is looked at now: after a refresh that is another than the one we came in.
    private func currentPlace(_ workspace: Workspace) throws(PathError) -> Place? {
        guard let place, place.at != at else { return place }
        let moved = try nearest(place.path, in: workspace)
        (self.place, path) = (moved, moved?.description ?? "/")
        return moved
    }

    private func previousPlace(_ workspace: Workspace) throws(PathError) -> Place? {
        guard let previous else { return nil }
        workspace.at = previous.past ?? snapshot
        defer { workspace.at = at }
        if let place = try nearest(previous.path, in: workspace) { return place }
        return try PathResolver(workspace).application()
    }

    /// The place of a path, or of the longest beginning of it that still leads somewhere; nil for none.
    private func nearest(_ path: ObjectPath, in workspace: Workspace) throws(PathError) -> Place? {
        var path = path
        while true {
            do throws(PathError) {
                return try PathResolver(workspace).resolve(path)
            } catch {
                if case .storage = error { throw error }
                guard path.steps.popLast() != nil else { return nil }
            }
        }
    }
}

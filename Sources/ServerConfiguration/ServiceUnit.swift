/// A unit of systemd for a server: the one source of those in `deploy/` and of that of a new instance.
public struct ServiceUnit: Hashable, Sendable {
    /// What it is called in lists.
    public var description: String
    /// The command line, its program with a path.
    public var command: String
    /// Lines about who runs it and where; of `[Service]`.
    public var place: [String]
    /// What stands at the top, each line with its `#`.
    public var comments: [String] = []
    /// `yes`, or `read-only` where something that it needs is below `/home` or `/root`.
    public var protectsHome = "yes"
    /// Not where something that it needs is below `/tmp`.
    public var hasPrivateTemporaryFiles = true

    /// The unit of `/etc/zeo/zeo.conf`; or, as a template, of `/etc/zeo/NAME.conf` for each NAME.
    public static func system(isTemplate: Bool) -> ServiceUnit {
        let data = isTemplate ? "zeo/%i" : "zeo"
        return ServiceUnit(
            description: "ZEO storage server" + (isTemplate ? " %i" : ""),
            command: "/usr/local/bin/zeoserver -C /etc/zeo/\(isTemplate ? "%i" : "zeo").conf",
            place: [
                "User=zeo", "Group=zeo", "UMask=0027", "StateDirectory=\(data)", "WorkingDirectory=/var/lib/\(data)",
            ])
    }

    /// The unit of an instance in a directory of its own.
    /// - Parameter others: directories that it writes to besides, such as that of its Unix socket.
    static func instance(_ home: String, others: [String]) -> ServiceUnit {
        let paths = ["\(home)/var", "\(home)/log"] + others
        func isBelow(_ folders: String...) -> Bool {
            paths.contains { path in folders.contains { path.hasPrefix($0 + "/") } }
        }
        return ServiceUnit(
            description: "ZEO storage server of \(home)", command: "\(home)/bin/runzeo",
            place: [
                "# The owner of var/ and log/, and not root:", "#User=zope", "UMask=0027", "WorkingDirectory=\(home)",
                "# And every other place that the configuration names:",
                "ReadWritePaths=\(paths.joined(separator: " "))",
            ],
            comments: ["# systemctl link \(home)/etc/zeoserver.service && systemctl enable --now zeoserver"],
            protectsHome: isBelow("/home", "/root") ? "read-only" : "yes",
            hasPrivateTemporaryFiles: !isBelow("/tmp", "/var/tmp"))
    }

    public var text: String {
        (comments + [
            "[Unit]",
            "Description=\(description)",
            "After=network-online.target",
            "Wants=network-online.target",
            "",
            "[Service]",
            "Type=notify",
            "ExecStart=\(command)",
            "ExecReload=/bin/kill -HUP $MAINPID",
        ] + place + [
            "Restart=on-failure",
            "# Wrong configurations stay wrong.",
            "RestartPreventExitStatus=2",
            "# A large file without an index is scanned first.",
            "TimeoutStartSec=15min",
            "# Commits under way end, the index is written.",
            "TimeoutStopSec=2min",
            "LimitNOFILE=65536",
            "",
            "# What a storage server does not need.",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "AmbientCapabilities=",
            "ProtectSystem=strict",
            "ProtectHome=\(protectsHome)",
            "PrivateTmp=\(hasPrivateTemporaryFiles ? "yes" : "no")",
            "PrivateDevices=yes",
            "ProtectClock=yes",
            "ProtectHostname=yes",
            "ProtectKernelTunables=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectControlGroups=yes",
            "ProtectProc=invisible",
            "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
            "RestrictNamespaces=yes",
            "RestrictRealtime=yes",
            "RestrictSUIDSGID=yes",
            "LockPersonality=yes",
            "MemoryDenyWriteExecute=yes",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged @resources",
            "SystemCallErrorNumber=EPERM",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]).joined(separator: "\n") + "\n"
    }
}

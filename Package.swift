// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Swift's own way to say "this reader must not outlive its bytes" is still experimental; only the target that reads
/// raw bytes needs the flag, its callers do not.
let lifetimes: [SwiftSetting] = settings + [.enableExperimentalFeature("Lifetimes")]

let package = Package(
    name: "zeoshell",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    ],
    targets: [
        .target(name: "ByteCoding", swiftSettings: lifetimes),
        .target(name: "Pickle", dependencies: ["ByteCoding"], swiftSettings: settings),
        .systemLibrary(name: "CZlib"),
        .target(name: "ZODB", dependencies: ["ByteCoding", "CZlib", "Pickle"], swiftSettings: settings),
        .target(name: "ZEOProtocol", dependencies: ["ByteCoding", "ZODB"], swiftSettings: lifetimes),
        .executableTarget(
            name: "zeofuzz",
            dependencies: [
                "ClientCache", "Pickle", "Verification", "ZEOProtocol", "ZODB", "ZODBFile",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings),
        .target(name: "ZConfig", swiftSettings: settings),
        .target(name: "ServerConfiguration", dependencies: ["ZConfig"], swiftSettings: settings),
        .target(
            name: "ZODBFile", dependencies: ["ByteCoding", "Pickle", "ZODB"], swiftSettings: settings),
        .target(name: "ClientCache", dependencies: ["ByteCoding", "ZODB", "ZODBFile"], swiftSettings: settings),
        .testTarget(
            name: "ClientCacheTests", dependencies: ["ByteCoding", "ClientCache", "TestSupport", "ZODB", "ZODBFile"],
            swiftSettings: settings),
        .executableTarget(
            name: "zeobench",
            dependencies: [
                "Backup", "Pickle", "ZEOClient", "ZEOProtocol", "ZODB", "ZODBFile",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings),
        .systemLibrary(name: "CLibEdit", pkgConfig: "libedit", providers: [.apt(["libedit-dev"])]),
        .target(name: "LineEditing", dependencies: ["CLibEdit"], swiftSettings: settings),
        .target(
            name: "Backup", dependencies: ["ByteCoding", "CZlib", "ZODB", "ZODBFile"], swiftSettings: settings),
        .testTarget(
            name: "BackupTests",
            dependencies: [
                "Backup", "ByteCoding", "Pickle", "Storages", "TestSupport", "ZODB", "ZODBFile", "zeoserver",
                "zeoshell",
            ],
            swiftSettings: settings),
        .target(
            name: "Storages",
            dependencies: [
                "Backup", "ClientCache", "ServerConfiguration", "ZConfig", "ZEOClient", "ZEOProtocol", "ZODB",
                "ZODBFile",
            ],
            swiftSettings: settings),
        .target(name: "CommandReference", swiftSettings: settings),
        .target(
            name: "Shell",
            dependencies: [
                "Backup", "ByteCoding", "ClientCache", "CommandReference", "LineEditing", "ObjectGraph", "Pickle",
                "Storages", "Verification", "ZODB", "ZODBFile",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .executableTarget(name: "zeoshell", dependencies: ["Shell"], swiftSettings: settings),
        .testTarget(
            name: "TerminalTests", dependencies: ["TestSupport", "zeoserver", "zeoshell"], swiftSettings: settings),
        .testTarget(name: "LineEditingTests", dependencies: ["LineEditing"], swiftSettings: settings),
        .testTarget(
            name: "StoragesTests", dependencies: ["Storages", "TestSupport", "ZODB"], exclude: ["corpus"],
            swiftSettings: settings),
        .testTarget(
            name: "ShellTests",
            dependencies: [
                "ByteCoding", "LineEditing", "ObjectGraph", "Pickle", "Shell", "Storages", "TestSupport", "ZODB",
                "ZODBFile",
                "zeoshell",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .target(
            name: "ZEOClient",
            dependencies: [
                "ClientCache", "ZEOProtocol", "ZODB", .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
            ], swiftSettings: settings),
        .target(
            name: "ZEOServer",
            dependencies: [
                "ByteCoding", "ZEOProtocol", "ZODB", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
            ], swiftSettings: settings),
        .target(
            name: "ServerCommand",
            dependencies: [
                "CommandReference", "ServerConfiguration", "ZConfig", "ZEOProtocol", "ZEOServer", "ZODB", "ZODBFile",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings),
        .executableTarget(name: "zeoserver", dependencies: ["ServerCommand"], swiftSettings: settings),
        .testTarget(
            name: "ServerCommandTests",
            dependencies: [
                "ServerCommand", "ServerConfiguration", "TestSupport", "ZConfig", "ZEOClient", "ZEOProtocol",
                "ZEOServer", "ZODB", "ZODBFile", "zeoserver", .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: settings),
        .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"], swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["ByteCoding", "ObjectGraph", "Pickle", "ZEOProtocol", "ZODB"],
            path: "Tests/TestSupport", exclude: ["python"],
            swiftSettings: settings),
        .testTarget(
            name: "PickleTests", dependencies: ["Pickle", "TestSupport"], exclude: ["corpus"], swiftSettings: settings),
        .testTarget(
            name: "ServerSecurityTests",
            dependencies: [
                "ServerCommand", "ServerConfiguration", "TestSupport", "ZEOProtocol", "ZEOServer", "ZODB", "ZODBFile",
                "zeoserver", .product(name: "Logging", package: "swift-log"),
            ], exclude: ["python"], swiftSettings: settings),
        .testTarget(
            name: "StorageConformanceTests",
            dependencies: [
                "TestSupport", "ZEOClient", "ZEOProtocol", "ZEOServer", "ZODB", "ZODBFile",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: settings),
        .testTarget(
            name: "ServerConfigurationTests", dependencies: ["ServerConfiguration", "TestSupport", "ZConfig"],
            exclude: ["corpus"],
            swiftSettings: settings),
        .testTarget(name: "ZConfigTests", dependencies: ["TestSupport", "ZConfig"], swiftSettings: settings),
        .testTarget(
            name: "ConformanceTests", dependencies: ["Pickle", "TestSupport", "ZODB", "ZODBFile"],
            swiftSettings: settings),
        .target(name: "ObjectGraph", dependencies: ["ByteCoding", "Pickle", "ZODB"], swiftSettings: settings),
        .target(
            name: "Verification", dependencies: ["ByteCoding", "ObjectGraph", "Pickle", "ZODB", "ZODBFile"],
            swiftSettings: settings),
        .testTarget(
            name: "VerificationTests",
            dependencies: ["Storages", "TestSupport", "Verification", "ZODB", "ZODBFile", "zeoserver", "zeoshell"],
            swiftSettings: settings),
        .testTarget(
            name: "ObjectGraphTests",
            dependencies: ["ByteCoding", "ObjectGraph", "Pickle", "TestSupport", "ZODB", "ZODBFile"],
            swiftSettings: settings),
        .testTarget(
            name: "ZODBTests", dependencies: ["ByteCoding", "CZlib", "Pickle", "TestSupport", "ZODB"],
            swiftSettings: settings),
        .testTarget(
            name: "ZEOProtocolTests", dependencies: ["ByteCoding", "TestSupport", "ZEOProtocol", "ZODB"],
            exclude: ["transcripts"], swiftSettings: settings),
        .testTarget(
            name: "ZEOServerTests",
            dependencies: [
                "TestSupport", "ZEOProtocol", "ZEOServer", "ZODB", "ZODBFile", "zeofuzz",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: settings),
        .testTarget(
            name: "ZEOClientTests", dependencies: ["TestSupport", "ZEOClient", "ZEOProtocol", "ZODB"],
            swiftSettings: settings),
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "ClientCache", "ObjectGraph", "Pickle", "Storages", "TestSupport", "ZEOClient", "ZEOProtocol", "ZODB",
                "ZODBFile", "zeoserver", "zeoshell",
            ],
            exclude: ["zeo-tests"], swiftSettings: settings),
        .testTarget(
            name: "ZODBFileTests", dependencies: ["ByteCoding", "Pickle", "TestSupport", "ZODB", "ZODBFile"],
            swiftSettings: settings),
    ]
)

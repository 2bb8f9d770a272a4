// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"), .treatAllWarnings(as: .error),
]
// The event loop crosses these modules on every event (toolchain notes, 2.4).
let hot = strict + [.unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))]

let package = Package(
    name: "dpmsim",
    products: [
        .executable(name: "dpmsim", targets: ["dpmsim"]),
        .library(name: "Kernel", targets: ["Kernel"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .target(name: "Units", exclude: ["README.md"], swiftSettings: hot),
        .target(name: "Kernel", dependencies: ["Units"], exclude: ["README.md"], swiftSettings: hot),
        .target(name: "Protection", dependencies: ["Units"], exclude: ["README.md"], swiftSettings: hot),
        .target(
            name: "Scenario", dependencies: ["Protection", "Units", .product(name: "Yams", package: "Yams")],
            exclude: ["README.md"], swiftSettings: strict),
        .target(name: "Jobs", dependencies: ["Protection", "Units"], exclude: ["README.md"], swiftSettings: hot),
        .target(
            name: "Simulation", dependencies: ["Kernel", "Jobs", "Protection", "Units"], exclude: ["README.md"],
            swiftSettings: hot),
        .target(
            name: "Catalog", dependencies: ["Protection", "Units", .product(name: "GRDB", package: "GRDB.swift")],
            exclude: ["README.md"], swiftSettings: strict),
        .target(
            name: "Reports", dependencies: ["Catalog", "Protection", "Units"], exclude: ["README.md"],
            swiftSettings: strict),
        .target(name: "CHost", exclude: ["README.md"]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(
            name: "CMapFile", dependencies: ["CHost"], exclude: ["README.md"],
            linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(name: "Files", dependencies: ["CHost"], exclude: ["README.md"], swiftSettings: hot),
        .target(name: "DiskImages", dependencies: ["Files", "Units"], exclude: ["README.md"], swiftSettings: hot),
        .target(
            name: "StoragePool",
            dependencies: [
                "DiskImages", "Files", "Units", "CZstd", "CMapFile", .product(name: "GRDB", package: "GRDB.swift"),
            ], exclude: ["README.md"], swiftSettings: hot),
        .systemLibrary(name: "CTSK", pkgConfig: "tsk", providers: [.apt(["libtsk-dev"])]),
        .target(
            name: "GuestFiles", dependencies: ["DiskImages", "Files", "Units", "CTSK"], exclude: ["README.md"],
            swiftSettings: strict),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "Tape", dependencies: ["Files", "Protection", "Units", "CZstd", "COpenSSL"],
            exclude: [
                "README.md", "FORMAT-CARTRIDGE.md", "FORMAT-SEALING.md", "FORMAT-SETS.md", "FORMAT-EXCHANGE.md",
            ], swiftSettings: hot),
        .target(
            name: "Engine",
            dependencies: ["Jobs", "StoragePool", "Tape", "GuestFiles", "DiskImages", "Files", "Protection", "Units"],
            exclude: ["README.md"], swiftSettings: strict),
        .executableTarget(
            name: "dpmsim",
            dependencies: [
                "Units", "Kernel", "Protection", "Scenario", "Jobs", "Simulation", "Catalog", "Reports",
                "Files", "DiskImages", "GuestFiles", "StoragePool", "Tape", "Engine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], exclude: ["README.md"], swiftSettings: strict),
        .testTarget(name: "UnitsTests", dependencies: ["Units"], swiftSettings: strict),
        .testTarget(name: "KernelTests", dependencies: ["Kernel", "Units"], swiftSettings: strict),
        .testTarget(name: "ProtectionTests", dependencies: ["Protection", "Units"], swiftSettings: strict),
        .testTarget(name: "ScenarioTests", dependencies: ["Scenario", "Protection", "Units"], swiftSettings: strict),
        .testTarget(name: "JobsTests", dependencies: ["Jobs", "Protection", "Units"], swiftSettings: strict),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Simulation", "Kernel", "Jobs", "Scenario", "Catalog", "Reports", "Protection", "Units"],
            swiftSettings: strict),
        .testTarget(
            name: "CatalogTests",
            dependencies: ["Catalog", "Protection", "Units", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        .testTarget(
            name: "ReportsTests", dependencies: ["Reports", "Catalog", "Protection", "Units"], swiftSettings: strict),
        .testTarget(name: "FilesTests", dependencies: ["Files"], swiftSettings: strict),
        // What every block device promises, for any test target.
        .target(
            name: "BlockDeviceContract", dependencies: ["DiskImages", "Files"], path: "Tests/BlockDeviceContract",
            swiftSettings: strict),
        .testTarget(
            name: "DiskImagesTests", dependencies: ["DiskImages", "Files", "BlockDeviceContract"],
            swiftSettings: strict),
        .testTarget(
            name: "GuestFilesTests", dependencies: ["GuestFiles", "DiskImages", "Files", "BlockDeviceContract"],
            swiftSettings: strict),
        .testTarget(
            name: "StoragePoolTests",
            dependencies: [
                "StoragePool", "DiskImages", "Files", "Units", "BlockDeviceContract",
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: strict),
        .testTarget(
            name: "TapeTests", dependencies: ["Tape", "Files", "Protection", "Units", "BlockDeviceContract"],
            swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "Simulation", "Scenario", "Jobs", "StoragePool", "Tape", "GuestFiles", "DiskImages", "Files",
                "Protection", "Units",
            ], swiftSettings: strict),
        // Runs the built program in processes of its own.
        .testTarget(name: "CommandTests", dependencies: ["dpmsim"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

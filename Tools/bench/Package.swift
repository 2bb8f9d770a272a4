// swift-tools-version: 6.2
import PackageDescription

// Apart from the root package, so that nobody who builds the simulator builds this.
let package = Package(
    name: "bench",
    dependencies: [.package(name: "dpmsim", path: "../..")],
    targets: [
        .executableTarget(
            name: "kernelbench", dependencies: [.product(name: "Kernel", package: "dpmsim")]),
        // Needs nothing of the simulator: disk images to back up, and the least a backup has to do.
        .executableTarget(name: "vmimage", swiftSettings: [.treatAllWarnings(as: .error)]),
    ],
    swiftLanguageModes: [.v6]
)

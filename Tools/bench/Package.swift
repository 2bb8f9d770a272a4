// swift-tools-version: 6.2
import PackageDescription

// Apart from the root package, so that nobody who builds the simulator builds this.
let package = Package(
    name: "bench",
    dependencies: [.package(name: "dpmsim", path: "../..")],
    targets: [
        .executableTarget(
            name: "kernelbench", dependencies: [.product(name: "Kernel", package: "dpmsim")])
    ],
    swiftLanguageModes: [.v6]
)

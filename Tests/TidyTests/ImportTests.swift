import Foundation
import Testing

/// Which module may import which: the table of the architecture. Own modules and packages; system modules apart.
private let arrows: [String: Set<String>] = [
    "Units": [],
    "Kernel": ["Units"],
    "Protection": ["Units"],
    "Scenario": ["Protection", "Units", "Yams"],
    "Jobs": ["Protection", "Units"],
    "Simulation": ["Kernel", "Jobs", "Protection", "Units"],
    "CHost": [], "CMapFile": ["CHost"],
    "Files": ["CHost"],
    "DiskImages": ["Files", "Units"],
    // In the tests, but no test target itself.
    "BlockDeviceContract": ["DiskImages", "Files"],
    "GuestFiles": ["DiskImages", "Files", "Units", "CTSK"],
    "StoragePool": ["DiskImages", "Files", "Units", "GRDB", "CZstd", "CMapFile"],
    "Tape": ["Files", "Protection", "Units", "CZstd", "COpenSSL"],
    "Engine": ["Jobs", "StoragePool", "Tape", "GuestFiles", "DiskImages", "Files", "Protection", "Units"],
    "Catalog": ["Protection", "Units", "GRDB"],
    "Reports": ["Catalog", "Protection", "Units"],
    "Console": ["Reports", "Catalog", "Protection", "Units", "Hummingbird"],
    "dpmsim": [
        "Units", "Kernel", "Protection", "Scenario", "Jobs", "Simulation", "Files", "DiskImages", "GuestFiles",
        "StoragePool",
        "Tape", "Engine", "Catalog", "Reports", "ArgumentParser",
    ],
    "dpmsim-console": [
        "Units", "Kernel", "Protection", "Scenario", "Jobs", "Simulation", "Files", "DiskImages", "GuestFiles",
        "StoragePool",
        "Tape", "Engine", "Catalog", "Reports", "Console", "ArgumentParser",
    ],
]

/// Modules of the system and the toolchain. What decides a run imports none of them, so that runs are equal everywhere.
private let systemModules: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization"]
private let pureModules: Set<String> = ["Units", "Kernel", "Protection", "Jobs", "Simulation"]

private func imports(in code: String) -> [String] {
    code.split(separator: "\n").filter { $0.contains("import ") }.compactMap { line in
        line.firstMatch(
            of:
                /^\s*(?:@\w+\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|typealias|var|let)\s+)?([A-Za-z_]\w*)/
        ).map { String($0.1) }
    }
}

/// One line for each import of `file` that the table does not allow.
private func importProblems(in file: SourceFile) -> [String] {
    guard let allowed = arrows[file.module] else {
        return ["\(file.path): the module \(file.module) has no line in the table of arrows"]
    }
    return imports(in: file.code).filter { name in
        systemModules.contains(name) ? pureModules.contains(file.module) : !allowed.contains(name)
    }.map { "\(file.path): \(file.module) may not import \($0)" }
}

/// One line for each dependency of a target in a manifest's text that the table does not allow.
private func manifestProblems(in text: String) -> [String] {
    let targets = text.matches(
        of: /\.(?:target|executableTarget)\(\s*name:\s*"([\w-]+)",\s*(?:dependencies:\s*\[((?:[^\[\]])*)\])?/)
    return targets.flatMap { target -> [String] in
        let name = String(target.1)
        guard let allowed = arrows[name] else { return ["Package.swift: \(name) has no line in the table of arrows"] }
        let words = String(target.2 ?? "").replacing(/package:\s*"[^"]*"/, with: "").matches(of: /"([\w-]+)"/)
        return words.map { String($0.1) }.filter { !allowed.contains($0) }.map {
            "Package.swift: \(name) may not depend on \($0)"
        }
    }
}

@Suite("imports follow the table of arrows") struct ImportTests {
    @Test("every source file imports only what its module's line allows")
    func sourcesFollowTheTable() {
        #expect(!Tree.swiftSources.isEmpty)
        #expect(Tree.swiftSources.flatMap(importProblems) == [])
    }

    @Test("every dependency of a target is an arrow of the table")
    func manifestFollowsTheTable() { #expect(manifestProblems(in: Tree.text(of: "Package.swift")) == []) }

    @Test("the table has no cycle")
    func tableHasNoCycle() {
        var reachable = arrows
        for _ in arrows {
            reachable = reachable.mapValues { direct in direct.union(direct.flatMap { reachable[$0] ?? [] }) }
        }
        #expect(reachable.filter { $0.value.contains($0.key) }.isEmpty)
    }

    @Test(
        "an arrow that is not in the table is found",
        arguments: [
            ("Sources/Kernel/A.swift", "import Protection", "Kernel may not import Protection"),
            ("Sources/Kernel/A.swift", "public import struct Protection.World", "Kernel may not import Protection"),
            ("Sources/Jobs/A.swift", "@testable import Simulation", "Jobs may not import Simulation"),
            ("Sources/Simulation/A.swift", "import Foundation", "Simulation may not import Foundation"),
            ("Sources/Reports/A.swift", "import GRDB", "Reports may not import GRDB"),
            ("Sources/Extra/A.swift", "", "the module Extra has no line in the table of arrows"),
        ])
    func wrongArrowsAreFound(path: String, text: String, problem: String) {
        #expect(importProblems(in: SourceFile(path: path, text: text)) == ["\(path): \(problem)"])
    }

    @Test("imports named in comments and strings are none")
    func commentsImportNothing() {
        let text =
            "// import Protection\n/* import Jobs */\nlet x = \"\"\"\n    import Reports\n    \"\"\"\nimport Units"
        #expect(imports(in: SwiftCode.only(text)) == ["Units"])
    }

    @Test("a dependency that is not in the table is found")
    func wrongDependenciesAreFound() {
        let text = #".target(name: "Kernel", dependencies: ["Units", .product(name: "Yams", package: "Yams")])"#
        #expect(manifestProblems(in: text) == ["Package.swift: Kernel may not depend on Yams"])
    }
}

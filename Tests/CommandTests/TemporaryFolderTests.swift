import Foundation
import Glibc
import Testing

@Suite("temporary folders of real machines") struct TemporaryFolderTests {
    private static func scenario(days: Int) -> String {
        """
        name: real
        duration: \(days) d
        servers: [{name: dpm, pool: [{name: p, capacity: 4 TB}]}]
        hosts: [{name: hv, volumes: [{name: d, capacity: 2 TB}]}]
        machines: [{name: vm, host: hv, data: real, scale: 10000, size: 40 GB, used: 30 %, churn: 5 %}]
        groups: [{name: g, members: all, disk: {retention: 3 d, times: "20:00"}}]
        """
    }

    private func start(_ scenario: String, in scratch: Scratch) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = ["run", scenario]
        process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": scratch.path("tmp")]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func folders(_ scratch: Scratch) -> Set<String> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: scratch.path("tmp"))) ?? []
        return Set(names.filter { $0.hasPrefix("dpmsim-") })
    }

    @Test("a killed run's folder goes when the next run begins; a living run's and anybody else's stay")
    func staleFoldersGo() throws {
        let scratch = try Scratch()
        let (long, short) = (
            try scratch.write(Self.scenario(days: 9_000), to: "long.yaml"),
            try scratch.write(Self.scenario(days: 1), to: "short.yaml")
        )
        let others = ["dpmsim-abcdef", "dpmsim-ghijkl", "dpmsim-mnopqrs"]
        for name in others { _ = try scratch.write("mine", to: "tmp/\(name)/data/file") }
        _ = try scratch.write("not of this program", to: "tmp/dpmsim-ghijkl/lock")

        func folder(of process: Process, besides known: Set<String>) throws -> String {
            while process.isRunning {
                let new = folders(scratch).subtracting(known)
                if let name = new.first, FileManager.default.fileExists(atPath: scratch.path("tmp/\(name)/data/pools"))
                {
                    return name
                }
            }
            throw CocoaError(.executableLoad)
        }
        let killed = try start(long, in: scratch)
        let stale = try folder(of: killed, besides: Set(others))
        kill(killed.processIdentifier, SIGKILL)
        killed.waitUntilExit()
        try #require(killed.terminationReason == .uncaughtSignal)
        #expect(folders(scratch) == Set(others + [stale]))

        let living = try start(long, in: scratch)
        defer { kill(living.processIdentifier, SIGKILL) }
        let held = try folder(of: living, besides: Set(others + [stale]))
        #expect(folders(scratch) == Set(others + [held]), "the next run left the killed one's folder")
        let next = try start(short, in: scratch)
        next.waitUntilExit()
        #expect(next.terminationStatus == 0)
        #expect(folders(scratch) == Set(others + [held]))
        #expect(FileManager.default.fileExists(atPath: scratch.path("tmp/\(held)/data/machines/vm/disk0.vhdx")))
        for name in others { #expect(scratch.names.contains("tmp/\(name)/data/file")) }
    }
}

import ArgumentParser
import DiskImages
import StoragePool

/// `dpmsim pool dump`: structures as they are.
struct PoolDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Show structures of a pool as they are, without changing anything.",
        discussion: """
            Without options: the pool, its volumes, segments and datasources, and what waits to be done. With a datasource: its disks,
            states and lists of changes; with --disk and --leaf the versions of a leaf, each with its blocks. With --segment: the blocks
            in it, by place. Exit status 1 if something is wrong with any of them.
            """)

    @OptionGroup var options: PoolOptions
    @Argument(help: "A datasource.") var name: String?
    @Option(help: "A disk of the datasource, for --leaf.") var disk: String?
    @Option(help: "A leaf of the disk: 192 blocks, counted from 0.") var leaf: Int64?
    @Option(help: "A segment.") var segment: Int64?

    func validate() throws {
        if segment != nil, name != nil { throw ValidationError("Name a datasource or --segment, not both.") }
        if leaf != nil, name == nil || disk == nil {
            throw ValidationError("--leaf needs a datasource and --disk.")
        }
        if disk != nil, leaf == nil { throw ValidationError("--disk goes with --leaf.") }
    }

    private var selection: DumpSelection {
        if let segment { return .segment(segment) }
        guard let name else { return .summary }
        guard let disk, let leaf else { return .datasource(name) }
        return .leaf(datasource: name, disk: disk, number: leaf)
    }

    func run() throws {
        try options.look { pool in
            let structures = try pool.dump(selection)
            if options.json {
                try JSONOutput.print(structures.map(StructureFact.init))
            } else {
                tell(structures, on: Terminal.output)
            }
            if structures.contains(where: { !$0.problems.isEmpty }) { throw Ending.expectationFailed }
        }
    }
}

import ArgumentParser
import DiskImages
import Files
import StoragePool
import Units

/// `dpmsim pool prune`: recovery points nobody needs any more.
struct PoolPrune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Prune recovery points: the space that only they need goes back to the file system.",
        discussion: "The newest state stays as the replica, also if it is no recovery point any more.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @Option(
        name: .customLong("point"),
        help: ArgumentHelp("A recovery point by its number; may be repeated.", valueName: "number"))
    var points: [Int64] = []
    @Option(help: ArgumentHelp("Keep so many, the newest ones.", valueName: "count")) var keep: Int?

    private struct Pruned: Encodable {
        var point: Int64, freed: Int64
    }
    private struct Fact: Encodable {
        var datasource: String, pruned: [Pruned], kept: [Int64], freed: Int64
    }

    func validate() throws {
        if points.isEmpty == (keep == nil) { throw ValidationError("say which: --point or --keep") }
        if let keep, keep < 1 { throw ValidationError("--keep keeps one at least; remove ends the protection") }
    }

    func run() throws {
        try options.write { pool in
            let known = try pool.recoveryPoints(of: name).map(\.number)
            // All are looked up before the first is pruned.
            for point in points { _ = try PointChoice.number(point).number(in: pool, of: name) }
            let chosen = keep.map { Array(known.dropLast($0)) } ?? Array(Set(points)).sorted()
            var pruned: [Pruned] = []
            for point in chosen { pruned.append(Pruned(point: point, freed: try pool.prune(name, point: point))) }
            let fact = Fact(
                datasource: name, pruned: pruned, kept: known.filter { !chosen.contains($0) },
                freed: pruned.reduce(0) { $0 + $1.freed })
            try options.tell(
                fact,
                pruned.map { "\(name): recovery point \($0.point) is pruned, \(Bytes($0.freed).rounded) freed." }
                    + (pruned.isEmpty ? ["\(name): nothing to prune."] : []))
        }
    }
}

/// `dpmsim pool remove`: the end of a protection.
struct PoolRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "End the protection of a datasource: its replica and all its recovery points go.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String

    private struct Fact: Encodable {
        var datasource: String, freed: Int64
    }

    func run() throws {
        try options.write { pool in
            let stored = try pool.datasource(name).stored
            try pool.remove(name)
            try options.tell(
                Fact(datasource: name, freed: stored), ["\(name) is removed; it took \(Bytes(stored).rounded)."])
        }
    }
}

/// `dpmsim pool stat`: who takes the space.
struct PoolStat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat", abstract: "Tell what space a pool takes, by volume and datasource, exactly.",
        discussion: """
            With --points also by recovery point: what pruning it alone would free, and what it shares with its neighbours. Blocks that
            datasources share count for each of them.
            """)

    @OptionGroup var options: PoolOptions
    @Flag(help: "Also by recovery point, which takes longer.") var points = false

    private struct Volume: Encodable {
        var number: Int64, path: String, isPresent: Bool, live: Int64, total: Int64, free: Int64, segments: Int
    }
    private struct Point: Encodable {
        var number: Int64, time: String, occupied: Int64, stored: Int64, unique: Int64, shared: Int64
    }
    private struct Source: Encodable {
        var name: String, stored: Int64, compression: Int?, sharesBlocks: Bool, recoveryPoints: Int
        var points: [Point]?
    }
    private struct Fact: Encodable {
        var id: String, block: Int64, map: Int64, pending: Int64
        var volumes: [Volume]
        var datasources: [Source]
    }

    func run() throws {
        try options.look { pool in
            let space = try pool.space()
            var fact = Fact(
                id: pool.id.description, block: pool.blockSize, map: space.map, pending: space.pending,
                volumes: space.volumes.map {
                    Volume(
                        number: $0.number, path: $0.path, isPresent: $0.isPresent, live: $0.live, total: $0.total,
                        free: $0.free, segments: $0.segments)
                }, datasources: [])
            for datasource in try pool.datasources() {
                let known = try pool.recoveryPoints(of: datasource.name)
                var source = Source(
                    name: datasource.name, stored: datasource.stored, compression: datasource.compression,
                    sharesBlocks: datasource.sharesBlocks, recoveryPoints: known.count)
                if points { source.points = try known.map { try point($0, of: datasource.name, pool) } }
                fact.datasources.append(source)
            }
            try options.tell(fact, lines(fact))
        }
    }

    private func point(_ point: RecoveryPoint, of name: String, _ pool: Pool) throws(StorageFault) -> Point {
        let unique = try pool.uniqueSpace(of: name, point: point.number)
        return Point(
            number: point.number, time: timeText(point.time), occupied: point.occupied, stored: point.stored,
            unique: unique, shared: point.stored - unique)
    }

    private func lines(_ fact: Fact) -> [String] {
        func size(_ bytes: Int64) -> String { Bytes(bytes).rounded }
        var lines = table(
            [["volume", "holds", "free", "of", "segments", "folder"]]
                + fact.volumes.map {
                    [
                        "\($0.number)", size($0.live), $0.isPresent ? size($0.free) : "missing", size($0.total),
                        "\($0.segments)", $0.path,
                    ]
                }, right: [0, 1, 2, 3, 4])
        lines.append(
            "The map takes \(size(fact.map)); \(size(fact.pending)) wait to be given back; blocks of \(fact.block / 1024) KiB."
        )
        guard !fact.datasources.isEmpty else { return lines + ["The pool protects nothing."] }
        lines.append("")
        lines += table(
            [["datasource", "takes", "points", "compression", "shares"]]
                + fact.datasources.map {
                    [
                        $0.name, size($0.stored), "\($0.recoveryPoints)", $0.compression.map { "zstd \($0)" } ?? "none",
                        $0.sharesBlocks ? "yes" : "no",
                    ]
                }, right: [1, 2])
        for source in fact.datasources {
            guard let points = source.points, !points.isEmpty else { continue }
            lines.append("")
            lines += table(
                [[source.name, "time", "holds", "takes", "unique", "shared"]]
                    + points.map {
                        [
                            "\($0.number)", readableTime($0.time), size($0.occupied), size($0.stored), size($0.unique),
                            size($0.shared),
                        ]
                    }, right: [0, 2, 3, 4, 5])
        }
        return lines
    }
}

import Files
import StoragePool
import Testing

@Suite("a pool's test of power cuts") struct MutantTests {
    private static func story(_ name: String) -> PoolStory { PoolStory.all.first { $0.name == name }! }

    /// The space of a removed datasource, number of its segment included, is taken by the next one.
    private static let reuse = PoolStory(
        name: "remove, then protect again", past: story("remove a datasource").past
    ) { pool, holdings in
        try holdings.remove(pool, "vm")
        try holdings.remove(pool, "other")
        try holdings.add(pool, "new")
        holdings.machines["new"]?.disks = ["a": SparseDisk(size: 30 * 16_384)]
        holdings.machines["new"]?.write("a", 0..<400_000, seed: 99)
        try holdings.backUp(pool, "new")
    }

    static let cases: [(ForgetfulFiles.Mutant, PoolStory)] = [
        (.noDataFlush, story("initial replica")), (.noDataFlush, story("express full, zstd")),
        (.noFolderSync, story("initial replica")), (.freesBeforeCommit, story("prune the middle")),
        (.freesBeforeCommit, reuse),
    ]

    @Test("notices what is forgotten", arguments: Self.cases)
    func mutantIsCaught(mutant: ForgetfulFiles.Mutant, story: PoolStory) throws {
        var runs = CutRuns(story)
        runs.through = { ForgetfulFiles($0, mutant) }
        (runs.lastWrites, runs.stride, runs.stopsAtFirst) = (48, 2, true)
        runs.losses = [.all, .torn(seed: 3)]
        try runs.run()
        #expect(!runs.problems.isEmpty, "\(runs.cuts) cuts")
        #expect(runs.problems.allSatisfy { !$0.hasPrefix("without a cut") })
    }

    @Test("the space of what was removed is used again safely")
    func reuseSurvives() throws {
        var runs = CutRuns(Self.reuse)
        (runs.first, runs.stride, runs.losses) = (31, 151, [.all])
        try runs.run()
        #expect(runs.problems == [])
    }
}

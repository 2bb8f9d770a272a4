import Files
import Foundation
import StoragePool
import Testing

@Suite("a pool and power cuts") struct PowerCutTests {
    /// Between cuts; 1 cuts at every write and is for by hand, in a release build.
    private static let stride = ProcessInfo.processInfo.environment["POOL_CUT_STRIDE"].flatMap(Int.init)

    @Test(
        "whatever is cut, completed points are identical, the interrupted one is there or not", arguments: PoolStory.all
    )
    func everyCut(story: PoolStory) throws {
        var runs = CutRuns(story)
        runs.stride = Self.stride ?? 97
        runs.first = Self.stride ?? 61
        if Self.stride == nil { runs.losses = [.torn(seed: 1)] }
        try runs.run()
        #expect(runs.problems == [])
        #expect(runs.cuts > 0)
        if Self.stride != nil { print("\(story.name): \(runs.cuts) cuts") }
    }

    /// Stories that leave something for the next opening to clean up.
    private static let unfinished = PoolStory.all.filter {
        ["initial replica, shared", "express full, zstd", "prune the middle", "remove a datasource"].contains($0.name)
    }

    @Test("an opening that cleans up after a cut may be cut as well", arguments: unfinished)
    func everyCutOfTheCleaning(story: PoolStory) throws {
        var runs = CutRuns(story)
        runs.stride = Self.stride.map { $0 * 7 } ?? 233
        runs.first = Self.stride ?? 150
        runs.losses = [.torn(seed: 4)]
        runs.secondStride = Self.stride ?? 9
        try runs.run()
        #expect(runs.problems == [])
        #expect(runs.cuts > 0)
        if Self.stride != nil { print("\(story.name), twice: \(runs.cuts) cuts") }
    }
}

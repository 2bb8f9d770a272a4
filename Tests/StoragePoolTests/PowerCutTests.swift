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
}

import Files
import Foundation
import StoragePool
import Testing

/// A disk with the folder of a pool, durably.
func diskWithFolder() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    try disk.makeFolder("pool")
    try disk.syncFolder("/")
    return disk.copy()
}

@Suite("a map file and power cuts") struct MapFileCutTests {
    private static let losses: [SimulatedDisk.Loss] = [.none, .all, .torn(seed: 1), .torn(seed: 2), .torn(seed: 3)]

    /// Cuts at each write in turn, and once after the end. Says what went wrong, and how many cuts there were.
    private func cutEverywhere(
        _ story: MapStory, stride: Int = 1, stopAtFirst: Bool = false,
        through: (SimulatedDisk) -> any FileSystem = { $0 }
    ) throws -> (problems: [String], cuts: Int) {
        let base = try diskWithFolder()
        var problems: [String] = []
        var (call, cuts, ended) = (1, 0, false)
        while !ended {
            let disk = base.copy()
            disk.cutAt = call
            var told = story
            do {
                try told.run(on: through(disk))
                ended = true
            } catch {}
            if !ended, !disk.isCut { problems.append("at call \(call): failed without a cut") }
            for loss in Self.losses {
                let after = disk.copy()
                after.powerCut(loss)
                cuts += 1
                if let problem = told.problem(on: after) {
                    problems.append("seed \(story.seed), call \(call), \(loss): \(problem)")
                    if stopAtFirst { return (problems, cuts) }
                }
            }
            call += stride
        }
        return (problems, cuts)
    }

    @Test("what was committed survives a cut at every write, what was not vanishes", arguments: [false, true])
    func everyCut(smallCache: Bool) throws {
        let (problems, cuts) = try cutEverywhere(MapStory(seed: 7, smallCache: smallCache))
        #expect(problems == [])
        #expect(cuts > 500)
        print("cuts", cuts)
    }

    @Test("forgetting to flush is caught", arguments: MutantFiles.Mutant.allCases.filter { $0 != .noFolderSync })
    func mutantsAreCaught(mutant: MutantFiles.Mutant) throws {
        let (problems, _) = try cutEverywhere(MapStory(seed: 7), stopAtFirst: true) { MutantFiles($0, mutant) }
        #expect(!problems.isEmpty)
        print(mutant, problems)
    }

    @Test("forgetting to sync the folder is caught")
    func folderMutantIsCaught() throws {
        let (problems, _) = try cutEverywhere(MapStory(seed: 7), stopAtFirst: true) { MutantFiles($0, .noFolderSync) }
        #expect(!problems.isEmpty)
        print(problems)
    }
}

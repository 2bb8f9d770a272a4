import Files
import Foundation
import Testing

@Suite("a cartridge and power cuts") struct CartridgePowerCutTests {
    @Test("whatever is cut, what was acknowledged is there, and the tape goes on", arguments: CartridgeStory.all)
    func everyCut(story: CartridgeStory) throws {
        var runs = CartridgeCutRuns(story)
        try runs.run()
        #expect(runs.problems == [])
        #expect(runs.cuts > 50)
        if ProcessInfo.processInfo.environment["TAPE_FIGURES"] != nil { print("\(story.name): \(runs.cuts) cuts") }
    }
}

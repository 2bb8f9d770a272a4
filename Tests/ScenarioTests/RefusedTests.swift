import FoundationEssentials
import Scenario
import Testing

/// Files of a folder by their name in it, so that messages do not depend on where the repository lies.
struct Folder: FileSource {
    let path: String
    func bytes(of name: String) throws -> [UInt8] { try DiskFiles().bytes(of: path + "/" + name) }

    /// Names of the files that end in `ending`, without it, sorted.
    func names(_ ending: String) -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return all.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
    }
}

let scenarios = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Scenarios"
let refused = Folder(path: scenarios + "/refused")

@Suite("Malformed scenarios")
struct RefusedTests {
    @Test("there are at least sixty") func thereAreEnough() { #expect(refused.names(".yaml").count >= 60) }

    @Test("each is refused with the messages stored beside it", arguments: refused.names(".yaml"))
    func eachIsRefused(_ name: String) throws {
        let (setting, problems, _) = ScenarioReader.read(path: name + ".yaml", files: refused)
        #expect(setting == nil)
        let text = problems.map { "\($0)\n" }.joined()
        #expect(!text.isEmpty)
        let file = "\(refused.path)/\(name).expected"
        if ProcessInfo.processInfo.environment["DPMSIM_RECORD"] == "1" {
            try Data(text.utf8).write(to: URL(filePath: file))
        }
        let expected = String(decoding: try DiskFiles().bytes(of: file), as: UTF8.self)
        #expect(text == expected)
    }

    @Test("no expected message lies about without its scenario")
    func noneIsOrphaned() { #expect(refused.names(".expected") == refused.names(".yaml")) }
}

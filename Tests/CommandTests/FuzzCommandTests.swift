import Foundation
import Testing

@Suite("dpmsim fuzz") struct FuzzCommandTests {
    @Test("seeds that hold are counted with the points that were compared")
    func holds() throws {
        let result = try Program.run(["fuzz", "--seeds", "2..5"])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        let words = result.output.split(separator: " ")
        #expect(words.prefix(4) == ["4", "seeds,", "0", "failed;"])
        let numbers = words.compactMap { Int($0) }
        #expect(numbers.count == 4 && numbers[2] > 20 && numbers[3] > 0, "\(result.output)")
    }

    @Test(
        "a fault that was put in is found, and named by what broke first",
        arguments: [("lost-block", "3", "point"), ("forgotten-crash", "5", "point"), ("lost-tape-part", "4", "tape")])
    func findsPlanted(fault: String, seed: String, kind: String) throws {
        let scratch = try Scratch()
        let folder = scratch.folder.path
        let result = try Program.run(["fuzz", "--seeds", seed, "--plant", fault, "--no-shrink", "--out", folder])
        #expect(result.status == 1)
        #expect(result.output.contains("seed \(seed): \(kind): "), "\(result.output)")
        let text = try String(contentsOfFile: scratch.path("fuzz-\(seed).yaml"), encoding: .utf8)
        #expect(text.hasPrefix("# \(kind): "))
    }

    @Test("what failed is shrunk to a scenario that shows it alone, and that holds without the fault")
    func shrinks() throws {
        let scratch = try Scratch()
        let result = try Program.run(
            ["fuzz", "--seeds", "3", "--plant", "kept-point", "--out", scratch.folder.path])
        #expect(result.status == 1)
        let file = scratch.path("fuzz-3.yaml")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.hasPrefix("# books: "))
        #expect(!text.contains("script:"))
        #expect(text.split(separator: "\n").count { $0.contains("data: real") } == 1)
        #expect(text.contains("duration: 2 d"))
        let sound = try Program.run(["run", file])
        #expect(sound.status == 0, "\(sound.errors)")
    }

    @Test(
        "wrong usage is refused",
        arguments: [
            ["--seeds", "5..1"], ["--seeds", "x"], ["--plant", "a-bug"], ["--jobs", "0"], ["--time", "0"],
            ["--seeds", "18446744073709551615"],
        ])
    func refuses(arguments: [String]) throws {
        let result = try Program.run(["fuzz"] + arguments)
        #expect(result.status == 64)
        #expect(result.output.isEmpty)
    }
}

import ArgumentParser
import Protection

/// `dpmsim check`: all problems of a scenario at once, and what of it cannot be protected.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a scenario and name all its problems, by file, line and column.",
        discussion: "Exit status 2 if there are problems, or if none of its machines can be protected.")

    @Argument(help: "The scenario, a YAML file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Flag(help: "Print the findings as JSON.") var json = false

    private struct Findings: Encodable {
        var problems: [ProblemFact]
        var refusals: [RefusalFact]
        var warnings: [RefusalFact]
        /// Machines in protection groups, and those of them that can be protected.
        var machines: Int
        var protectable: Int
    }

    func run() throws {
        let input = ScenarioInput(path: file)
        let coverage = input.setting.map { Coverage(of: $0.world) }
        if json {
            try JSONOutput.print(
                Findings(
                    problems: input.problems.map(ProblemFact.init),
                    refusals: (coverage?.refusals ?? []).map(RefusalFact.init),
                    warnings: (coverage?.warnings ?? []).map(RefusalFact.init), machines: coverage?.asked ?? 0,
                    protectable: coverage?.protectable ?? 0))
        } else {
            printText(input, coverage)
        }
        if !input.problems.isEmpty || coverage?.isNothing == true { throw Ending.badInput }
    }

    private func printText(_ input: ScenarioInput, _ coverage: Coverage?) {
        let out = Terminal.output
        for problem in input.problems { out.line(problem.text(for: out)) }
        coverage?.print(on: out)
        if let coverage, let setting = input.setting {
            out.line("\(file): \(setting.name): \(coverage).")
        } else {
            out.line("\(file): \(input.problems.count) problem\(input.problems.count == 1 ? "" : "s").")
        }
    }
}

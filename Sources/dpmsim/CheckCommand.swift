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
        var machines: Int
        var protectedMachines: Int
    }

    func run() throws {
        let input = ScenarioInput(path: file)
        let refusals = input.setting?.world.refusals() ?? []
        let coverage = input.setting.map { Coverage(of: $0.world, refusals: refusals) }
        if json {
            try JSONOutput.print(
                Findings(
                    problems: input.problems.map(ProblemFact.init), refusals: refusals.map(RefusalFact.init),
                    machines: input.setting?.world.machines.count ?? 0, protectedMachines: coverage?.protectable ?? 0))
        } else {
            printText(input, refusals, coverage)
        }
        if !input.problems.isEmpty || coverage?.isNothing == true { throw Ending.badInput }
    }

    private func printText(_ input: ScenarioInput, _ refusals: [Refusal], _ coverage: Coverage?) {
        let out = Terminal.output
        for problem in input.problems { out.line(problem.text(for: out)) }
        for refusal in refusals { out.line(refusal.text(for: out)) }
        if let coverage, let setting = input.setting {
            out.line("\(file): \(setting.name): \(coverage).")
        } else {
            out.line("\(file): \(input.problems.count) problem\(input.problems.count == 1 ? "" : "s").")
        }
    }
}

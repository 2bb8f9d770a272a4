import ArgumentParser
import Protection

/// `dpmsim rules`: the rule catalogue, with where each rule is enforced and which tests cover it.
struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Print the rules of DPM the program keeps, and where each is enforced.")
    @Flag(help: "Print the rules as JSON.") var json = false
    func run() throws {}
}

import ArgumentParser
import Protection

/// `dpmsim rules`: the rule catalogue, with where each rule is enforced and which tests show it.
struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Print the rules of DPM, where each is enforced, and which tests show it.")

    @Argument(help: "Only this family or this rule, such as PRE or PRE-9.") var name: String?
    @Flag(help: "Print the rules as JSON.") var json = false

    /// A rule, as `--json` gives it.
    private struct Rule: Encodable {
        var id: String, text: String, enforcedIn: String, tests: String, scenarios: String
        init(_ entry: RuleEntry) {
            (id, text, enforcedIn, tests) = (entry.id.description, entry.text, entry.place, entry.tests)
            scenarios = entry.scenarios
        }
    }

    func validate() throws {
        guard let name, !RuleCatalogue.all.contains(where: { matches($0, name) }) else { return }
        var families: [String] = []
        for entry in RuleCatalogue.all where families.last != entry.id.family { families.append(entry.id.family) }
        throw ValidationError(
            "there is no rule or family '\(name)'; the families are \(families.joined(separator: ", "))")
    }

    func run() throws {
        let rules = RuleCatalogue.all.filter { entry in name.map { matches(entry, $0) } ?? true }
        if json { return try JSONOutput.print(rules.map(Rule.init)) }
        let out = Terminal.output
        for rule in rules {
            let id = rule.id.description
            out.line(out.styled(id, .bold) + String(repeating: " ", count: max(1, 8 - id.count)) + rule.text)
            let place = "enforced in Sources/\(rule.place), shown by Tests/\(rule.tests), played by \(rule.scenarios)"
            out.line(out.styled("        " + place, .dim))
        }
    }

    private func matches(_ entry: RuleEntry, _ name: String) -> Bool {
        let wanted = name.uppercased()
        return entry.id.family == wanted || entry.id.description == wanted
    }
}

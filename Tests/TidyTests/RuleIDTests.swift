import Foundation
import Testing

/// The families of the rule catalogue, each with the number of its last rule.
private let catalogue = [
    "SCN": 5, "LVL": 3, "VSS": 5, "PRC": 6, "PRE": 15, "GRP": 10, "LIV": 10, "REP": 3, "REC": 7,
]

/// One line for each rule without a scenario that plays it and names it, and each folder that is no rule's.
private func playProblems(_ files: [SourceFile]) -> [String] {
    let scenarios = files.filter { $0.path.hasSuffix(".yaml") }
    let wanted = Set(catalogue.flatMap { family, last in (1...last).map { "\(family)-\($0)" } })
    let played = Dictionary(grouping: scenarios) {
        $0.path.split(separator: "/").dropLast().last.map(String.init) ?? ""
    }
    return wanted.subtracting(played.keys).sorted().map { "no scenario plays \($0)" }
        + played.keys.filter { !wanted.contains($0) }.sorted().map { "\($0) is no rule" }
        + scenarios.filter { file in
            let id = file.path.split(separator: "/").dropLast().last.map(String.init) ?? ""
            return !file.text.contains("\nexpect:") || !file.text.contains("name: \"\(id) ")
        }.map { "\($0.path) expects nothing, or does not name its rule" }
}

/// One line for each rule id in `file` that the catalogue does not have.
private func unknownRules(in file: SourceFile) -> [String] {
    var found: [(String, String)] = []
    for line in file.lines where catalogue.keys.contains(where: { line.contains($0 + "-") }) || line.contains("RuleID(")
    {
        found += line.matches(of: /\b(SCN|LVL|VSS|PRC|PRE|GRP|LIV|REP|REC)-(\d+)\b/).map {
            (String($0.1), String($0.2))
        }
        found += line.matches(of: /RuleID\("(\w+)",\s*(\d+)\)/).map { (String($0.1), String($0.2)) }
    }
    return found.filter { family, number in
        guard let last = catalogue[family], let number = Int(number) else { return true }
        return number < 1 || number > last
    }.map { "\(file.path): there is no rule \($0)-\($1)" }
}

/// One line for each place or suite that the list of `dpmsim rules` names and that is not there, and each rule it lacks.
private func ruleListProblems(_ list: String, files: Set<String>, tests: String) -> [String] {
    let places = list.matches(of: /\bin:\s*"([^"]+)"/).map { "Sources/Protection/Rules/\($0.1).swift" }
    let performed = list.matches(of: /\bperformed:\s*"([^"]+)"/).map { "Sources/\($0.1)" }
    let suites = list.matches(of: /\btests:\s*"([^"]+)"/).map { "\($0.1)Rules" }
    let listed = Set(list.matches(of: /RuleEntry\(\s*"(\w+)",\s*(\d+),/).map { "\($0.1)-\($0.2)" })
    let wanted = catalogue.flatMap { family, last in (1...last).map { "\(family)-\($0)" } }
    return (places + performed).filter { !files.contains($0) }.map { "there is no \($0)" }
        + suites.filter { !tests.contains("struct \($0)") }.map { "there is no suite \($0)" }
        + wanted.filter { !listed.contains($0) }.sorted().map { "\($0) is not listed" }
}

@Suite("rule ids are those of the catalogue") struct RuleIDTests {
    @Test("every rule id named in sources and tests exists")
    func namedRulesExist() {
        let files = (Tree.swiftSources + Tree.swiftTests).filter { !$0.path.hasPrefix("Tests/TidyTests/") }
        #expect(files.flatMap(unknownRules) == [])
        let readmes = Tree.files(under: "Sources").filter { $0.path.hasSuffix(".md") }
        #expect(readmes.flatMap(unknownRules) == [])
    }

    @Test(
        "an id that is not in the catalogue is found, one that is passes",
        arguments: [
            ("// obeys PRE-15", []), ("// obeys PRE-16", ["there is no rule PRE-16"]),
            ("// LIV-0", ["there is no rule LIV-0"]), (#"RuleID("GRP", 11)"#, ["there is no rule GRP-11"]),
            (#"RuleID("ABC", 1)"#, ["there is no rule ABC-1"]), ("// LTO-8 and AES-256 are no rules", []),
        ] as [(String, [String])])
    func unknownIDsAreFound(text: String, problems: [String]) {
        #expect(unknownRules(in: SourceFile(path: "a.swift", text: text)) == problems.map { "a.swift: " + $0 })
    }

    @Test("the list of rules has every rule, and names files and suites that are there")
    func listOfRulesIsTrue() {
        let tests = Tree.swiftTests.filter { $0.path.hasPrefix("Tests/ProtectionTests/") }.map(\.text)
        let problems = ruleListProblems(
            Tree.text(of: "Sources/Protection/RuleCatalogue.swift"), files: Set(Tree.swiftSources.map(\.path)),
            tests: tests.joined())
        #expect(problems == [])
    }

    @Test("a scenario with expectations plays every rule that a run can show")
    func rulesArePlayed() { #expect(playProblems(Tree.files(under: "Scenarios/rules")) == []) }

    @Test("a rule that nothing plays is found, and so is a scenario that expects nothing or belongs to no rule")
    func unplayedRulesAreFound() {
        let all = Tree.files(under: "Scenarios/rules")
        let missing = all.filter { !$0.path.contains("/PRE-9/") }
        #expect(playProblems(missing) == ["no scenario plays PRE-9"])
        let empty = SourceFile(path: "Scenarios/rules/PRE-9/more.yaml", text: "name: \"PRE-9 more\"\n")
        #expect(playProblems(all + [empty]) == ["\(empty.path) expects nothing, or does not name its rule"])
        let foreign = SourceFile(path: "Scenarios/rules/PRE-99/a.yaml", text: "name: \"PRE-99 a\"\nexpect: []\n")
        #expect(playProblems(all + [foreign]) == ["PRE-99 is no rule"])
    }

    @Test("a list of rules that names what is not there is found, and so is a rule it lacks")
    func falseListsAreFound() {
        let all = catalogue.flatMap { family, last in (1...last).map { "RuleEntry(\"\(family)\", \($0), \"x\")\n" } }
        let list =
            all.filter { !$0.contains("\"REC\", 7,") }.joined()
            + #"in: "Gone", tests: "XYZ" performed: "Jobs/No.swift""#
        #expect(
            ruleListProblems(list, files: [], tests: "struct SCNRules") == [
                "there is no Sources/Protection/Rules/Gone.swift", "there is no Sources/Jobs/No.swift",
                "there is no suite XYZRules", "REC-7 is not listed",
            ])
    }
}

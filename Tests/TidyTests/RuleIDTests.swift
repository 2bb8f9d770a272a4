import Foundation
import Testing

/// The families of the rule catalogue, each with the number of its last rule.
private let catalogue = [
    "SCN": 5, "LVL": 3, "VSS": 5, "PRC": 6, "PRE": 15, "GRP": 10, "LIV": 10, "REP": 3, "REC": 7,
]

/// One line for each rule id in `file` that the catalogue does not have.
private func unknownRules(in file: SourceFile) -> [String] {
    let written = file.text.matches(of: /\b(SCN|LVL|VSS|PRC|PRE|GRP|LIV|REP|REC)-(\d+)\b/).map {
        (String($0.1), String($0.2))
    }
    let built = file.text.matches(of: /RuleID\("(\w+)",\s*(\d+)\)/).map { (String($0.1), String($0.2)) }
    return (written + built).filter { family, number in
        guard let last = catalogue[family], let number = Int(number) else { return true }
        return number < 1 || number > last
    }.map { "\(file.path): there is no rule \($0)-\($1)" }
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
}

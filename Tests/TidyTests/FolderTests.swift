import Foundation
import Testing

private let headings = ["## Start here", "## Promises", "## Does not", "## Decided"]
private let topLevelEntries: Set<String> = [
    "Package.swift", "Sources", "Tests", "Scenarios", "Tools", "README.md", ".ci", ".gitignore", ".swift-format",
]

/// What a folder's README lacks: a title, one line of promise, the four headings in order with text under each.
private func readmeProblems(_ text: String) -> [String] {
    let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    guard let title = lines.first, title.hasPrefix("# ") else { return ["it does not open with a title"] }
    var problems: [String] = []
    if lines.count < 2 || lines[1].hasPrefix("#") { problems.append("no line of promise follows the title") }
    let found = lines.filter { $0.hasPrefix("## ") }
    problems += headings.filter { !found.contains($0) }.map { "the heading \($0) is missing" }
    for (index, line) in lines.enumerated() where headings.contains(line) {
        if index + 1 == lines.count || lines[index + 1].hasPrefix("#") {
            problems.append("nothing stands under \(line)")
        }
    }
    return problems
}

private func unexpectedEntries(_ names: [String], ignoring patterns: [String]) -> [String] {
    names.filter { !topLevelEntries.contains($0) && $0 != ".git" && !Tree.isIgnored($0, by: patterns) }
}

@Suite("folders are as agreed") struct FolderTests {
    @Test("every module's README makes its promise and has its four headings", arguments: Tree.modules)
    func modulesHaveTheirReadme(module: String) {
        #expect(readmeProblems(Tree.text(of: "Sources/\(module)/README.md")) == [])
    }

    @Test(
        "a README that lacks something is found",
        arguments: [
            ("", "it does not open with a title"),
            (
                "# A\n## Start here\nx\n## Promises\nx\n## Does not\nx\n## Decided\nx",
                "no line of promise follows the title"
            ),
            ("# A\nDoes it.\n## Start here\nx\n## Promises\nx\n## Decided\nx", "the heading ## Does not is missing"),
            (
                "# A\nDoes it.\n## Start here\nx\n## Promises\nx\n## Does not\n## Decided\nx",
                "nothing stands under ## Does not"
            ),
        ])
    func poorReadmesAreFound(text: String, problem: String) { #expect(readmeProblems(text) == [problem]) }

    @Test("the top level holds what the architecture names, and nothing else")
    func topLevelIsAsAgreed() { #expect(unexpectedEntries(Tree.topLevel, ignoring: Tree.ignored) == []) }

    @Test("an entry that nobody agreed on is found, an ignored one is not")
    func foreignEntriesAreFound() {
        let names = ["Sources", ".build", "notes.txt", "Makefile", "report"]
        #expect(unexpectedEntries(names, ignoring: [".build/", "/report/"]) == ["notes.txt", "Makefile"])
    }
}

import ArgumentParser
import Foundation
import Protection
import Reports

/// `dpmsim test`: runs scenarios and tells which of their expectations held.
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Run scenarios and judge what they expect.",
        discussion: """
            Each PATH is a scenario with 'expect:', or a folder: then every .yaml file in it and below that has one. Exit \
            status 0 if everything expected was seen, 1 if not, 2 if a scenario cannot be read, 3 if a run broke.
            """)

    @Argument(help: "Scenarios, or folders with scenarios.", completion: .file(extensions: ["yaml", "yml"]))
    var paths: [String]
    @Option(help: ArgumentHelp("Scenarios run at once; the results do not depend on it.", valueName: "number"))
    var jobs: Int = ProcessInfo.processInfo.activeProcessorCount
    @Option(help: "Seed of all chance, instead of each scenario's.") var seed: UInt64?
    @Option(help: ArgumentHelp("Write the results as JUnit XML.", valueName: "file"), completion: .file())
    var junit: String?
    @Option(help: ArgumentHelp("Write the results in TAP 13.", valueName: "file"), completion: .file())
    var tap: String?
    @Flag(help: "Print the results as JSON.") var json = false

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("name a scenario or a folder with scenarios") }
        guard (1...1_024).contains(jobs) else { throw ValidationError("--jobs is a number from 1 to 1024") }
    }

    func run() throws {
        do {
            let files = try TestedScenarios.files(under: paths)
            let results = TestedScenarios.run(files, seed: seed, jobs: jobs)
            try write(results)
            if json { try JSONOutput.print(results) } else { TestText.print(results) }
            if let status = TestText.status(of: results) { throw status }
        } catch let complaint as Complaint {
            complaint.print()
            throw complaint.status
        }
    }

    private func write(_ results: [ScenarioResult]) throws {
        for (path, text) in [(junit, TestText.junit(results)), (tap, TestText.tap(results))] {
            guard let path else { continue }
            do {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            } catch {
                throw Complaint(
                    object: path, cause: "it cannot be written (\(error.localizedDescription))",
                    action: "Name a file in a folder that can be written")
            }
        }
    }
}

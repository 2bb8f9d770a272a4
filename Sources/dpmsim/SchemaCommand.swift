import ArgumentParser
import Scenario

/// `dpmsim schema`: the form of a scenario file, for editors.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of scenario files, for editors.",
        discussion: """
            An editor that knows the schema completes keys and marks mistakes while you write. With the YAML language \
            server, put this line at the top of the scenario:
              # yaml-language-server: $schema=dpmsim-schema.json
            """)

    func run() { Terminal.output.line(ScenarioSchema.json()) }
}

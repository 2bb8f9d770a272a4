import ArgumentParser
import Scenario

/// `dpmsim explain`: every value in force, and where it comes from.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Print every value in force in a scenario, and whether the file or which named default gave it.")

    @Argument(help: "The scenario, a YAML file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(help: "Only values whose path holds this text, such as tuning or machines[0].") var only: String?
    @Flag(help: "Print the values as JSON.") var json = false

    /// A value in force, as `--json` gives it: with its place, or with its default and that one's source.
    private struct Value: Encodable {
        var path: String, value: String
        var file: String?, line: Int?, column: Int?
        var standard: String?, source: String?
        private enum CodingKeys: String, CodingKey {
            case path, value, file, line, column, standard = "default", source
        }
        init(_ provenance: Provenance) {
            (path, value) = (provenance.path, provenance.value)
            switch provenance.origin {
            case .file(let spot): (file, line, column) = (spot.file, spot.line, spot.column)
            case .default(let name, let source): (standard, self.source) = (name, source)
            }
        }
    }

    func run() throws {
        let input = ScenarioInput(path: file)
        _ = try input.settingOrEnd()
        let values = input.explained.filter { only.map($0.path.contains) ?? true }
        if json {
            try JSONOutput.print(values.map(Value.init))
        } else {
            let out = Terminal.output
            var text = ""
            for value in values {
                let left = "\(value.path) = \(value.value)"
                let right = value.description.dropFirst(left.count)
                text += left + out.styled(String(right), .dim) + "\n"
            }
            out.write(text)
        }
    }
}

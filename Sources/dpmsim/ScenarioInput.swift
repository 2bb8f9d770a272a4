import ArgumentParser
import Protection
import Scenario

/// The scenario a command is given, as far as several commands treat it the same.
struct ScenarioInput {
    var problems: [Problem]
    var explained: [Provenance]
    /// Nil if there are problems.
    var setting: Setting?

    init(path: String) {
        let read = ScenarioReader.read(path: path)
        (setting, problems, explained) = (read.problems.isEmpty ? read.setting : nil, read.problems, read.explained)
    }

    /// The setting; or all problems on standard error, and the end of the program.
    func settingOrEnd() throws -> Setting {
        guard let setting else {
            let terminal = Terminal.errors
            for problem in problems { terminal.line(problem.text(for: terminal)) }
            terminal.line("\(problems.count) problem\(problems.count == 1 ? "" : "s"); nothing was run.")
            throw Ending.badInput
        }
        return setting
    }
}

extension Problem {
    /// As a person reads it: the place first, so that an editor can jump there.
    func text(for terminal: Terminal) -> String {
        let place = "\(file):\(line):\(column):"
        guard description.hasPrefix(place) else { return description }
        return terminal.styled(place, .bold) + description.dropFirst(place.count)
    }
}

extension Refusal {
    /// As a person reads it; the id and the rule stand out.
    func text(for terminal: Terminal) -> String {
        let head = "\(id == 0 ? "error" : "error \(id)") (\(rule))"
        guard description.hasPrefix(head) else { return description }
        return terminal.styled(head, .red) + description.dropFirst(head.count)
    }
    /// The same for what is allowed but deserves a word.
    func warningText(for terminal: Terminal) -> String {
        let head = "\(id == 0 ? "warning" : "warning \(id)") (\(rule))"
        return terminal.styled(head, .yellow) + " \(object): \(cause). \(action)."
    }
}

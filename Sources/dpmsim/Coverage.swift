import Protection
import Units

/// What the rules say of a world before it is run: what is refused, what deserves a word, how many machines are left.
struct Coverage: CustomStringConvertible {
    let refusals: [Refusal]
    let warnings: [Refusal]
    /// Machines that groups ask to protect, and those of them that at least one group can.
    let asked: Int
    let protectable: Int

    init(of world: World) {
        (refusals, warnings) = (world.refusals(), world.warnings())
        var isAsked = [Bool](repeating: false, count: world.machines.count)
        var isProtectable = isAsked
        for (group, answers) in zip(world.groups, world.memberRefusals()) {
            for (member, refusal) in zip(group.members, answers) {
                isAsked[Int(member.index)] = true
                if refusal == nil { isProtectable[Int(member.index)] = true }
            }
        }
        asked = isAsked.count { $0 }
        protectable = isProtectable.count { $0 }
    }

    /// Machines are asked to be protected, and none can be.
    var isNothing: Bool { asked > 0 && protectable == 0 }

    var description: String { "\(protectable) of \(asked) machines in protection groups can be protected" }

    /// Refusals and warnings, each on a line of its own.
    /// - Parameters:
    ///   - limit: how many of them; a long list would hide what comes after it.
    ///   - command: what prints them all.
    func print(on terminal: Terminal, atMost limit: Int = .max, rest command: String = "") {
        let lines = refusals.map { $0.text(for: terminal) } + warnings.map { $0.warningText(for: terminal) }
        for line in lines.prefix(limit) { terminal.line(line) }
        if lines.count > limit { terminal.line("and \(lines.count - limit) more; '\(command)' prints them all.") }
    }
}

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

    /// Every refusal and warning as a line of its own.
    func print(on terminal: Terminal) {
        for refusal in refusals { terminal.line(refusal.text(for: terminal)) }
        for warning in warnings { terminal.line(warning.warningText(for: terminal)) }
    }
}

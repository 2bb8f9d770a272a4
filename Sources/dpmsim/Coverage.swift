import Protection
import Units

/// How many of a world's machines its groups ask to protect, and how many of those can be.
struct Coverage: CustomStringConvertible {
    var asked: Int
    var protectable: Int

    init(of world: World, refusals: [Refusal]) {
        let members = Set(world.groups.flatMap(\.members))
        let refused = Set(refusals.map(\.object))
        asked = members.count
        protectable = members.filter { !refused.contains("machine \(world.machines[$0].name)") }.count
    }

    /// Machines are asked to be protected, and none can be.
    var isNothing: Bool { asked > 0 && protectable == 0 }

    var description: String { "\(protectable) of \(asked) machines in protection groups can be protected as asked" }
}

import Files
import GRDB

/// A stored block that is not what was stored, by those who see it.
public struct Damage: Hashable, Sendable {
    public var datasource: String
    public var disk: String
    /// Bytes of the disk.
    public var range: Range<Int64>
    /// The recovery points that see it, oldest first.
    public var points: [Int64]
    /// Whether the replica sees it.
    public var isReplica: Bool
    /// Where in the pool it lies.
    var place: DamagePlace

    public var description: String {
        let seen = points.map { String($0) }.joined(separator: ", ")
        return "\(datasource), disk \(disk), bytes \(range.lowerBound) to \(range.upperBound): "
            + (points.isEmpty ? "no recovery point" : "recovery point\(points.count == 1 ? "" : "s") \(seen)")
            + (isReplica ? ", and the replica" : "")
    }
}

struct DamagePlace: Hashable, Sendable {
    var disk: Int64
    var leaf: Int64
    var index: Int
    var entry: BlockEntry
}

extension Database {
    /// Who sees a block: the states between the version that brought it and the one that replaced it.
    func damage(_ place: DamagePlace, block: Int64) throws -> Damage? {
        guard let disk = try rows("SELECT datasource, name, born, died FROM disk WHERE id = ?", place.disk).first,
            let datasource = try datasource(disk["datasource"] as Int64)
        else { return nil }
        let died: Int64 = disk["died"] ?? LeafKey.epochLimit
        let states = try states(datasource.id).filter { $0.number >= disk["born"] && $0.number < died }
        let seeing = try states.filter { state in
            try leaf(disk: place.disk, number: place.leaf, asOf: state.number)?.leaf[place.index].location
                == place.entry.location
        }
        let start = (place.leaf * Int64(Leaf.count) + Int64(place.index)) * block
        let size = try integer("SELECT max(bytes) FROM size WHERE disk = ?", place.disk) ?? Int64.max
        return Damage(
            datasource: datasource.name, disk: disk["name"], range: start..<max(start, min(start + block, size)),
            points: seeing.filter { $0.isRecoveryPoint }.map { $0.number },
            isReplica: seeing.contains { $0.number == datasource.head }, place: place)
    }
}

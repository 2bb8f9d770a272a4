import DiskImages

/// A structure of an image or of a pool, for JSON.
struct StructureFact: Encodable {
    var name: String, start: Int64, length: Int64
    var fields: [[String: String]], problems: [String]

    init(_ structure: StructureDump) {
        (name, start) = (structure.name, structure.place.lowerBound)
        length = structure.place.upperBound - structure.place.lowerBound
        fields = structure.fields.map { ["name": $0.name, "value": $0.value] }
        problems = structure.problems
    }
}

/// Structures as text, with what is wrong with them.
func tell(_ structures: [StructureDump], on out: Terminal) {
    for structure in structures {
        let place = structure.place
        let bytes = place.isEmpty ? "" : "  bytes \(place.lowerBound) to \(place.upperBound)"
        out.line(out.styled(structure.name, .bold) + bytes)
        for field in structure.fields { out.line("  \(field.name): \(field.value)") }
        for problem in structure.problems { out.line("  " + out.styled("problem", .red) + ": \(problem)") }
    }
    let count = structures.reduce(0) { $0 + $1.problems.count }
    out.line("\(structures.count) structures, \(count) problem\(count == 1 ? "" : "s").")
}

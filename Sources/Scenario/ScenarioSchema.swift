/// The form of scenario files for editors.
public enum ScenarioSchema {
    /// A JSON Schema (2020-12) made from the tables the reader goes by. Names, ranges that depend on other values and
    /// patterns of quantities are looser than the reader.
    public static func json() -> String {
        var definitions: [(String, JSON)] = []
        for table in Tables.all where table.name != "scenario" { definitions.append((table.name, schema(table))) }
        guard case .object(let root) = schema(Tables.root) else { return "" }
        let head: [(String, JSON)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")), ("title", .text("dpmsim scenario")),
        ]
        return JSON.object(head + root.filter { $0.0 != "required" } + [("$defs", .object(definitions))]).text(
            indent: 0) + "\n"
    }

    private static func schema(_ table: Table) -> JSON {
        let properties = table.fields.map { field -> (String, JSON) in
            var members: [(String, JSON)] = [("description", .text(field.meaning))]
            if let fallback = field.fallback {
                let source = field.source.isEmpty ? "" : " Default from: \(field.source)."
                members[0] = ("description", .text("\(field.meaning)\(source.isEmpty ? "" : ".\(source)")"))
                members.append(("default", .text(fallback)))
            }
            guard case .object(let shape) = schema(field.shape) else { return (field.key, .object(members)) }
            return (field.key, .object(members + shape))
        }
        let required = table.fields.filter(\.isRequired).map { JSON.text($0.key) }
        return .object(
            [("type", .text("object")), ("additionalProperties", .word("false")), ("properties", .object(properties))]
                + (required.isEmpty ? [] : [("required", .array(required))]))
    }

    private static let scalar = JSON.object([("type", .array([.text("string"), .text("number")]))])

    private static func schema(_ shape: Shape) -> JSON {
        func words(_ pattern: String) -> JSON { .object([("type", .text("string")), ("pattern", .text(pattern))]) }
        switch shape {
        case .text, .pattern, .reference: return scalar
        case .references: return oneOrMany(scalar)
        case .size: return words("^ *[0-9.]+ *([kMGTP]?B|[KMGTP]iB) *$")
        case .share:
            return .object([
                ("type", .array([.text("string"), .text("number")])), ("pattern", .text("^ *[0-9.]+ *%? *$")),
            ])
        case .amount: return words("^ *[0-9.]+ *(%|[kMGTP]?B|[KMGTP]iB) *$")
        case .rate: return words("^ *[0-9.]+ *([kMG]?B/s|[MG]iB/s|[kMG]?bit/s|[kMG]bps) *$")
        case .duration: return words("^ *([0-9.]+ *[a-z]+ *)+$")
        case .date: return words("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        case .timeOfDay: return words("^[0-9]{1,2}:[0-9]{2}$")
        case .moment: return words("^(day [0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2})( [0-9]{1,2}:[0-9]{2})?$")
        case .window: return words("^[0-9]{1,2}:[0-9]{2} *(\\.\\.|-) *[0-9]{1,2}:[0-9]{2}$")
        case .retention: return words("^ *[0-9]+ *[a-z]+ *$")
        case .distribution: return words("^(exponential |uniform |normal |lognormal |weibull )?[0-9.].*$")
        case .bool:
            return .object([
                ("enum", .array([.word("true"), .word("false"), .text("yes"), .text("no"), .text("on"), .text("off")]))
            ])
        case .count(let range):
            return .object([
                ("type", .text("integer")), ("minimum", .word("\(range.lowerBound)")),
                ("maximum", .word("\(range.upperBound)")),
            ])
        case .number(let range):
            return .object([
                ("type", .text("number")), ("minimum", .word("\(range.lowerBound)")),
                ("maximum", .word("\(range.upperBound)")),
            ])
        case .choice(let choices):
            // YAML reads an unquoted 2016 as a number.
            let numbers = choices.filter { Int($0) != nil }.map { JSON.word($0) }
            return .object([("enum", .array(choices.map { .text($0) } + numbers))])
        case .list(let element): return .object([("type", .text("array")), ("items", schema(element))])
        case .oneOrMany(let element): return oneOrMany(schema(element))
        case .record(let name): return .object([("$ref", .text("#/$defs/" + name.replacing(" ", with: "%20")))])
        case .named(let name):
            return .object([
                ("type", .text("object")),
                ("additionalProperties", .object([("$ref", .text("#/$defs/" + name.replacing(" ", with: "%20")))])),
            ])
        case .either(let shapes): return .object([("anyOf", .array(shapes.map { schema($0) }))])
        case .bound(.count): return scalar
        case .bound, .point, .period, .deadline, .step, .offset: return .object([("type", .text("string"))])
        }
    }

    private static func oneOrMany(_ element: JSON) -> JSON {
        .object([("anyOf", .array([element, .object([("type", .text("array")), ("items", element)])]))])
    }
}

/// Just enough of JSON to write it, keys in the order given.
indirect enum JSON {
    case text(String)
    /// A number or a literal, as it stands.
    case word(String)
    case array([JSON])
    case object([(String, JSON)])

    func text(indent: Int) -> String {
        let (inner, outer) = (String(repeating: "  ", count: indent + 1), String(repeating: "  ", count: indent))
        switch self {
        case .text(let text): return JSON.quoted(text)
        case .word(let word): return word
        case .array(let elements): return "[" + elements.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
        case .object(let members):
            let lines = members.map { "\(inner)\(JSON.quoted($0.0)): \($0.1.text(indent: indent + 1))" }
            return members.isEmpty ? "{}" : "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            default:
                if scalar.value < 32 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

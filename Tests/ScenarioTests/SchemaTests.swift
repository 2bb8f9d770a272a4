import FoundationEssentials
import Testing

@testable import Scenario

@Suite("JSON Schema")
struct SchemaTests {
    @Test("it is JSON and says which draft it follows") func isJSON() throws {
        struct Head: Decodable {
            var schema: String
            enum CodingKeys: String, CodingKey { case schema = "$schema" }
        }
        let head = try JSONDecoder().decode(Head.self, from: Data(ScenarioSchema.json().utf8))
        #expect(head.schema == "https://json-schema.org/draft/2020-12/schema")
    }

    @Test("it has every key the reader knows, with its meaning", arguments: Tables.all.map(\.name))
    func hasEveryKey(_ table: String) {
        let text = ScenarioSchema.json()
        for field in Tables.named(table).fields {
            #expect(text.contains("\"\(field.key)\": {"), "\(table).\(field.key)")
            #expect(!field.meaning.isEmpty)
        }
    }

    @Test("every default is a text its own reader takes", arguments: Tables.all.map(\.name))
    func defaultsAreReadable(_ table: String) {
        let report = Report()
        let spot = Spot(file: "default", line: 1, column: 1)
        for field in Tables.named(table).fields {
            guard let text = field.fallback else { continue }
            #expect(!field.source.isEmpty, "\(table).\(field.key) has a default without a source")
            let item = Item(text: text, spot: spot, path: field.key)
            switch field.shape {
            case .size: _ = report.size(item, zero: true)
            case .share: _ = report.share(item)
            case .amount: _ = report.amount(item)
            case .rate: _ = report.rate(item)
            case .duration: _ = report.duration(item)
            case .date: _ = report.date(item)
            case .timeOfDay: _ = report.timeOfDay(item)
            case .window: _ = report.window(item)
            case .bool: _ = report.bool(item)
            case .count(let range): _ = report.count(item, range)
            case .number(let range): _ = report.number(item, range)
            case .choice(let words): _ = report.choice(item, words)
            case .text, .pattern, .reference, .either: break
            default: Issue.record("\(table).\(field.key) cannot have a default")
            }
        }
        #expect(report.problems.map(\.description) == [])
    }
}

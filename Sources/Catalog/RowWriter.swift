import GRDB
import Protection
import Units

/// One prepared insert, fed row after row.
struct RowWriter {
    private let statement: Statement

    /// - Parameter table: with its columns, such as `machine(id, name)`.
    init(_ db: Database, into table: String, columns: Int) throws {
        let marks = Array(repeating: "?", count: columns).joined(separator: ", ")
        statement = try db.cachedStatement(sql: "INSERT INTO \(table) VALUES (\(marks))")
    }

    func add(_ values: [(any DatabaseValueConvertible)?]) throws {
        statement.setUncheckedArguments(StatementArguments(values))
        try statement.execute()
    }
}

extension SimTime {
    /// Nil where the moment was not reached.
    var reached: Int64? { self == .never ? nil : nanoseconds }
}

/// A place in a list of the world, or nil for `-1`: none.
func place(_ index: Int32) -> Int32? { index < 0 ? nil : index }

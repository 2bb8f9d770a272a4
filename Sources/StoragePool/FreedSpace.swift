import GRDB

/// Space that nobody needs any more, gathered so that neighbouring blocks become one note: writing a row a block would be most of the
/// cost of a pruning.
struct FreedSpace {
    private var locations: [Location] = []

    mutating func add(_ location: Location) { locations.append(location) }

    /// Notes it: the space is given back after the transaction. Shared blocks lose one use for each time they were added.
    func note(_ db: Database) throws {
        for location in locations where location.isShared {
            try db.run("INSERT INTO freed(segment, start, length) VALUES(-1, ?, 0)", Int64(bitPattern: location.bits))
        }
        let own = locations.filter { !$0.isShared }.sorted { $0.bits < $1.bits }
        guard !own.isEmpty else { return }
        if try db.integer("SELECT 1 FROM damaged LIMIT 1") != nil {
            for location in own {
                try db.run("DELETE FROM damaged WHERE location = ?", Int64(bitPattern: location.bits))
            }
        }
        var run = (segment: own[0].segment, start: own[0].offset, end: own[0].offset)
        var live: Int64 = 0
        func noteRun() throws {
            try db.run(
                "INSERT INTO freed(segment, start, length) VALUES(?, ?, ?)", run.segment, run.start, run.end - run.start
            )
        }
        func endSegment() throws {
            try db.run("UPDATE segment SET live = live - ? WHERE number = ?", live, run.segment)
            live = 0
        }
        for location in own {
            if location.segment != run.segment || location.offset != run.end {
                try noteRun()
                if location.segment != run.segment { try endSegment() }
                run = (location.segment, location.offset, location.offset)
            }
            run.end = location.offset + location.span
            live += location.span
        }
        try noteRun()
        try endSegment()
    }
}

extension Database {
    /// Notes the space of one block of which no use is left.
    func free(_ location: Location) throws {
        var space = FreedSpace()
        space.add(location.marked(shared: false))
        try space.note(self)
    }
}

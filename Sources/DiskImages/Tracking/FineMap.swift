import Files

/// A set of blocks of a disk. Regions without any, and regions of which all are in, take four bytes each; the others a bit a
/// block besides: for 64 TiB in blocks of 64 KiB between 4 and 132 MiB.
struct FineMap: Sendable {
    private static let all = UInt32.max
    let geometry: TrackGeometry
    /// By region: 0 for none, `all`, or one more than the number of its words' place.
    private var places: [UInt32]
    private var words: [UInt64] = []
    private var free: [UInt32] = []

    init(_ geometry: TrackGeometry) {
        self.geometry = geometry
        places = [UInt32](repeating: 0, count: geometry.regionCount)
    }

    var isEmpty: Bool { !places.contains { $0 != 0 } }

    func touches(_ region: Int) -> Bool { places[region] != 0 }

    /// Whether all of a region is in; nil if none of it is.
    func isWhole(_ region: Int) -> Bool? { places[region] == 0 ? nil : places[region] == Self.all }

    /// The bits of a region of which some blocks are in.
    func words(ofRegion region: Int) -> ArraySlice<UInt64> {
        let start = Int(places[region] - 1) * geometry.wordsPerRegion
        return words[start..<start + geometry.wordsPerRegion]
    }

    mutating func insert(_ range: Range<Int64>) {
        for region in geometry.regions(range) {
            if places[region] == Self.all { continue }
            let start = Int64(region) * geometry.regionSize
            let first = Int((max(range.lowerBound, start) - start) / geometry.granularity)
            let end = min(range.upperBound, start + geometry.regionSize) - start
            let last = Int((end - 1) / geometry.granularity)
            if first == 0, last == geometry.blocks(inRegion: region) - 1 {
                insertWhole(region)
                continue
            }
            let place = self.place(region)
            if first >> 6 == last >> 6 {
                words[place + first >> 6] |= (.max >> UInt64(63 - (last - first))) << UInt64(first & 63)
                continue
            }
            words[place + first >> 6] |= .max << UInt64(first & 63)
            for word in first >> 6 + 1..<last >> 6 { words[place + word] = .max }
            words[place + last >> 6] |= .max >> UInt64(63 - last & 63)
        }
    }

    mutating func insertWhole(_ region: Int) {
        if places[region] != 0, places[region] != Self.all { free.append(places[region]) }
        places[region] = Self.all
    }

    /// Adds the blocks of a region by their bits; bits beyond the disk's end are ignored.
    mutating func insert(_ bits: some Collection<UInt64>, inRegion region: Int) {
        if places[region] == Self.all { return }
        let place = self.place(region)
        var rest = geometry.blocks(inRegion: region)
        for (word, bits) in bits.enumerated() where rest > 0 {
            words[place + word] |= rest >= 64 ? bits : bits & (1 << UInt64(rest) - 1)
            rest -= 64
        }
    }

    mutating func formUnion(_ other: FineMap) {
        for region in 0..<geometry.regionCount {
            switch other.isWhole(region) {
            case nil: continue
            case true: insertWhole(region)
            case false: insert(other.words(ofRegion: region), inRegion: region)
            }
        }
    }

    private mutating func place(_ region: Int) -> Int {
        if places[region] == 0 {
            if let place = free.popLast() {
                places[region] = place
                let start = Int(place - 1) * geometry.wordsPerRegion
                for word in start..<start + geometry.wordsPerRegion { words[word] = 0 }
            } else {
                places[region] = UInt32(words.count / geometry.wordsPerRegion) + 1
                words.append(contentsOf: repeatElement(0, count: geometry.wordsPerRegion))
            }
        }
        return Int(places[region] - 1) * geometry.wordsPerRegion
    }

    /// The blocks of all of `maps` inside `range`, ascending and not touching each other.
    static func ranges(_ maps: [FineMap], in range: Range<Int64>) -> [Range<Int64>] {
        guard let geometry = maps.first?.geometry else { return [] }
        var ranges: [Range<Int64>] = []
        func add(_ start: Int64, _ end: Int64) {
            let part = (start..<min(end, geometry.size)).clamped(to: range)
            if part.isEmpty { return }
            if let last = ranges.last, last.upperBound == part.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<part.upperBound
            } else {
                ranges.append(part)
            }
        }
        var bits = [UInt64](repeating: 0, count: geometry.wordsPerRegion)
        for region in geometry.regions(range) {
            var place: UInt32 = 0
            for map in maps { place |= map.places[region] }
            if place == 0 { continue }
            let touching = maps.filter { $0.places[region] != 0 }
            let start = Int64(region) * geometry.regionSize
            if touching.contains(where: { $0.places[region] == all }) {
                add(start, start + geometry.regionSize)
                continue
            }
            for word in bits.indices { bits[word] = 0 }
            for map in touching {
                for (word, some) in map.words(ofRegion: region).enumerated() { bits[word] |= some }
            }
            for (word, some) in bits.enumerated() {
                var rest = some
                while rest != 0 {
                    let first = rest.trailingZeroBitCount
                    let count = (~(rest >> UInt64(first))).trailingZeroBitCount
                    let block = Int64(word * 64 + first)
                    add(
                        start + block * geometry.granularity, start + (block + Int64(count)) * geometry.granularity)
                    if first + count >= 64 { break }
                    rest &= .max << UInt64(first + count)
                }
            }
        }
        return ranges
    }
}

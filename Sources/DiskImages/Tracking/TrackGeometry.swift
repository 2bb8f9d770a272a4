import Files

/// How a disk is divided for tracking: into blocks, which a fine map tells apart, and regions of whole blocks, which the
/// coarse map tells apart.
struct TrackGeometry: Hashable, Sendable {
    /// Of the disk, bytes.
    let size: Int64
    /// Bytes of a block, a power of two from 4 KiB to 1 MiB.
    let granularity: Int64
    /// Bytes of a region, a power of two.
    let regionSize: Int64

    /// A PiB is more than any image format holds; the coarse map has 2^20 regions at most, 128 KiB.
    static let greatestSize: Int64 = 1 << 50
    static let greatestRegionCount = 1 << 20

    init(size: Int64, granularity: Int64) {
        (self.size, self.granularity) = (size, granularity)
        // Small regions cost a flush each, large ones copying after a crash: 1 MiB for a disk of 4 GiB, 16 MiB from 64 GiB on.
        var region: Int64 = 1 << 20
        while region < 16 << 20, size / region > 4096 { region *= 2 }
        while (size + region - 1) / region > Int64(Self.greatestRegionCount) { region *= 2 }
        regionSize = max(region, granularity)
    }

    /// Nil if a file's numbers cannot be a geometry.
    init?(size: Int64, granularity: Int64, regionSize: Int64) {
        self.init(size: size, granularity: granularity)
        guard Self.accepts(size: size, granularity: granularity), self.regionSize == regionSize else { return nil }
    }

    static func accepts(size: Int64, granularity: Int64) -> Bool {
        (0...greatestSize).contains(size) && (4096...1 << 20).contains(granularity)
            && granularity & (granularity - 1) == 0
    }

    var regionCount: Int { Int((size + regionSize - 1) / regionSize) }
    var blocksPerRegion: Int { Int(regionSize / granularity) }
    var wordsPerRegion: Int { (blocksPerRegion + 63) / 64 }
    /// Sectors of one coarse map in the file.
    var coarseSectors: Int { max(1, (regionCount + TrackSector.regions - 1) / TrackSector.regions) }

    /// The regions that a part of the disk touches.
    func regions(_ range: Range<Int64>) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        return Int(range.lowerBound / regionSize)..<Int((range.upperBound - 1) / regionSize) + 1
    }

    /// Blocks of a region, fewer in the last one.
    func blocks(inRegion region: Int) -> Int {
        let start = Int64(region) * regionSize
        return Int((min(regionSize, size - start) + granularity - 1) / granularity)
    }
}

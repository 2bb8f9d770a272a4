import DiskImages
import Files

/// What a machine's disks held at some moment, by what its guest had written.
struct DiskContent {
    let real: RealMachine
    let history: GuestHistory
    /// Page files stay as they were when last everything travelled.
    let pageFile: GuestHistory
    private let placeOf: [RealMachine.Place: Int]

    init(_ real: RealMachine, _ history: GuestHistory, pageFile: GuestHistory) {
        (self.real, self.history, self.pageFile) = (real, history, pageFile)
        var placeOf: [RealMachine.Place: Int] = [:]
        for (index, place) in real.places.enumerated() { placeOf[place] = index }
        self.placeOf = placeOf
    }

    /// Bytes of a block that lie on the disk.
    func count(_ disk: Int, _ block: Int64) -> Int {
        Int(min(Int64(BlockContent.size), real.disks[disk].size - block * Int64(BlockContent.size)))
    }

    func blocks(_ disk: Int) -> Range<Int64> {
        0..<(real.disks[disk].size + Int64(BlockContent.size) - 1) / Int64(BlockContent.size)
    }

    /// Of every place, the version that a recovery point has.
    var versions: [UInt64] { real.places.indices.map(version(ofPlace:)) }

    /// The version that the guest had written of a place; 0 where it never wrote.
    func version(ofPlace place: Int) -> UInt64 {
        place < real.pageFile ? pageFile.versions[place] : history.versions[place]
    }

    /// Fills `buffer`, of `count` bytes, with what a block held.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, _ disk: Int, _ block: Int64) throws(StorageFault) {
        if let place = placeOf[RealMachine.Place(disk: disk, block: block)] {
            let version = version(ofPlace: place)
            if version > 0 { return real.content.fill(buffer, block: Int64(place), version: version) }
        }
        if let origin = real.origins[disk] {
            try origin.read(into: buffer, at: block * Int64(BlockContent.size))
        } else {
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}

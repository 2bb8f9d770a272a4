import DiskImages
import Files
import Tape

/// A disk of a recovery point, as a file of a set on tape.
struct PointFile: SetFile {
    let name: String
    let modified: Int64
    private let device: any BlockDevice
    /// Where there may be other bytes than zeros.
    private let data: [Range<Int64>]
    /// Bytes are asked for where they lie a GiB at a time.
    private static let stride: Int64 = 1 << 30

    init(_ device: any BlockDevice, name: String, modified: Int64) throws(StorageFault) {
        (self.device, self.name, self.modified) = (device, name, modified)
        var data: [Range<Int64>] = []
        var from: Int64 = 0
        while from < device.size {
            let part = from..<min(device.size, from + Self.stride)
            data += try device.allocatedRanges(in: part)
            from = part.upperBound
        }
        self.data = data
    }

    var size: Int64 { device.size }

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        var (low, high) = (0, data.count)
        while low < high {
            let middle = (low + high) / 2
            if data[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low < data.count ? max(offset, data[low].lowerBound)..<data[low].upperBound : nil
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try device.read(into: buffer, at: offset)
    }

    /// The same disk without its last run of data; only a planted fault does that.
    var withoutEnd: PointFile { PointFile(device, name, modified, Array(data.dropLast())) }

    private init(_ device: any BlockDevice, _ name: String, _ modified: Int64, _ data: [Range<Int64>]) {
        (self.device, self.name, self.modified, self.data) = (device, name, modified, data)
    }

    /// How far one has come in `files`, holes included, when so many bytes of data lie behind.
    static func place(in files: [PointFile], behind wanted: Int64) -> Int64 {
        var (left, before) = (wanted, Int64(0))
        for file in files {
            for run in file.data {
                let count = run.upperBound - run.lowerBound
                if count >= left { return before + run.lowerBound + left }
                left -= count
            }
            before += file.size
        }
        return before
    }
}

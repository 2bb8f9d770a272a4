import DiskImages
import Files
import Protection
import Units

/// Makes the files of a real machine before the run begins.
struct MachineMaker {
    let world: World
    let seed: UInt64
    let folder: String
    let access: ImageAccess
    private static let block = Int64(BlockContent.size)

    /// Faults: `ENGINE-IMAGE`, and those of images.
    func make(_ ref: Ref<Machine>, _ real: RealData) throws(StorageFault) -> RealMachine {
        let machine = world.machines[ref]
        let home = folder + "/" + RealPlane.fileName(machine.name, Int(ref.index))
        try access.files.makeFolder(home)
        var disks: [MachineDisk] = []
        var origins: [DiskImage?] = []
        var (used, unused): ([RealMachine.Place], [RealMachine.Place]) = ([], [])
        var imageBlocks: [RealMachine.Place] = []
        var pageFilePlaces: Int?
        for disk in machine.disks where disk.format != .passThrough {
            let name = "disk\(disks.count)"
            let index = disks.count
            let path: String
            if index == 0, let kind = real.fileSystem {
                let made = try GuestDiskMaker(
                    kind: kind, size: disk.size.count / real.scale, used: disk.used.count / real.scale,
                    pageFile: machine.pageFile.count / real.scale, machine: machine.name, folder: home,
                    content: BlockContent(seed: seed, machine: -1 - ref.index, compressibility: 1)
                ).make(by: access)
                used = (made.pageFile + made.data).map { RealMachine.Place(disk: 0, block: $0) }
                pageFilePlaces = made.pageFile.count
                let writable = Set(made.pageFile + made.data)
                imageBlocks = try blocks(of: made.image).filter { !writable.contains($0) }.map {
                    RealMachine.Place(disk: 0, block: $0)
                }
                path = try copyOnWrite(made.image, disk.format, home + "/" + name)
                origins.append(made.image)
            } else if index == 0, let image = real.image {
                let origin = try open(image, machine)
                let taken = try blocks(of: origin)
                imageBlocks = taken.map { RealMachine.Place(disk: 0, block: $0) }
                let occupied = Set(taken)
                for block in 0..<origin.size / Self.block where !occupied.contains(block) {
                    unused.append(RealMachine.Place(disk: 0, block: block))
                }
                path = try copyOnWrite(origin, disk.format, home + "/" + name)
                origins.append(origin)
            } else {
                let size = max(1, disk.size.count / real.scale / Self.block) * Self.block
                let format: ImageFormat = disk.format == .vhd ? .vhd : .vhdx
                path = "\(home)/\(name).\(format)"
                try ImageConversion(
                    MemoryDevice(size: size), to: path,
                    as: NewImage(format: format, size: size, blockSize: 2 << 20)
                ).run(on: access.files, guids: access.guids, created: 0)
                let count = min(size / Self.block, disk.used.count / real.scale / Self.block)
                for block in 0..<size / Self.block {
                    let place = RealMachine.Place(disk: index, block: block)
                    if block < count { used.append(place) } else { unused.append(place) }
                }
                origins.append(nil)
            }
            disks.append(
                try MachineDisk(
                    name, image: path, machine: machine.name, hasRCT: world.tracksWithRCT(ref, on: machine.host),
                    by: access))
        }
        let places = used + unused
        let unit = Self.block * real.scale
        let working = min(
            places.count, max(Int(machine.churn.workingSet.count / unit), machine.churn.perDay > .zero ? 1 : 0))
        let writes = GuestWrites(
            seed: seed, machine: ref.index, workingSet: max(working, pageFilePlaces ?? 0), initial: used.count,
            limit: places.count, firstVersion: real.fileSystem == nil ? 1 : 0)
        let made = RealMachine(
            name: machine.name, home: home, disks: disks, places: places, writes: writes,
            content: BlockContent(seed: seed, machine: ref.index, compressibility: machine.compressibility.value),
            pageFile: pageFilePlaces ?? (real.image == nil ? min(working, Int(machine.pageFile.count / unit)) : 0),
            hasFileSystem: real.fileSystem != nil || real.image != nil, imageBlocks: imageBlocks, origins: origins)
        try made.begin()
        return made
    }

    private func open(_ path: String, _ machine: Machine) throws(StorageFault) -> DiskImage {
        let image = try DiskImage.open(path, by: access)
        guard image.size <= RealData.largestDisk, image.size % Self.block == 0 else {
            throw StorageFault(
                .badInput, "ENGINE-IMAGE", path,
                "it has \(image.size) bytes and cannot be the disk of machine \(machine.name)",
                action: "Name an image of whole blocks of 64 KiB and at most \(Bytes(RealData.largestDisk))")
        }
        return image
    }

    /// Blocks of an image that are not zeros, ascending.
    private func blocks(of image: DiskImage) throws(StorageFault) -> [Int64] {
        var found: [Int64] = []
        let buffer = Buffer(count: BlockContent.size)
        let bytes = buffer[0..<BlockContent.size]
        for range in try image.allocatedRanges(in: 0..<image.size) {
            let first = max(range.lowerBound / Self.block, (found.last ?? -1) + 1)
            let last = (range.upperBound - 1) / Self.block
            guard first <= last else { continue }
            for block in first...last {
                try image.read(into: bytes, at: block * Self.block)
                if bytes.contains(where: { $0 != 0 }) { found.append(block) }
            }
        }
        return found
    }

    /// A child of the image, which is never modified; of a raw file, which can have no children, a copy.
    private func copyOnWrite(
        _ image: DiskImage, _ format: VirtualDisk.Format, _ stem: String
    ) throws(StorageFault) -> String {
        if image.format != .raw {
            let path = "\(stem).\(image.format)"
            return try DiskImage.checkpoint(image.path, child: path, by: access, created: 0)
        }
        let target: ImageFormat = format == .vhd ? .vhd : .vhdx
        let path = "\(stem).\(target)"
        try ImageConversion(image, to: path, as: NewImage(format: target, size: image.size, blockSize: 2 << 20)).run(
            on: access.files, guids: access.guids, created: 0)
        return path
    }
}

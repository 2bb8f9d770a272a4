import DiskImages
import Files

/// New disks in the place of a machine's own (REC-2).
///
/// All of them are there, whole and open, before anything else changes; several files cannot get the names of others at once, so each
/// has a name of its own, and the configuration, which gets its place last, says which.
struct OriginalRecovery {
    let real: RealMachine
    /// Of the recovery, for names that nothing has.
    let number: Int32
    let access: ImageAccess
    /// Seconds since 2000-01-01, for formats that note it.
    let created: UInt32

    /// Beside the old one, which may have moved to another volume.
    private func path(_ disk: MachineDisk) -> String { "\(folder(disk))/\(disk.name)-\(number).\(disk.format)" }

    private func folder(_ disk: MachineDisk) -> String { String(disk.path[..<disk.path.lastIndex(of: "/")!]) }

    /// The machine's disks with new ones for those of `devices`, by number; the machine does not have them yet. After a fault nothing
    /// of them is left.
    func make(_ devices: [Int: any BlockDevice]) throws(StorageFault) -> [MachineDisk] {
        var disks = real.disks
        do throws(StorageFault) {
            for (index, old) in real.disks.enumerated() {
                guard let device = devices[index] else { continue }
                let path = path(old)
                // What a recovery left behind that could not even clear up.
                if try access.files.kind(of: path + ".track") == .file { try access.files.remove(path + ".track") }
                var conversion = ImageConversion(
                    device, to: path,
                    as: NewImage(
                        format: old.format, size: device.size, sectorSize: device.sectorSize, blockSize: 2 << 20))
                conversion.replaces = true
                try conversion.run(on: access.files, guids: access.guids, created: created)
                disks[index] = try MachineDisk(
                    old.name, image: path, machine: real.name, hasRCT: old.hasRCT, by: access)
                disks[index].leftovers = old.leftovers
            }
        } catch {
            abandon(disks)
            throw error
        }
        return disks
    }

    /// Takes away what was made.
    func abandon(_ disks: [MachineDisk]) {
        for (index, old) in real.disks.enumerated() {
            if disks[index] !== old { try? disks[index].close() }
            for file in [path(old), path(old) + ".track"] where (try? access.files.kind(of: file)) == .file {
                try? access.files.remove(file)
            }
        }
    }

    /// Takes away what the machine had before `disks`: images, differencing disks, track files. What cannot be removed now is by the next
    /// recovery.
    func clear(replaced: [MachineDisk], keeping disks: [MachineDisk]) {
        for disk in replaced { try? disk.close() }
        let kept = Set(disks.flatMap { [$0.path, $0.path + ".track"] })
        let names = replaced.map(\.name)
        for folder in Set(replaced.map(folder)).sorted() {
            for name in (try? access.files.list(folder)) ?? [] {
                let isOld = names.contains { disk in
                    name.hasPrefix(disk) && name.dropFirst(disk.count).first.map { ".-_".contains($0) } == true
                }
                if isOld, !kept.contains(folder + "/" + name) { try? access.files.remove(folder + "/" + name) }
            }
        }
    }
}

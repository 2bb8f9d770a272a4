import DiskImages
import Files
import Foundation
import Testing

/// A folder of the host that goes when the test is over, and public programs run in it.
final class Scratch {
    let path =
        FileManager.default.temporaryDirectory.path + "/dpmsim-engine-\(ProcessInfo.processInfo.globallyUniqueString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What a program says if it does not end well; nil if it does.
    func complaint(_ words: String...) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.environment = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TZ": "UTC"]
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? nil : "\(words): \(text)"
    }

    /// What the file system's own checker says of a volume.
    func check(_ kind: String, _ volume: String) throws -> String? {
        switch kind {
        case "ntfs": try complaint("ntfsfix", "-n", volume)
        case "fat32": try complaint("fsck.fat", "-n", volume)
        default: try complaint("e2fsck", "-fn", volume)
        }
    }

    func export(_ device: any BlockDevice, to name: String) throws -> String {
        let target = path + "/" + name
        try ImageConversion(device, to: target, as: NewImage(format: .raw, size: device.size)).run(
            on: HostFiles(), guids: SequentialGUIDs(seed: 1), created: 0)
        return target
    }

    /// A disk image of 16 MiB with some blocks in it.
    func image(_ format: String) throws -> String {
        let image = "\(path)/mine.\(format)"
        let memory = MemoryDevice(size: 16 << 20)
        for block in 3...40 {
            try memory.write([UInt8](repeating: UInt8(block), count: 65_536), at: Int64(block) << 16)
        }
        let kind = try #require(ImageFormat(rawValue: format))
        try ImageConversion(memory, to: image, as: NewImage(format: kind, size: 16 << 20)).run(
            on: HostFiles(), guids: SequentialGUIDs(seed: 1), created: 0)
        return image
    }
}

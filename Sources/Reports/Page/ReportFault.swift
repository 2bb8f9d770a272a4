import Foundation

/// Why a report could not be written: the file it concerns, the cause, and what to do.
public struct ReportFault: Error, Hashable, Sendable, CustomStringConvertible {
    public let object: String
    public let cause: String
    public let action: String

    init(_ object: String, _ cause: String) {
        (self.object, self.cause) = (object, cause)
        action = "Choose a directory that can be written and has room"
    }
    public var description: String { "\(object): \(cause). \(action)." }

    static func cause(_ error: any Error) -> String {
        guard let error = error as? CocoaError else { return "\(error)" }
        switch error.code {
        case .fileWriteNoPermission: return "permission is denied"
        case .fileWriteOutOfSpace: return "the disk is full"
        case .fileWriteVolumeReadOnly: return "the file system is read-only"
        case .fileNoSuchFile, .fileReadNoSuchFile: return "there is no such directory"
        case .fileWriteFileExists: return "a file of that name is in the way"
        default: return "it cannot be written (error \(error.code.rawValue))"
        }
    }
}

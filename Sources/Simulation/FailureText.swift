/// Short causes of the errors the simulation raises, as the jobs view words them. Source: dpm-facts, section 7.
enum FailureText {
    static func of(_ error: Int32) -> String {
        switch error {
        case 0: "no error"
        case 41: "the computer was unreachable"
        case 58: "the replica volume was full"
        case 91, 109: "the replica was inconsistent"
        case 93: "the replica was still being created"
        case 97: "a consistency check was running"
        case 910: "the DPM engine ended while the job ran"
        case 976: "the DPM server was down"
        case 214: "there was no space for the recovery point"
        case 3120, 31208: "the replica's volume was missing"
        case 10103: "the machine has no SCSI controller, so it cannot be backed up online"
        case 24019: "the drive needs service"
        case 24050: "no usable tape was in the library"
        case 24052: "no usable drive was in the library"
        case 24073: "no certificate was in the backup store"
        case 30111: "the VSS writer or provider was in a bad state"
        case 30115: "the volume had no room for the differencing disk"
        case 30125: "the backup before was still running"
        case 30126: "there was no valid recovery point on disk"
        case 30149: "the node crashed; change tracking is lost"
        case 30155: "the node crashed while it ran"
        case 30159: "the cluster failed over"
        case 30224: "there was no valid recovery point for the online backup"
        case 32620: "the machine was in live migration"
        case 33400, 33402: "the machine moved and VMM could not tell where"
        case 33440: "the backup window closed"
        case 33510: "no volume had room"
        case 33511, 33515: "the pool volume was full"
        default: "error \(error)"
        }
    }
}

/// The alerts DPM raises, by its ids. Sources: dpm-facts 1.5 for id, severity and what clears them; 7 for the actions.
public enum AlertKind: Int32, CaseIterable, Sendable, Hashable {
    case replicaVolumeThreshold = 3100
    case replicaMissing = 3101
    case catalogMissing = 3103
    case consistencyCheckRunning = 3104
    case replicaCreationInProgress = 3105
    case replicaInconsistent = 3106
    case agentOwnershipRequired = 3107
    case recoveryInProgress = 3109
    case recoveryPartlySuccessful = 3110
    case recoveryFailed = 3111
    case recoverySuccessful = 3112
    case recoveryPointFailed = 3114
    case synchronizationFailed = 3115
    case stopProtectionFailed = 3116
    case manualLoadPending = 3118
    case replicaCreationScheduled = 3119
    case diskMissing = 3120
    case agentIncompatible = 3121
    case agentUnreachable = 3122
    case throttlingNotWorking = 3124
    case corruptionRead = 3129
    case configureProtectionFailed = 3161
    case pointVolumeThreshold = 3169
    case jobNotStarted = 3170
    case recoveredToOtherHost = 3182
    case backupSLAMissed = 3183
    case ownedByOtherServer = 3184
    case parallelBackupLimit = 3185
    case parallelRecoveryLimit = 3186
    case libraryUnavailable = 3301
    case libraryInefficient = 3302
    case driveNotFunctioning = 3303
    case tapeDecommissioned = 3304
    case freeTapeThreshold = 3305
    case tapeEraseFailed = 3308
    case tapeCopyFailed = 3310
    case tapeBackupFailed = 3311
    case tapeCatalogNotBuilt = 3312
    case tapeNeeded = 3314
    case detailedInventoryFailed = 3316
    case certificateExpiring = 24058
    case certificateExpired = 24059
    case datasourceGuidance = 32582
    case replicaSizeGuidance = 32584
    case pointSizeGuidance = 32585
    case autoGrowDone = 33143
    case autoGrowFailed = 33144
    case vmmUnreachable = 33400
    case machineNotManaged = 33402
    case backupOutsideWindow = 33440
    case checkOutsideWindow = 33441
    case slaMissed = 33442
    case poolVolumeThreshold = 33514
    case poolVolumeFull = 33515
    case poolVolumeMissing = 33518

    /// DPM's id.
    public var id: Int32 { rawValue }

    /// How grave it is.
    public var severity: Severity {
        switch self {
        case .replicaMissing, .replicaInconsistent, .recoveryFailed, .recoveryPointFailed, .synchronizationFailed,
            .stopProtectionFailed, .diskMissing, .agentIncompatible, .agentUnreachable, .libraryUnavailable,
            .corruptionRead, .tapeCopyFailed, .tapeBackupFailed, .certificateExpired, .poolVolumeFull,
            .poolVolumeMissing:
            .critical
        case .replicaCreationInProgress, .recoveryInProgress, .recoverySuccessful, .manualLoadPending,
            .replicaCreationScheduled, .recoveredToOtherHost, .parallelBackupLimit, .parallelRecoveryLimit,
            .autoGrowDone:
            .information
        default: .warning
        }
    }

    /// The alert's name in the console.
    public var title: String {
        switch self {
        case .replicaVolumeThreshold: "Replica volume threshold exceeded"
        case .replicaMissing: "Replica missing"
        case .catalogMissing: "Catalog information missing"
        case .consistencyCheckRunning: "Consistency check in progress"
        case .replicaCreationInProgress: "Replica creation in progress"
        case .replicaInconsistent: "Replica is inconsistent"
        case .agentOwnershipRequired: "Agent ownership required"
        case .recoveryInProgress: "Recovery in progress"
        case .recoveryPartlySuccessful: "Recovery partly successful"
        case .recoveryFailed: "Recovery failed"
        case .recoverySuccessful: "Recovery successful"
        case .recoveryPointFailed: "Recovery point creation failed"
        case .synchronizationFailed: "Synchronization failed"
        case .stopProtectionFailed: "Stop protection failed"
        case .manualLoadPending: "Manual replica creation pending"
        case .replicaCreationScheduled: "Replica creation scheduled"
        case .diskMissing: "Pool disk missing"
        case .agentIncompatible: "Agent incompatible"
        case .agentUnreachable: "Agent unreachable"
        case .throttlingNotWorking: "Network bandwidth usage throttling not working"
        case .corruptionRead: "Data corruption detected during a read"
        case .configureProtectionFailed: "Configuration of protection failed"
        case .pointVolumeThreshold: "Recovery point volume threshold exceeded"
        case .jobNotStarted: "A job could not be started"
        case .recoveredToOtherHost: "Machine recovered to another host"
        case .backupSLAMissed: "Backup SLA missed"
        case .ownedByOtherServer: "Data is owned by another DPM server"
        case .parallelBackupLimit: "Parallel backup limit reached"
        case .parallelRecoveryLimit: "Parallel recovery limit reached"
        case .libraryUnavailable: "Library unavailable"
        case .libraryInefficient: "Library not working efficiently"
        case .driveNotFunctioning: "Tape drive not functioning"
        case .tapeDecommissioned: "Tape decommissioned"
        case .freeTapeThreshold: "Free tape threshold reached"
        case .tapeEraseFailed: "Tape erase failed"
        case .tapeCopyFailed: "Tape copy failed"
        case .tapeBackupFailed: "Backup to tape failed"
        case .tapeCatalogNotBuilt: "Tape catalog not built"
        case .tapeNeeded: "A tape is needed that is not in the library"
        case .detailedInventoryFailed: "Detailed inventory failed"
        case .certificateExpiring: "Encryption certificate about to expire"
        case .certificateExpired: "Encryption certificate expires now"
        case .datasourceGuidance: "More datasources than guidance"
        case .replicaSizeGuidance: "More replica data than guidance"
        case .pointSizeGuidance: "More recovery point data than guidance"
        case .autoGrowDone: "Volume was grown automatically"
        case .autoGrowFailed: "Volume could not be grown automatically"
        case .vmmUnreachable: "VMM server cannot be reached"
        case .machineNotManaged: "Machine is not managed by a known VMM server"
        case .backupOutsideWindow: "Backup cancelled at the end of its window"
        case .checkOutsideWindow: "Consistency check cancelled at the end of its window"
        case .slaMissed: "Backup SLA missed"
        case .poolVolumeThreshold: "Storage volume threshold exceeded"
        case .poolVolumeFull: "Storage volume is out of space"
        case .poolVolumeMissing: "Storage volume missing"
        }
    }

    /// The recommended action.
    public var action: String {
        switch self {
        case .replicaVolumeThreshold: "Grow the replica volume, or free space on it"
        case .replicaMissing: "Bring the disk of the pool back, or reallocate the replica"
        case .catalogMissing: "Wait for the next full backup"
        case .consistencyCheckRunning: "None: the alert ends with the check"
        case .replicaCreationInProgress: "None: the alert ends with the creation"
        case .replicaInconsistent: "Run a consistency check"
        case .agentOwnershipRequired: "Take ownership of the computer"
        case .recoveryInProgress: "None: the alert ends with the recovery"
        case .recoveryPartlySuccessful: "Recover the failed items again"
        case .recoveryFailed: "See the cause in the job, then recover again"
        case .recoverySuccessful: "None: the alert goes after three days"
        case .recoveryPointFailed: "See the cause in the job; the next recovery point made ends the alert"
        case .synchronizationFailed: "See the cause in the job; the next backup made ends the alert"
        case .stopProtectionFailed: "Stop protection again"
        case .manualLoadPending: "Load the data from the media, then run a consistency check"
        case .replicaCreationScheduled: "None: the creation starts at its time"
        case .diskMissing: "Bring the disk back, then rescan"
        case .agentIncompatible: "Update the protection agent"
        case .agentUnreachable: "Check power, network and firewall of the computer"
        case .throttlingNotWorking: "Install the QoS packet scheduler on the computer"
        case .corruptionRead: "Check the disks of the pool; recover from points that are not damaged, or from copies"
        case .configureProtectionFailed: "See the cause in the job, then run the wizard again"
        case .pointVolumeThreshold: "Grow the recovery point volume"
        case .jobNotStarted: "Start it again"
        case .recoveredToOtherHost: "Check its configuration, and connect its network adapters"
        case .backupSLAMissed: "See why the last backups failed or came late"
        case .ownedByOtherServer: "Claim it, or leave it to that server"
        case .parallelBackupLimit: "None: the waiting backups start as places come free"
        case .parallelRecoveryLimit: "None: the waiting recoveries start as places come free"
        case .libraryUnavailable: "Check power and cables of the library, then rescan"
        case .libraryInefficient: "Rescan the library"
        case .driveNotFunctioning: "Have the drive serviced"
        case .tapeDecommissioned: "Remove the tape from the library"
        case .freeTapeThreshold: "Add free tapes to the library"
        case .tapeEraseFailed: "Erase the tape again"
        case .tapeCopyFailed: "Copy again"
        case .tapeBackupFailed: "See the cause in the job, then create a recovery point on tape"
        case .tapeCatalogNotBuilt: "Recatalog the tape"
        case .tapeNeeded: "Load the tape, then continue the job"
        case .detailedInventoryFailed: "Run the inventory again"
        case .certificateExpiring: "Put a new certificate into the backup store"
        case .certificateExpired: "Put a new certificate into the backup store"
        case .datasourceGuidance: "Add a DPM server"
        case .replicaSizeGuidance: "Add a DPM server"
        case .pointSizeGuidance: "Add a DPM server"
        case .autoGrowDone: "None"
        case .autoGrowFailed: "Add a disk to the pool, or grow the volume by hand"
        case .vmmUnreachable: "Start the VMM server and the DPM-VMM Helper Service"
        case .machineNotManaged: "Add its host to a VMM cloud"
        case .backupOutsideWindow: "Widen the window, or stagger the backups"
        case .checkOutsideWindow: "Widen the window, or run the check by hand"
        case .slaMissed: "See why the last backups failed or came late"
        case .poolVolumeThreshold: "Expand the volume, or move datasources to another"
        case .poolVolumeFull: "Expand the volume, or remove recovery points"
        case .poolVolumeMissing: "Bring the volume back, then rescan"
        }
    }
}

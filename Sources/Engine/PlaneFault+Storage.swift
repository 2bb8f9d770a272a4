import Files
import Jobs

extension PlaneFault {
    /// What DPM would say of it (dpm-facts 7). Faults without an error of their own are 104, whose sub-code carries the truth.
    init(_ fault: StorageFault) {
        let error: Int32 =
            switch fault.kind {
            case .outOfSpace: fault.id.hasPrefix("POOL") || fault.object.contains("/pools/") ? 33511 : 30115
            case .missing: 31208
            case .badInput, .damaged, .readOnly, .permission, .busy, .device: 104
            }
        self.init(error: error, cause: fault.description)
    }
}

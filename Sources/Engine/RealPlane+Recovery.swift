public import Jobs
import Protection
public import Units

/// What recoveries ask of real machines.
extension RealPlane {
    public func recoverable(_ order: RecoveryOrder) throws(PlaneFault) -> Bytes {
        used(order.request.machine, at: order.point)
    }
}

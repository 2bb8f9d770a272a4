import Engine
import Testing
@Suite("real machines in a run") struct RealRunTests {}

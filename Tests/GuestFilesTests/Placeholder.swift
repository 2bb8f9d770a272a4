import Testing
@Suite("x") struct XTests {}

public import MemoryUnits

/// How far a child may go that touches memory.
public struct TouchLimits: Hashable, Sendable {
  /// Nodes whose memory is touched.
  public var nodes: [NodeID]
  /// Memory that must stay available on each node; nil for the default of the node.
  public var margin: ByteCount?
  /// The longest that it may take; nil for no end.
  public var time: Duration?
  /// The share of time, in percent, that tasks may have waited for memory in the last ten seconds.
  public var pressure: UInt64 = 10
  /// Memory that is taken between two looks at the limits.
  public var chunk = ByteCount.mebibytes(64)

  public init(nodes: [NodeID], margin: ByteCount? = nil, time: Duration? = nil) {
    self.nodes = nodes
    self.margin = margin
    self.time = time
  }
}

/// What a child came to.
public struct TouchReport: Hashable, Sendable {
  /// Why it touched no more. The raw values pass from the child to its parent.
  public enum End: String, Sendable, Hashable {
    /// The kernel has handed over everything.
    case handedOver
    case margin, pressure
    /// The control group allows no more.
    case group
    case time
    case interrupted
    /// The kernel gave no more memory.
    case noMemory
  }

  public let touched: ByteCount
  public let end: End

  public init(touched: ByteCount, end: End) {
    self.touched = touched
    self.end = end
  }
}

public enum TouchError: Error, Hashable, Sendable {
  /// No child could be started; an error number, or 0 where this host has no means to.
  case notStarted(code: Int32)
  /// The child ended before it could tell what it did: the kernel may have ended it to free memory.
  case ended(status: Int32)
}

extension TouchReport.End {
  /// For people, after "touched so much,".
  public var description: String {
    switch self {
    case .handedOver: "and everything was handed over"
    case .margin: "and stopped at a node's margin"
    case .pressure: "and stopped since tasks waited for memory"
    case .group: "and stopped at the limit of its control group"
    case .time: "and stopped as the time was over"
    case .interrupted: "and was stopped"
    case .noMemory: "and the kernel gave no more"
    }
  }
}

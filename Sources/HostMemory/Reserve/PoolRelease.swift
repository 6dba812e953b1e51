public import MemoryUnits
public import PhysicalLayout

/// Gives unused pages of pools back to the host.
public struct PoolRelease {
  /// One pool that shrinks.
  public struct Part: Hashable, Sendable {
    public let files: HugePoolFiles
    public let from: HugePageCount
    public let to: HugePageCount
  }

  /// One request, and what can be done of it.
  public struct Plan: Hashable, Sendable {
    public let request: PoolRequest
    public let asked: HugePageCount
    public let parts: [Part]

    public var released: HugePageCount { parts.reduce(.zero) { $0 + ($1.from - $1.to) } }
  }

  /// What came of a plan.
  public struct Report: Sendable {
    public internal(set) var pools: [PoolChange] = []
    public internal(set) var stop: ReserveStop?

    public func released(_ size: PageSize) -> HugePageCount {
      pools.filter { $0.files.size == size }.reduce(.zero) { $0 + $1.before.saturatingSubtracting($1.after) }
    }
  }

  public let plans: [Plan]

  /// Finds unused pages, the nodes with most of them first. The amount of each request is how many go, not how many stay.
  public init(_ requests: [PoolRequest], of root: Sysroot) throws(ReserveError) {
    let pools: [HugePool]
    do throws(HostFileError) {
      pools = try HugePool.all(of: root, baseShift: try HostReports.baseShift(of: root))
    } catch {
      throw .stop(.host(error))
    }
    do throws(PoolRequestError) { plans = try Self.plans(requests, pools) } catch { throw .request(error) }
  }

  private static func plans(_ requests: [PoolRequest], _ pools: [HugePool]) throws(PoolRequestError) -> [Plan] {
    let places = PoolPlaces(pools)
    // The same checks as for a reservation; the goals themselves are not needed.
    _ = try PoolGoal.resolve(requests, isEven: false, places: places, before: [:])
    return requests.map { request in
      let asked =
        switch request.amount {
        case .total(let count), .more(let count): count
        }
      let host = pools.first { $0.size == request.size && $0.node == nil }
      let here = pools.filter { places.places(of: request.size, on: request.node).contains($0.files) }
      // The host knows how many of all free pages are promised, not where.
      var left = min(asked, host?.unused ?? asked)
      var parts: [Part] = []
      for pool in here.sorted(by: { ($1.free, $0.node?.rawValue ?? 0) < ($0.free, $1.node?.rawValue ?? 0) }) {
        let count = min(left, pool.free, pool.persistent)
        left -= count
        if count > .zero { parts.append(Part(files: pool.files, from: pool.persistent, to: pool.persistent - count)) }
      }
      return Plan(request: request, asked: asked, parts: parts)
    }
  }

  /// Shrinks the pools, each read again before it is written.
  public func run(through host: any HostControl) -> Report {
    var report = Report()
    for part in plans.flatMap(\.parts) {
      do throws(ReserveStop) {
        if host.isInterrupted { throw .interrupted }
        let found = try read(part.files, host.root)
        guard found == part.from else {
          throw .otherWriter(path: part.files.totalPath, expected: part.from, found: found)
        }
        try write(part, host)
        report.pools.append(PoolChange(files: part.files, before: part.from, after: try read(part.files, host.root)))
      } catch {
        report.stop = error
        return report
      }
    }
    return report
  }

  private func read(_ files: HugePoolFiles, _ root: Sysroot) throws(ReserveStop) -> HugePageCount {
    do throws(HostFileError) { return try files.read(of: root).persistent } catch { throw .host(error) }
  }

  private func write(_ part: Part, _ host: any HostControl) throws(ReserveStop) {
    do throws(HostWriteError) {
      try part.files.setPersistent(part.to, through: host)
    } catch {
      throw .write(error)
    }
  }
}

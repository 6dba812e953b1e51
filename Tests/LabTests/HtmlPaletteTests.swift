import Foundation
import Lab
import Testing

/// The colours of the map, as people see them who see fewer colours (the simulation of Machado, Oliveira and Fernandes).
struct HtmlPaletteTests {
  private static let sights: [(String, [[Double]])] = [
    ("all colours", [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ("no red", [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    ("no green", [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    ("no blue", [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
  ]

  /// Lightness and two hues, whose distances are about as large as they look.
  private func perceived(_ colour: [Double], _ sight: [[Double]]) -> [Double] {
    let linear = colour.map { $0 / 255 }.map { $0 <= 0.04045 ? $0 / 12.92 : pow(($0 + 0.055) / 1.055, 2.4) }
    let seen = sight.map { row in min(max(zip(row, linear).reduce(0) { $0 + $1.0 * $1.1 }, 0), 1) }
    func sum(_ red: Double, _ green: Double, _ blue: Double) -> Double { red * seen[0] + green * seen[1] + blue * seen[2] }
    func curve(_ value: Double) -> Double { value > 0.008856 ? cbrt(value) : 7.787 * value + 16.0 / 116 }
    let x = curve(sum(0.4124, 0.3576, 0.1805) / 0.9505)
    let y = curve(sum(0.2126, 0.7152, 0.0722))
    let z = curve(sum(0.0193, 0.1192, 0.9505) / 1.089)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
  }

  @Test func kindsCanBeToldApart() throws {
    let page = HTMLReport(HtmlTraces.empty()).text
    let number = #"\[(\d+), (\d+), (\d+)\]"#
    let rows = page.matches(of: try Regex(#"(\w+): \["[^"]+", "# + number + ", " + number))
    var kinds: [(name: String, colours: [[Double]])] = []
    for row in rows {
      let parts = (2...7).map { Double(row.output[$0].substring ?? "") ?? -1 }
      kinds.append((String(row.output[1].substring ?? ""), [Array(parts[0..<3]), Array(parts[3..<6])]))
    }
    #expect(Set(kinds.map(\.name)) == Set(RunTrace.Owner.Kind.allCases.map(\.rawValue)))
    for (sight, matrix) in Self.sights {
      for look in 0..<2 {
        for (index, one) in kinds.enumerated() {
          for other in kinds[..<index] {
            let pairs = zip(perceived(one.colours[look], matrix), perceived(other.colours[look], matrix))
            let distance = pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
            #expect(distance >= 12, "\(one.name) and \(other.name), seen with \(sight), \(look == 0 ? "light" : "dark")")
          }
        }
      }
    }
  }
}

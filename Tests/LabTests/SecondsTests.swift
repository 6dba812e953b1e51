import Lab
import Testing

struct SecondsTests {
  @Test(arguments: [
    ("90s", 90, "90s"), ("15m", 900, "15m"), ("1d12h", 129_600, "36h"), ("7d", 604_800, "7d"), ("120", 120, "2m"),
  ])
  func asPeopleWriteThem(_ text: String, _ seconds: UInt64, _ printed: String) throws {
    let value = try #require(Seconds(parsing: text))
    #expect(value.rawValue == seconds)
    #expect(value.description == printed)
  }

  @Test(arguments: ["", "h", "5x", "1h30", "-1s", "99999999999999999999d", "213503982334602d"])
  func whatIsNone(_ text: String) { #expect(Seconds(parsing: text) == nil) }
}

import Testing

/// Protection and advice.
@Suite struct ProtectTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func protectionComesAndGoes(_ at: HugeCase) throws {
    try at.run(
      """
      pool 5                        | 5 5 0 0
      space p                       | 5 5 0 0
      p map a 3                     | 5 5 3 0
      p write a 0..2                | 5 3 1 0
      p protect a 0..3 r            | 5 3 1 0
      p read a 0..2                 | 5 3 1 0
      p write a 0 !protection       | 5 3 1 0
      p write a 2 !protection       | 5 3 1 0
      p read a 2                    | 5 2 0 0
      p protect a 1..2 -            | 5 2 0 0
      p read a 1 !protection        | 5 2 0 0
      p write a 1 !protection       | 5 2 0 0
      p pin l a 1 !fault.protection | 5 2 0 0
      p protect a 0..3 rw           | 5 2 0 0
      p write a 0..3                | 5 2 0 0
      p protect a 0..4 r !noMapping | 5 2 0 0
      p protect a 5..6 r !noMapping | 5 2 0 0
      p unmap a 1                   | 5 3 0 0
      p protect a 0..3 r !noMapping | 5 3 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatWasReadOnlyIsCopiedWhenItIsWritten(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6                        | 6 6 0 0
      file f 2                      | 6 6 0 0
      space p                       | 6 6 0 0
      p share a 2 f 0               | 6 6 2 0
      p write a 0..2                | 6 4 0 0
      p private b 2 f 0 ro          | 6 4 2 0
      p read b 0..2                 | 6 4 2 0
      p protect b 0..2 rw           | 6 4 2 0
      p write b 0                   | 6 3 1 0
      p share c 2 f 0 ro            | 6 3 1 0
      p read c 0..2                 | 6 3 1 0
      p write c 0 !protection       | 6 3 1 0
      p protect c 0..2 rw           | 6 3 1 0
      p write c 0..2                | 6 3 1 0
      fork p d                      | 6 3 1 0
      d protect b 0..2 r            | 6 3 1 0
      d write b 0 !protection       | 6 3 1 0
      p write b 0                   | 6 2 1 0
      d protect b 0..2 rw           | 6 2 1 0
      d write b 0                   | 6 2 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsNotNeededIsReservedAgain(_ at: HugeCase) throws {
    try at.run(
      """
      pool 5                            | 5 5 0 0
      space p                           | 5 5 0 0
      p map a 3                         | 5 5 3 0
      p write a 0..3                    | 5 2 0 0
      p advise a 0..2 notNeeded         | 5 4 2 0
      p map b 3 !notReserved            | 5 4 2 0
      p write a 0                       | 5 3 1 0
      p map n 2 noreserve               | 5 3 1 0
      p write n 0                       | 5 2 1 0
      p advise n 0..2 notNeeded         | 5 3 1 0
      fork p c                          | 5 3 1 0
      p advise a 0 notNeeded            | 5 3 1 0
      p write a 0                       | 5 2 1 0
      c advise a 0 notNeeded            | 5 3 1 0
      end c                             | 5 3 1 0
      p pin l a 2 write                 | 5 3 1 0
      p advise a 2 notNeeded            | 5 3 1 0
      unpin l                           | 5 4 1 0
      p write a 2                       | 5 3 1 0
      p advise a 4..6 notNeeded !noMapping | 5 3 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsNotNeededOfAFileStaysInIt(_ at: HugeCase) throws {
    try at.run(
      """
      pool 5                       | 5 5 0 0
      file f 2                     | 5 5 0 0
      space p                      | 5 5 0 0
      p share a 2 f 0              | 5 5 2 0
      p write a 0..2               | 5 3 0 0
      p advise a 0..2 notNeeded    | 5 3 0 0
      has f 2 2                    | 5 3 0 0
      p read a 0..2                | 5 3 0 0
      p private b 2 f 0            | 5 3 2 0
      p write b 0                  | 5 2 1 0
      p read b 1                   | 5 2 1 0
      p advise b 0..2 notNeeded    | 5 3 2 0
      p write b 0                  | 5 2 1 0
      p advise a 0 removed         | 5 3 1 0
      has f 2 1                    | 5 3 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsNeededIsThere(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                        | 4 4 0 0
      space p                       | 4 4 0 0
      p map a 2                     | 4 4 2 0
      p advise a 0..2 needed        | 4 2 0 0
      p advise a 0..2 needed        | 4 2 0 0
      p map b 3 noreserve           | 4 2 0 0
      p advise b 0..3 needed !~noHugePage | 4 0 0 0
      p unmap b                     | 4 2 0 0
      p advise a 0..3 needed !~noMapping | 4 2 0 0
      file f 2                      | 4 2 0 0
      p share s 2 f 0               | 4 2 2 0
      p advise s 0..2 needed        | 4 0 0 0
      has f 2 2                     | 4 0 0 0
      """)
  }

  @Test(arguments: MemoryModels.all) func whatWasNotNeededIsZero(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 4                       | 4 4 0 0
      file f 1                     | 4 4 0 0
      space p                      | 4 4 0 0
      p map a 1                    | 4 4 1 0
      p put a 0 1                  | 4 3 0 0
      p protect a 0 -              | 4 3 0 0
      p see a 0 1 !protection      | 4 3 0 0
      p protect a 0 r              | 4 3 0 0
      p see a 0 1                  | 4 3 0 0
      p put a 0 2 !protection      | 4 3 0 0
      p protect a 0 rw             | 4 3 0 0
      p put a 0 3                  | 4 3 0 0
      p advise a 0 notNeeded       | 4 4 1 0
      p see a 0 0                  | 4 3 0 0
      p share s 1 f 0              | 4 3 1 0
      p put s 0 4                  | 4 2 0 0
      p private t 1 f 0            | 4 2 1 0
      p put t 0 5                  | 4 1 0 0
      p advise t 0 notNeeded       | 4 2 1 0
      p see t 0 4                  | 4 2 1 0
      p advise s 0 notNeeded       | 4 2 1 0
      p see s 0 4                  | 4 2 1 0
      """, model: at.model)
  }
}

/** Lines by which each event shows once in the rows of a projection into SQL, and the tests that notice when one breaks. Data only. */
import type { NamedTest, Noticed } from "../Mutation.ts"

const inLead = (title: string): NamedTest => ({ file: "test/Sql/lead.test.ts", title })

const kills = inLead("equals the memory projection at its entry after 100 kills (seed 1)")
const leaders = inLead("has each event once while two nodes believe that they lead")
const away = inLead("lags while its database is away, says so, stumbles over nothing, and goes on by itself")
const whole = inLead("shows all events of an entry or none, and no later ones, while it stumbles over one of them")
const steered = inLead("leaves out what operators skip, two events of one entry too, and applies a parked one once")
const versions = inLead("is filled again when its version rises, and an older release then leaves it alone")
const builds = inLead("is filled again after an erasure and a restore, and never by another cluster")

export const brokenSql: Readonly<Record<string, Noticed>> = {
  "two leaders both write": {
    file: "src/Sql/Note.ts",
    find: " AND token = $",
    replace: " OR token = $",
    tests: [leaders]
  },
  "rows and their position are written apart": {
    file: "src/Sql/Writer.ts",
    find: "sql.withTransaction(Effect.andThen(notes.swap(note.token, next), work)),",
    replace: "Effect.andThen(notes.swap(note.token, next), work),",
    tests: [kills]
  },
  "the note moves only by a later write": {
    file: "src/Sql/Writer.ts",
    find: "entry: to.index, done: to.count, token: nextToken() }, work)",
    replace: "token: nextToken() }, work)",
    tests: [kills]
  },
  "an event is given up without an operator": {
    file: "src/Sql/lead.ts",
    find: "count = 1\n    }\n    return true",
    replace: "count = 1\n      rest = rest.slice(1)\n    }\n    return true",
    tests: [whole]
  },
  "a database that is away looks like a bad event": {
    file: "src/Sql/Writer.ts",
    find: "return isAway(cause) || !isNoted ?",
    replace: "return !isNoted && !isNoted ?",
    tests: [away]
  },
  "an event that was skipped is applied": {
    file: "src/Sql/Step.ts",
    find: "if (isParked || (skipped !== undefined && isSameEvent(skipped, event))) {",
    replace: "if (isParked) {",
    tests: [steered]
  },
  "what operators left out is not noted": {
    file: "src/Sql/Step.ts",
    find: "const doneCount = position.index + 1 === entry.index ? position.count : 0",
    replace: "const doneCount = 0",
    tests: [steered]
  },
  "a parked event is applied twice": {
    file: "src/Sql/Writer.ts",
    find: "if (!(yield* notes.isParked(event))) return",
    replace: "",
    tests: [steered]
  },
  "an older release fills newer rows again": {
    file: "src/Sql/Build.ts",
    find: "if (note.version > build.version) {",
    replace: "if (note.version < 0) {",
    tests: [versions]
  },
  "rows keep what a new version would not write": {
    file: "src/Sql/Writer.ts",
    find: "yield* asked(write(fresh(), notes.empty(tables)))",
    replace: "yield* asked(write(fresh(), Effect.void))",
    tests: [versions]
  },
  "an erased record stays in the rows": {
    file: "src/Sql/lead.ts",
    find: "while (writer.note().erased >= build().erased) {",
    replace: "while (true) {",
    tests: [builds]
  },
  "the rows of another cluster are written": {
    file: "src/Sql/Build.ts",
    find: "if (note.origin !== build.origin && !build.formerOrigins.includes(note.origin)) {",
    replace: "if (note.origin === undefined) {",
    tests: [builds]
  }
}

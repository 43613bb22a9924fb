/** Lines by which a follower of changes misses nothing and sees nothing twice, and the tests that notice when one breaks. Data only. */
import type { NamedTest, Noticed } from "../Mutation.ts"

const inFile =
  (file: string) =>
  (title: string): NamedTest => ({ file: `test/${file}`, title })

const cut = inFile("Changes/change.test.ts")(
  "are told each once, in order, from every position on, however the log is read"
)
const first = inFile("Changes/changes.test.ts")(
  "comes to the state of its end, wherever it breaks off while records change"
)
const client = inFile("Client/following.test.ts")

export const brokenChanges: Readonly<Record<string, Noticed>> = {
  "the rest of an entry is skipped where a step ends": {
    file: "src/Changes/Change.ts",
    find: "if (changes.length === maxCount) return Result.succeed({ changes, position })",
    replace: "if (changes.length === maxCount) return Result.succeed({ changes, position: { index, ...within } })",
    tests: [cut]
  },
  "a change comes twice to a reader that comes back within its entry": {
    file: "src/Changes/Change.ts",
    find: "position.ordinal! + 1 : 0",
    replace: "position.ordinal! : 0",
    tests: [cut]
  },
  "a reader that comes back within an entry misses the next change": {
    file: "src/Changes/Change.ts",
    find: "position.ordinal! + 1 : 0",
    replace: "position.ordinal! + 2 : 0",
    tests: [cut]
  },
  "a reader that comes back within an entry misses the rest of it": {
    file: "src/Changes/Position.ts",
    find: "(ordinal === undefined ? index + 1 : index)",
    replace: "(ordinal === undefined ? index + 1 : index + 1)",
    tests: [cut]
  },
  "a first state that broke off goes on without what has changed since": {
    file: "src/Changes/Follower.ts",
    find: "if (state !== undefined && !isBehind()) return records(state)",
    replace: "if (state !== undefined) return records(state)",
    tests: [first]
  },
  "a first state is followed by changes that it has": {
    file: "src/Changes/Follower.ts",
    find: "      position = { index: of.index, ...named() }\n",
    replace: "      position = { index: of.index - 1, ...named() }\n",
    tests: [first]
  },
  "a client goes on after the first event that came together with others": {
    file: "src/Client/far/EventReader.ts",
    find: "lastId = told[told.length - 1]!.id ?? lastId",
    replace: "lastId = told[0].id ?? lastId",
    tests: [client("moves to the next node where its node breaks off, and goes on after the last event")]
  },
  "a client takes an event that has not come whole": {
    file: "src/Client/far/EventReader.ts",
    find: "text.decode(part, { stream: true })",
    replace: 'text.decode(part, { stream: true }) + "\\n\\n"',
    tests: [client("takes nothing of an event that has not come whole")]
  }
}

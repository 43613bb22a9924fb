/** Lines by which no reader sees what its rules hide, and the random rules that notice when one breaks. Data only. */
import type { NamedTest, Noticed } from "../Mutation.ts"

const seed = (seed: number): NamedTest => ({
  file: "test/Access/sight.test.ts",
  title: `is what its rules allow, by every way to read (seed ${seed})`
})

export const brokenSight: Readonly<Record<string, Noticed>> = {
  "a follower keeps a record that has left its sight": {
    file: "src/Changes/Judged.ts",
    find: `return isHad(before.record) ? "Left" : "Hidden"`,
    replace: `return "Hidden"`,
    tests: [seed(1)]
  },
  "a follower hears of a record that was never in its sight": {
    file: "src/Changes/Judged.ts",
    find: `return isHad(before.record) ? "Left" : "Hidden"`,
    replace: `return "Left"`,
    tests: [seed(1)]
  },
  "a follower keeps what its new view hides": {
    file: "src/Changes/Follower.ts",
    find: "const hasLeft = row.index <= sinceIndex && !shows(to, named)",
    replace: "const hasLeft = false",
    tests: [seed(1)]
  },
  "a follower is not told what only its new view shows": {
    file: "src/Changes/Follower.ts",
    find: "if (shows(view, named)) continue",
    replace: "if (shows(now, named)) continue",
    tests: [seed(1)]
  },
  "a follower goes on without what it could not be told between two views": {
    file: "src/Changes/Follower.ts",
    find: `if (!shows(now, named)) return yield* Effect.fail(gone("view"))`,
    replace: "if (!shows(now, named)) continue",
    tests: [
      {
        file: "test/Changes/follower.test.ts",
        title: "starts over if it could not be told a part of its new view, also if it may read that again"
      }
    ]
  },
  "a follower sees masked and hidden fields": {
    file: "src/Changes/View.ts",
    find: "without(models.get(model)?.unseen ?? [], record)",
    replace: "without(models.has(model) ? [] : [], record)",
    tests: [seed(1)]
  },
  "a live page stays as it was when a set of its reader changes": {
    file: "src/Live/LiveQueries.ts",
    find: "...readjust(), ...collect()",
    replace: "...collect()",
    tests: [seed(1)]
  },
  "history shows versions that were out of sight": {
    file: "src/Repository/Past.ts",
    find: "page.items.filter(isSeen)",
    replace: "page.items.filter(() => true)",
    tests: [seed(1)]
  },
  "a past version is shown that was out of sight": {
    file: "src/Repository/Past.ts",
    find: "if (then === undefined || !isReadable(reach, descriptor, { id, record: then.record })) {",
    replace: "if (then === undefined) {",
    tests: [seed(1)]
  },
  "a masked field is shown to everybody": {
    file: "src/Machine/Seen.ts",
    find: "!masked[field]!.some((role) => hasRole(caller, role))",
    replace: '!masked[field]!.some((role) => role !== "" || hasRole(caller, role))',
    tests: [seed(1)]
  }
}

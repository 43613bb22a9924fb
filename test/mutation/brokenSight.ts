/** Lines by which no reader sees what its rules hide, and the tests that notice when one breaks. Data only. */
import type { NamedTest, Noticed } from "../Mutation.ts"

const seed = (seed: number): NamedTest => ({
  file: "test/Access/sight.test.ts",
  title: `is what its rules allow, by every way to read (seed ${seed})`
})

const list = (rule: string): NamedTest => ({
  file: "test/Access/lists.test.ts",
  title: `that names ${rule} is the whole list filtered by it`
})

const follower = (title: string): NamedTest => ({ file: "test/Changes/follower.test.ts", title })

const stream = (title: string): NamedTest => ({ file: "test/Access/streams.test.ts", title })

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
  "a follower hears of the deletion of a record that was never in its sight": {
    file: "src/Changes/Judged.ts",
    find: `if (!isHad(after)) return "Hidden"`,
    replace: "",
    tests: [{ file: "test/Changes/judged.test.ts", title: "a change is told, entered, left, hidden or unknown" }]
  },
  "between two views a follower is told what the new one hides": {
    file: "src/Changes/Follower.ts",
    find: "told: [view, to], now }",
    replace: "told: [view], now }",
    tests: [follower("between two views is told only what both show, and what it has and may not keep")]
  },
  "a follower keeps what its new view hides": {
    file: "src/Changes/Walk.ts",
    find: "const hasLeft = row.index <= sinceIndex && !shows(to, named)",
    replace: "const hasLeft = false",
    tests: [seed(1)]
  },
  "a follower is not told what only its new view shows": {
    file: "src/Changes/Walk.ts",
    find: "if (shows(from, named)) continue",
    replace: "if (shows(now, named)) continue",
    tests: [seed(1)]
  },
  "a follower goes on without what it could not be told between two views": {
    file: "src/Changes/Walk.ts",
    find: `if (!shows(now, named)) return "Hidden"`,
    replace: "if (!shows(now, named)) continue",
    tests: [follower("starts over if it could not be told a part of its new view, also if it may read that again")]
  },
  "a follower comes back to a position of another view": {
    file: "src/Changes/View.ts",
    find: "position.view === name || isBeginning(position)",
    replace: "true",
    tests: [stream("go on at another node, and start over if the caller may read other records by then")]
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
  "a live page takes records of no branch": {
    file: "src/Live/Query.ts",
    find: " && ListedRows.meetsOne(source, branches, row)",
    replace: "",
    tests: [stream("of several branches and sets shows the caller's records, also when its teams change")]
  },
  "a list takes records of no branch": {
    file: "src/Machine/List.ts",
    find: "if (row === undefined || !meetsOne(source, branches, row)) continue",
    replace: "if (row === undefined) continue",
    tests: [list("three branches")]
  },
  "a total counts records of others": {
    file: "src/Machine/List.ts",
    find: "if (request.filters.length === 0 && request.branches === undefined) return",
    replace: "if (request.filters.length === 0) return",
    tests: [list("the owner, or a team")]
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
  "a null claim is compared with": {
    file: "src/Access/fold.ts",
    find: `value === null || typeof value === "object" ? [] : [value]`,
    replace: "[value]",
    tests: [
      { file: "test/Access/lists.test.ts", title: "compares with no null, whatever the caller's claims and sets have" }
    ]
  },
  "a masked field is shown to everybody": {
    file: "src/Machine/Seen.ts",
    find: "!masked[field]!.some((role) => hasRole(caller, role))",
    replace: '!masked[field]!.some((role) => role !== "" || hasRole(caller, role))',
    tests: [seed(1)]
  }
}

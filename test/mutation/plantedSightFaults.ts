/**
 * Faults of a line in what readers are shown, each of which the simulator must find in the runs with random rules. A list,
 * and no more: plantedFaults.test.ts plants them. docs/access.md.
 */
import { rulingFromSeed as first } from "../Testing/simulatorSeeds.ts"
import type { PlantedFault } from "./plantedFaults.ts"

const breaks = "docs/access.md"
const runs = { breaks, fromSeed: first, seedsCount: 20 }

export const plantedSightFaults: ReadonlyArray<PlantedFault> = [
  {
    ...runs,
    name: "a follower keeps a record that has left its sight",
    file: "src/Changes/Judged.ts",
    find: `return isHad(before.record) ? "Left" : "Hidden"`,
    replace: `return "Hidden"`
  },
  {
    ...runs,
    name: "a follower keeps what its new view hides",
    file: "src/Changes/Walk.ts",
    find: "const hasLeft = row.index <= sinceIndex && !shows(to, named)",
    replace: "const hasLeft = false"
  },
  {
    ...runs,
    name: "a follower is not told what only its new view shows",
    file: "src/Changes/Walk.ts",
    find: "if (shows(from, named)) continue",
    replace: "if (shows(now, named)) continue"
  },
  {
    ...runs,
    name: "a follower comes back to a position of another view",
    file: "src/Changes/View.ts",
    find: "position.view === name || isBeginning(position)",
    replace: "true"
  },
  {
    ...runs,
    name: "a follower sees masked and hidden fields",
    file: "src/Changes/View.ts",
    find: "without(models.get(model)?.unseen ?? [], record)",
    replace: "without(models.has(model) ? [] : [], record)"
  },
  {
    ...runs,
    name: "a first state has records of others",
    file: "src/Changes/FirstState.ts",
    find: "list({ table, idField, reach },",
    replace: "list({ table, idField },"
  },
  {
    ...runs,
    name: "a live page takes records of no branch",
    file: "src/Live/Query.ts",
    find: " && ListedRows.meetsOne(source, branches, row)",
    replace: ""
  },
  {
    ...runs,
    name: "a live page shows fields that its reader does not see",
    file: "src/Live/Reach.ts",
    find: "select: unseen.length === 0 ? select : (select ?? seen())",
    replace: "select: unseen.length === 0 ? select : select"
  },
  {
    ...runs,
    name: "a list takes records of no branch",
    file: "src/Machine/List.ts",
    find: "if (row === undefined || !meetsOne(source, branches, row)) continue",
    replace: "if (row === undefined) continue"
  },
  {
    ...runs,
    name: "a total counts records of others",
    file: "src/Machine/List.ts",
    find: "if (request.filters.length === 0 && request.branches === undefined) return",
    replace: "if (request.filters.length === 0) return"
  },
  {
    ...runs,
    name: "a record is shown to everybody who may read some record",
    file: "src/Repository/Sighted.ts",
    find: "shown !== undefined && isReadable(reach, descriptor, { id, record: shown.record })",
    replace: "shown !== undefined && descriptor.idField !== id"
  },
  {
    ...runs,
    name: "history shows versions that were out of sight",
    file: "src/Repository/Past.ts",
    find: "page.items.filter(isSeen)",
    replace: "page.items.filter(() => true)"
  },
  {
    ...runs,
    name: "a past version is shown that was out of sight",
    file: "src/Repository/Past.ts",
    find: "if (then === undefined || !isReadable(reach, descriptor, { id, record: then.record })) {",
    replace: "if (then === undefined) {"
  },
  {
    ...runs,
    name: "a masked field is shown to everybody",
    file: "src/Machine/Seen.ts",
    find: "!masked[field]!.some((role) => hasRole(caller, role))",
    replace: '!masked[field]!.some((role) => role !== "" || hasRole(caller, role))'
  },
  {
    ...runs,
    name: "a refusal tells a record that is out of sight from a missing one",
    file: "src/Machine/GuardedOperation.ts",
    find: `return refused ?? { _tag: "NotFound", model, id }`,
    replace: `return refused ?? unseen`
  },
  {
    ...runs,
    name: "an update is judged by the new record alone",
    file: "src/Machine/GuardedOperation.ts",
    find: `return refusedRecord(guarded, operation._tag === "Delete" ? "delete" : "update", { id, row })`,
    replace: `return operation._tag === "Delete" ? refusedRecord(guarded, "delete", { id, row }) : undefined`
  },
  {
    ...runs,
    name: "an update is judged by the old record alone",
    file: "src/Machine/checkRecord.ts",
    find: "guard === undefined ? undefined : refusedRecord({ descriptor, table, tables, guard }, action, { id, data })",
    replace: `guard === undefined || action === "update" ? undefined : refusedRecord({ descriptor, table, tables, guard }, action, { id, data })`
  },
  {
    ...runs,
    name: "a reference may name a record that is out of sight",
    file: "src/Machine/checkRecord.ts",
    find: "FieldIndex.heldBy(former, field) === named.id ? true : seesRecord(guard, tables, named)",
    replace: "FieldIndex.heldBy(former, field) === named.id ? true : named.id !== seesRecord.name"
  },
  {
    ...runs,
    name: "a refused deletion names a record that is out of sight",
    file: "src/Machine/checkRecord.ts",
    find: "return by === undefined || seesRecord(guard, tables, by) ? rejection : others",
    replace: "return by === undefined || seesRecord !== undefined ? rejection : others"
  },
  {
    ...runs,
    name: "what goes with another record is judged by no rule",
    file: "src/Machine/decideOperation.ts",
    find: "if (isCascaded && guard !== undefined) {",
    replace: "if (isCascaded && guard !== undefined && author !== author) {"
  },
  {
    ...runs,
    name: "a writer sets fields that it does not see",
    file: "src/Machine/fillFields.ts",
    find: `for (const field of unseen) if (isWritten(field)) refuse(field, "Expected no excess property")`,
    replace: ""
  }
]

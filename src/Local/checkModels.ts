/**
 * Checks what a log holds against the models of this release before a node serves it. A check that has passed is not
 * made again while the models stay as they are. Machine/ModelCheck.ts checks. docs/evolution.md.
 */
import { Effect, Runtime, Schema } from "effect"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import { checkModel, describeReport, isFit, type ModelReport } from "../Machine/ModelCheck.ts"
import { clone, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { inSlices } from "./inSlices.ts"

/** `EX_CONFIG` of sysexits.h: starting the node again changes nothing. */
const mismatchExitCode = 78

/** Stored records do not fit the models of this release. The message says which, and what to write. */
export class ModelMismatch extends Schema.TaggedError<ModelMismatch>()("ModelMismatch", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = mismatchExitCode
}

/** Checks models one after another, in slices. */
export const reportsOf = (
  tables: Tables,
  descriptors: ReadonlyArray<Descriptor>
): Effect.Effect<ReadonlyArray<ModelReport>> =>
  Effect.suspend(() => {
    const held = clone(tables)
    return Effect.forEach(descriptors, (descriptor) => inSlices(checkModel(held, descriptor)))
  })

const Fingerprints = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** Fails if stored records do not fit. `name` is that of the file that remembers what has passed. */
export const checkModels = Effect.fnUntraced(function* (options: {
  readonly tables: Tables
  readonly descriptors: ReadonlyArray<Descriptor>
  readonly derived: DerivedFiles
  readonly name: string
}): Effect.fn.Return<void, ModelMismatch | LogFailed> {
  const { derived, descriptors, name, tables } = options
  const bytes = yield* derived.read(name)
  const passed = yield* Schema.decodeEffect(Fingerprints)(new TextDecoder().decode(bytes)).pipe(
    // Without the file, or with another than this release writes, everything is checked.
    Effect.catch(() => Effect.succeed<typeof Fingerprints.Type>({}))
  )
  const changed = descriptors.filter((each) => passed[each.name] !== each.fingerprint())
  if (changed.length === 0) return
  const reports = yield* reportsOf(tables, changed)
  const unfit = reports.filter((report) => !isFit(report))
  if (unfit.length > 0) return yield* new ModelMismatch({ message: messageOf(unfit) })
  for (const report of reports.filter(({ findings }) => findings.length > 0)) {
    yield* Effect.logWarning(
      `Stored records break a rule that is new: later changes must keep it\n${describeReport(report)}`
    )
  }
  const fingerprints = Object.fromEntries(descriptors.map((each) => [each.name, each.fingerprint()]))
  yield* derived.write(name, [new TextEncoder().encode(JSON.stringify(fingerprints))])
})

/** Says what is wrong with stored records, model by model. */
export const messageOf = (reports: ReadonlyArray<ModelReport>): string =>
  `Stored records do not fit the models of this release\n${reports.map(describeReport).join("\n")}`

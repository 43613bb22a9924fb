/**
 * Makes new versions of models active, and new formats of the log. A node whose code has a newer version than the
 * active one tells its leader so. The leader, if its own code has it too, waits until every member has told the same,
 * checks the records, and decides. Until then it refuses writes of the model, so nothing changes what it has checked. A
 * format needs no check. docs/evolution.md.
 */
import { Effect } from "effect"
import { reportsOf } from "../Local/checkModels.ts"
import type { Command } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import * as Format from "../Machine/Format.ts"
import { describeReport, isFit, pendingOf } from "../Machine/ModelCheck.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { membersOf } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { outcomeOf } from "../Raft/node/Settle.ts"
import type { ActivateWithout, AdministerResult, Announce, Order } from "./Order.ts"
import type { Node } from "./OrdersHere.ts"

/** How often a node looks for versions that are not active. */
const lookEveryMs = 500
/** How long an announcement counts. A member that is not heard for longer keeps the former version active. */
const announcedMs = 5_000
/** For how long an operator's order to do without members holds. */
const withoutMs = 60_000
/**
 * When it checks records again that did not fit. Earlier if one of them has changed: but a reference that names no record
 * fits once another model has that record.
 */
const checkAgainMs = 60_000
/** How long a command or an announcement may take. */
const timeoutMs = 2_000

/** The name under which nodes announce that they have dropped a model. No model can have it. */
const announcedDropped = (model: string): string => `~dropped ${model}`

type Submitted = Answered<CommandResult | Logged>

export interface Activation {
  /** Notes which versions another member's code has. */
  readonly announced: (announce: Announce) => void
  /** Waits for these members no longer, while this node leads. An operator says so, who knows that they will not come. */
  readonly activateWithout: (order: ActivateWithout) => Effect.Effect<AdministerResult>
  /** Looks for versions to announce or to activate. Never ends. */
  readonly follow: Effect.Effect<never>
}

export const make = (options: {
  readonly nodeId: NodeId
  readonly models: ReadonlyArray<Descriptor>
  /** The names of models that this release has dropped. */
  readonly dropped: ReadonlyArray<string>
  readonly formats: Format.Formats
  readonly tables: () => Tables
  readonly node: () => Node | undefined
  readonly leader: () => NodeId | undefined
  /** Sends an order to another node, and forgets its answer. */
  readonly send: (to: NodeId, order: Order, timeoutMs: number) => Effect.Effect<void>
  /** The monotonic time. */
  readonly nowMs: () => number
}): Activation => {
  const { dropped, formats, leader, node, nodeId, nowMs, tables } = options
  const models = options.models.filter(({ mode }) => mode !== "local")
  const heard = new Map<NodeId, { readonly models: Announce["models"]; readonly atMs: number }>()
  /** Members that an operator does without, and until when. */
  const excused = new Map<NodeId, number>()
  /** By model: what the log was last told of a version that cannot become active. */
  const told = new Map<string, string>()
  /** By model: the last change of its records before a check that found some which do not fit, and when it was made. */
  const unfit = new Map<string, { readonly changedIndex: number; readonly atMs: number }>()

  /** The members that have not told that their code has this version. */
  const untold = (running: Node, { name, version }: Pick<Descriptor, "name" | "version">): ReadonlyArray<NodeId> =>
    membersOf(running.core.configuration)
      .map(({ id }) => id)
      .filter((id) => {
        const known = heard.get(id)
        const hasVersion =
          known !== undefined && nowMs() - known.atMs < announcedMs && (known.models[name] ?? 0) >= version
        return id !== nodeId && !hasVersion
      })

  /** Those of them that no operator does without. */
  const missing = (running: Node, version: Pick<Descriptor, "name" | "version">): ReadonlyArray<NodeId> =>
    untold(running, version).filter((id) => (excused.get(id) ?? Number.NEGATIVE_INFINITY) <= nowMs())

  const tell = (model: string, text: string): Effect.Effect<void> => {
    if (told.get(model) === text) return Effect.void
    told.set(model, text)
    return Effect.logInfo(text)
  }

  const activate = Effect.fnUntraced(function* (running: Node, descriptor: Descriptor) {
    const { name: model, version } = descriptor
    const waiting = (without: ReadonlyArray<NodeId>) =>
      tell(model, `Version ${version} of ${model} waits for ${without.join(", ")}: until then it is not written`)
    const before = missing(running, descriptor)
    if (before.length > 0) return yield* waiting(before)
    const checkedIndex = tables().index
    const changedIndex = tables().byModel.get(model)?.changedIndex ?? 0
    const found = unfit.get(model)
    if (found?.changedIndex === changedIndex && nowMs() - found.atMs < checkAgainMs) return
    const [report] = yield* reportsOf(tables(), [descriptor])
    if (report === undefined) return
    if (!isFit(report)) {
      unfit.set(model, { changedIndex, atMs: nowMs() })
      return yield* tell(model, `Version ${version} of ${model} cannot become active\n${describeReport(report)}`)
    }
    // A check may take long, and a member may have gone back meanwhile.
    const after = missing(running, descriptor)
    if (after.length > 0) return yield* waiting(after)
    yield* submit(running, { _tag: "Activate", model, version, checkedIndex }, `Version ${version} of ${model}`)
  })

  const submit = (running: Node, command: Command, what: string): Effect.Effect<void> =>
    outcomeOf<Submitted, NotDone | UnknownOutcome>((settle) => running.submit(command, timeoutMs, settle)).pipe(
      Effect.matchEffect({
        onFailure: ({ message }) => Effect.logWarning(`${what} is not active yet: ${message}`),
        onSuccess: ({ result }) => (result._tag === "Accepted" ? Effect.logInfo(`${what} is active`) : Effect.void)
      })
    )

  /** Whether this release knows a newer format than is active. A log without an entry of the machine has none yet. */
  const isFormatPending = ({ format, index }: Tables): boolean => index > 0 && format < formats.newest

  /** Raises the format to the newest that all members know. */
  const raise = Effect.fnUntraced(function* (running: Node) {
    const without = (version: number) => missing(running, { name: Format.announcedAs, version })
    for (let format = formats.newest; format > tables().format; format--) {
      if (without(format).length > 0) continue
      return yield* submit(running, { _tag: "RaiseFormat", format }, `Format ${format} of the log`)
    }
    const names = without(formats.newest).join(", ")
    yield* tell(Format.announcedAs, `Format ${formats.newest} of the log waits for the release of ${names}`)
  })

  const notEnded = (): ReadonlyArray<string> =>
    dropped.filter((name) => {
      const table = tables().byModel.get(name)
      return table !== undefined && table.modelVersion > 0 && !table.isEnded
    })

  /** Ends a model once every member's release has dropped it, whomever an operator does without: its records go for good. */
  const end = (running: Node, model: string): Effect.Effect<void> => {
    const without = untold(running, { name: announcedDropped(model), version: 1 })
    if (without.length > 0)
      return tell(model, `${model} ends once these members have dropped it: ${without.join(", ")}`)
    return submit(running, { _tag: "End", model }, `The end of ${model}`)
  }

  const isVersionPending = (): boolean => pendingOf(tables(), models).length > 0 || isFormatPending(tables())

  const look = Effect.gen(function* () {
    const running = node()
    if (running === undefined || !(isVersionPending() || notEnded().length > 0)) return
    const to = leader()
    if (to === nodeId) {
      if (isFormatPending(tables())) yield* raise(running)
      yield* Effect.forEach(pendingOf(tables(), models), (each) => activate(running, each), { discard: true })
      if (!Format.isFormatActive(tables(), Format.lifting)) return
      yield* Effect.forEach(notEnded(), (each) => end(running, each), { discard: true })
    } else if (to !== undefined) {
      const versions = [
        ...models.map(({ name, version }) => [name, version]),
        ...dropped.map((name) => [announcedDropped(name), 1]),
        [Format.announcedAs, formats.newest]
      ]
      yield* options.send(to, { _tag: "Announce", nodeId, models: Object.fromEntries(versions) }, timeoutMs)
    }
  })

  return {
    announced: ({ models, nodeId }) => {
      const running = node()
      const isMember = running !== undefined && membersOf(running.core.configuration).some(({ id }) => id === nodeId)
      if (isMember) heard.set(nodeId, { models, atMs: nowMs() })
    },
    activateWithout: Effect.fnUntraced(function* ({ without }) {
      const running = node()
      if (running === undefined || leader() !== nodeId) return { _tag: "Refused", reason: "notLeader" }
      const members = new Set(membersOf(running.core.configuration).map(({ id }) => id))
      if (without.some((id) => !members.has(id))) return { _tag: "Refused", reason: "unknownMember" }
      if (!isVersionPending()) return { _tag: "Refused", reason: "nothingPending" }
      for (const id of without) excused.set(id, nowMs() + withoutMs)
      yield* Effect.logWarning(`An operator has new versions made active without ${without.join(", ")}`)
      return { _tag: "Done" }
    }),
    follow: Effect.forever(Effect.andThen(look, Effect.sleep(lookEveryMs)))
  }
}
